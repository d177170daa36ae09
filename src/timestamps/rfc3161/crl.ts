import { readExtensionList, readSigned } from './certificate.ts'
import type { Signed } from './certificate.ts'
import { contextConstructed, DerError, DerReader, latin1, readSmall, readTime, readWhole, TAG } from './der.ts'
import type { DerValue } from './der.ts'

/** That a certificate was revoked. `reason` is a CRLReason (RFC 5280 5.3.1); undefined where none is given. */
export interface Revocation {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly reason?: number
}

/** A CertificateList (RFC 5280 5.1). Nothing in it has been verified. */
export interface RevocationList {
  /** Name in DER, one character an octet. */
  readonly issuer: string
  readonly signed: Signed
  /** By serial number: the contents of the INTEGER, one character an octet. */
  readonly revoked: ReadonlyMap<string, Revocation>
}

const EXTENSION = {
  reasonCode: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  deltaCrl: '2.5.29.27',
  scope: '2.5.29.28'
} as const

// The shortest entry has 18 bytes, and a token at most 64 KiB.
const ENTRIES_MAX = 4_096

const INDIRECT = contextConstructed(4) & ~0x20

/** Reads one list. Throws a `DerError` on anything else, and on lists that also speak for other issuers. */
export function readRevocationList(bytes: Uint8Array): RevocationList {
  const what = 'CRL'
  const outer = readWhole(bytes, TAG.sequence, what)
  const tbs = outer.value(TAG.sequence, what)
  const signed = readSigned(tbs, outer, what)
  outer.end(what)
  const body = new DerReader(tbs.content)
  body.optional(TAG.integer, what)
  body.value(TAG.sequence, what)
  const issuer = latin1(body.value(TAG.sequence, what).bytes)
  readTime(body.any(what), what)
  if (body.tag === TAG.utcTime || body.tag === TAG.generalizedTime) readTime(body.any(what), what)
  const entries = body.optional(TAG.sequence, what)
  const extensions = body.optional(contextConstructed(0), what)
  body.end(what)
  if (extensions !== undefined) assertOwnScope(extensions)
  const revoked = new Map<string, Revocation>()
  for (const entry of entries === undefined ? [] : new DerReader(entries.content).all(what, ENTRIES_MAX)) {
    const reader = new DerReader(entry.content)
    const serialNumber = latin1(reader.value(TAG.integer, what).content)
    const at = readTime(reader.any(what), what)
    const reason = reader.done ? {} : readReason(reader)
    reader.end(what)
    revoked.set(serialNumber, { at, ...reason })
  }
  return { issuer, signed, revoked }
}

function readReason(reader: DerReader): { readonly reason?: number } {
  const extensions = readExtensionList(reader, 'CRL entry')
  for (const [oid, { critical }] of extensions) {
    const known = oid === EXTENSION.reasonCode || oid === EXTENSION.invalidityDate
    // RFC 5280 5.3: such an entry, and so the list, must not be used.
    if (critical && !known) throw new DerError(`CRL entry: the critical extension ${oid} is not known`)
  }
  const code = extensions.get(EXTENSION.reasonCode)
  if (code === undefined) return {}
  return { reason: readSmall(new DerReader(code.value).value(TAG.enumerated, 'reasonCode'), 0, 255, 'reasonCode') }
}

/**
 * A list for some certificates only, or of changes only, says true things of those that it names; an indirect one
 * (RFC 5280 5.2.5) may speak of certificates of another issuer under the same serial number.
 */
function assertOwnScope({ content }: DerValue): void {
  const extensions = readExtensionList(new DerReader(content), 'CRL extensions')
  for (const [oid, { critical, value }] of extensions) {
    if (oid === EXTENSION.scope) {
      const fields = readWhole(value, TAG.sequence, 'issuing distribution point').all('issuing distribution point', 8)
      if (fields.some(({ tag }) => tag === INDIRECT)) throw new DerError('CRL: an indirect list')
    } else if (critical && oid !== EXTENSION.deltaCrl) {
      throw new DerError(`CRL: the critical extension ${oid} is not known`)
    }
  }
}

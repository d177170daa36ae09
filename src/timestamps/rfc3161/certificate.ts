import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { readAlgorithm, schemeOf } from './algorithms.ts'
import type { SignatureScheme } from './algorithms.ts'
import {
  contextConstructed,
  contextPrimitive,
  DerError,
  DerReader,
  latin1,
  readBoolean,
  readNamedBits,
  readOctetBits,
  readOid,
  readSmall,
  readTime,
  readWhole,
  TAG
} from './der.ts'
import type { DerValue } from './der.ts'
import { readPublicKey } from './public-key.ts'
import type { PublicKey } from './public-key.ts'

/** An X.509 certificate (RFC 5280 4.1), as far as time-stamp tokens need it. Nothing in it has been verified. */
export interface Certificate {
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string
  readonly bytes: Uint8Array
  /** The contents of the serial number's INTEGER. */
  readonly serialNumber: Uint8Array
  /** Name in DER, one character an octet: names are compared as bytes (SPEC, Chain). */
  readonly issuer: string
  readonly subject: string
  /** Milliseconds since 1970, both inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  /** The contents of the subjectPublicKey BIT STRING, as key identifiers are made of it (RFC 6960 4.1.1). */
  readonly keyBits: Uint8Array
  readonly subjectKeyIdentifier?: Uint8Array
  readonly signed: Signed
  readonly isAuthority: boolean
  /** How many authorities may follow below; any number, if absent. */
  readonly pathLength?: number
  /** Undefined: the extension is absent. */
  readonly keyUsage?: (bit: number) => boolean
  readonly extendedKeyUsage?: { readonly critical: boolean; readonly purposes: readonly string[] }
  /** Without basic constraints: a certificate of version 1, or one that says nothing of authorities. */
  readonly hasBasicConstraints: boolean
  /** The critical extensions that nobody here looks at. */
  readonly unknownCritical: readonly string[]
  /** Null: a key that does not count. Made when first asked for. */
  publicKey(): PublicKey | null
}

/** What was signed, how, and the signature: of a certificate, a CRL or an OCSP response. */
export interface Signed {
  readonly data: Uint8Array
  /** Null: a scheme that does not count. */
  readonly scheme: SignatureScheme | null
  readonly signature: Uint8Array
}

/** Bits of KeyUsage (RFC 5280 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, nonRepudiation: 1, keyCertSign: 5, cRLSign: 6 } as const

/** Extended key usages (RFC 5280 4.2.1.12). */
export const PURPOSE = {
  any: '2.5.29.37.0',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ocspSigning: '1.3.6.1.5.5.7.3.9'
} as const

const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37'
} as const

/**
 * Critical extensions that are understood to ask nothing of this use: alternative names, policies of certificates and
 * what authorities say about them (no policy of certificates is asked for, RFC 5280 6.1.1 (c) any-policy), places of
 * CRLs. Name constraints are not among them: who puts them there wants them checked.
 */
const NOTHING_ASKED = new Set([
  '2.5.29.17',
  '2.5.29.18',
  '2.5.29.31',
  '2.5.29.32',
  '2.5.29.33',
  '2.5.29.36',
  '2.5.29.54'
])

// Certificates of real authorities have about ten.
const EXTENSIONS_MAX = 64
const PURPOSES_MAX = 64

// No path here is longer, so a larger number says the same.
const PATH_LENGTH_MAX = 2 ** 31 - 1

/** Reads one certificate. Throws a `DerError` on anything else. Keeps a copy of the bytes. */
export function readCertificate(view: Uint8Array, fingerprint: string = sha256Hex(view)): Certificate {
  const bytes = new Uint8Array(view)
  const what = 'certificate'
  const outer = readWhole(bytes, TAG.sequence, what)
  const tbs = outer.value(TAG.sequence, what)
  const signed = readSigned(tbs, outer, what)
  outer.end(what)
  const body = new DerReader(tbs.content)
  body.optional(contextConstructed(0), what)
  const serialNumber = body.value(TAG.integer, what).content
  // RFC 5280 4.1.1.2: what is signed names the algorithm, too, or it could be exchanged.
  assertSameAlgorithm(body.value(TAG.sequence, what), tbs, bytes)
  const issuer = latin1(body.value(TAG.sequence, what).bytes)
  const validity = body.inside(TAG.sequence, what)
  const notBefore = readTime(validity.any(what), 'notBefore')
  const notAfter = readTime(validity.any(what), 'notAfter')
  validity.end(what)
  const subject = latin1(body.value(TAG.sequence, what).bytes)
  const spki = body.value(TAG.sequence, what)
  const spkiReader = new DerReader(spki.content)
  readAlgorithm(spkiReader, what)
  const keyBits = readOctetBits(spkiReader.value(TAG.bitString, what), what)
  body.optional(contextPrimitive(1), what)
  body.optional(contextPrimitive(2), what)
  const extensions = body.optional(contextConstructed(3), what)
  body.end(what)
  let publicKey: PublicKey | null | undefined
  return {
    fingerprint,
    bytes,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    keyBits,
    signed,
    ...readExtensions(extensions),
    publicKey: () => {
      if (publicKey === undefined) publicKey = readPublicKey(spki.bytes)
      return publicKey
    }
  }
}

/** The algorithm and the signature that follow what was signed, up to the end or to what only OCSP has. */
export function readSigned(tbs: DerValue, reader: DerReader, what: string): Signed {
  const scheme = schemeOf(readAlgorithm(reader, what))
  const signature = readOctetBits(reader.value(TAG.bitString, what), what)
  return { data: tbs.bytes, scheme, signature }
}

/** One entry of Extensions (RFC 5280 4.1): `value` is what the OCTET STRING holds. */
export interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** Extensions by OID; none twice (RFC 5280 4.2). The reader stands before the SEQUENCE OF. */
export function readExtensionList(reader: DerReader, what: string): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>()
  for (const { tag, content } of reader.inside(TAG.sequence, what).all(what, EXTENSIONS_MAX)) {
    if (tag !== TAG.sequence) throw new DerError(`${what}: no extension`)
    const entry = new DerReader(content)
    const oid = readOid(entry.value(TAG.oid, what), what)
    const critical = entry.optional(TAG.boolean, what)
    const value = entry.value(TAG.octetString, what).content
    entry.end(what)
    if (found.has(oid)) throw new DerError(`${what}: the extension ${oid} twice`)
    found.set(oid, { critical: critical !== undefined && readBoolean(critical, what), value })
  }
  return found
}

type Extended = Pick<
  Certificate,
  | 'isAuthority'
  | 'pathLength'
  | 'keyUsage'
  | 'extendedKeyUsage'
  | 'hasBasicConstraints'
  | 'unknownCritical'
  | 'subjectKeyIdentifier'
>

function readExtensions(field: DerValue | undefined): Extended {
  if (field === undefined) return { isAuthority: false, hasBasicConstraints: false, unknownCritical: [] }
  const reader = new DerReader(field.content)
  const extensions = readExtensionList(reader, 'certificate extensions')
  reader.end('certificate extensions')
  const constraints = extensions.get(EXTENSION.basicConstraints)
  const keyUsage = extensions.get(EXTENSION.keyUsage)
  const extendedKeyUsage = extensions.get(EXTENSION.extendedKeyUsage)
  const keyIdentifier = extensions.get(EXTENSION.subjectKeyIdentifier)
  const known = new Set<string>(Object.values(EXTENSION))
  return {
    ...readBasicConstraints(constraints),
    ...(keyUsage === undefined ? {} : { keyUsage: readKeyUsage(keyUsage.value) }),
    ...(extendedKeyUsage === undefined
      ? {}
      : { extendedKeyUsage: { critical: extendedKeyUsage.critical, purposes: readPurposes(extendedKeyUsage.value) } }),
    ...(keyIdentifier === undefined ? {} : { subjectKeyIdentifier: readKeyIdentifier(keyIdentifier.value) }),
    unknownCritical: [...extensions]
      .filter(([oid, { critical }]) => critical && !known.has(oid) && !NOTHING_ASKED.has(oid))
      .map(([oid]) => oid)
  }
}

function readBasicConstraints(
  extension: Extension | undefined
): Pick<Certificate, 'isAuthority' | 'pathLength' | 'hasBasicConstraints'> {
  if (extension === undefined) return { isAuthority: false, hasBasicConstraints: false }
  const reader = readWhole(extension.value, TAG.sequence, 'basicConstraints')
  const authority = reader.optional(TAG.boolean, 'basicConstraints')
  const pathLength = reader.optional(TAG.integer, 'basicConstraints')
  reader.end('basicConstraints')
  return {
    hasBasicConstraints: true,
    isAuthority: authority !== undefined && readBoolean(authority, 'basicConstraints'),
    ...(pathLength === undefined ? {} : { pathLength: readSmall(pathLength, 0, PATH_LENGTH_MAX, 'basicConstraints') })
  }
}

function readKeyUsage(value: Uint8Array): (bit: number) => boolean {
  const reader = new DerReader(value)
  const bits = readNamedBits(reader.value(TAG.bitString, 'keyUsage'), 'keyUsage')
  reader.end('keyUsage')
  return bits
}

function readKeyIdentifier(value: Uint8Array): Uint8Array {
  const reader = new DerReader(value)
  const { content } = reader.value(TAG.octetString, 'key identifier')
  reader.end('key identifier')
  return content
}

function readPurposes(value: Uint8Array): readonly string[] {
  const purposes = readWhole(value, TAG.sequence, 'extendedKeyUsage').all('extendedKeyUsage', PURPOSES_MAX)
  return purposes.map((purpose) => {
    if (purpose.tag !== TAG.oid) throw new DerError('extendedKeyUsage: no OBJECT IDENTIFIER')
    return readOid(purpose, 'extendedKeyUsage')
  })
}

function assertSameAlgorithm(inner: DerValue, tbs: DerValue, certificate: Uint8Array): void {
  const from = tbs.bytes.byteOffset - certificate.byteOffset + tbs.bytes.length
  const outer = certificate.subarray(from, from + inner.bytes.length)
  if (latin1(outer) !== latin1(inner.bytes)) throw new DerError('certificate: names two signature algorithms')
}

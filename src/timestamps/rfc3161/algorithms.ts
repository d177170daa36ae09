import { hash as digest } from 'node:crypto'
import { contextConstructed, DerError, DerReader, readOid, readSmall, readWhole, TAG } from './der.ts'
import type { DerValue } from './der.ts'

/** The hash functions that count for anything here (SPEC TE-5, TE-8); SHA-1 only names certificates (TE-11). */
export type HashName = 'sha256' | 'sha384' | 'sha512'

/** How something was signed; `hash` is missing where the scheme has its own (Ed25519) or another place names it. */
export type SignatureScheme =
  | { readonly kind: 'rsa'; readonly hash?: HashName }
  | { readonly kind: 'pss'; readonly hash: HashName; readonly saltLength: number }
  | { readonly kind: 'ecdsa'; readonly hash: HashName }
  | { readonly kind: 'ed25519' }

/** An AlgorithmIdentifier (RFC 5280 4.1.1.2): the OID and, where there are any, the parameters. */
export interface Algorithm {
  readonly oid: string
  readonly parameters?: DerValue
}

const HASHES: ReadonlyMap<string, HashName> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512']
])

const SCHEMES: ReadonlyMap<string, SignatureScheme> = new Map<string, SignatureScheme>([
  // rsaEncryption: CMS may name the hash in digestAlgorithm alone (RFC 3370 3.2).
  ['1.2.840.113549.1.1.1', { kind: 'rsa' }],
  ['1.2.840.113549.1.1.11', { kind: 'rsa', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { kind: 'rsa', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { kind: 'rsa', hash: 'sha512' }],
  ['1.2.840.10045.4.3.2', { kind: 'ecdsa', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { kind: 'ecdsa', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { kind: 'ecdsa', hash: 'sha512' }],
  ['1.3.101.112', { kind: 'ed25519' }]
])

const RSASSA_PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'

// The longest salt that fits the largest key that is taken, 8,192 bits.
const SALT_BYTES_MAX = 1_024

/** An AlgorithmIdentifier that comes next. */
export function readAlgorithm(reader: DerReader, what: string): Algorithm {
  const inner = reader.inside(TAG.sequence, what)
  const oid = readOid(inner.value(TAG.oid, what), what)
  if (inner.done) return { oid }
  const parameters = inner.any(what)
  inner.end(what)
  return { oid, parameters }
}

/** The hash function; null for one that does not count (SHA-1 and older, and all that is unknown). */
export function hashOf({ oid }: Algorithm): HashName | null {
  return HASHES.get(oid) ?? null
}

/** The scheme; null for one that does not count. Throws a `DerError` when RSASSA-PSS parameters are broken. */
export function schemeOf(algorithm: Algorithm): SignatureScheme | null {
  return algorithm.oid === RSASSA_PSS ? pssScheme(algorithm.parameters) : (SCHEMES.get(algorithm.oid) ?? null)
}

/** The digest of the bytes. */
export function digestOf(hash: HashName | 'sha1', bytes: Uint8Array): Uint8Array {
  return new Uint8Array(digest(hash, bytes, 'buffer'))
}

/** RSASSA-PSS-params (RFC 4055 3.1). Every default in it means SHA-1, so what counts names its hashes. */
function pssScheme(parameters: DerValue | undefined): SignatureScheme | null {
  const what = 'RSASSA-PSS parameters'
  if (parameters === undefined) return null
  const reader = readWhole(parameters.bytes, TAG.sequence, what)
  const explicit = (number: number): DerReader | null => {
    const field = reader.optional(contextConstructed(number), what)
    return field === undefined ? null : new DerReader(field.content)
  }
  const hashField = explicit(0)
  const maskField = explicit(1)
  const saltField = explicit(2)
  const saltLength = saltField === null ? 20 : readSmall(saltField.value(TAG.integer, what), 0, SALT_BYTES_MAX, what)
  const trailerField = explicit(3)
  if (trailerField !== null) readSmall(trailerField.value(TAG.integer, what), 1, 1, what)
  reader.end(what)
  if (hashField === null || maskField === null) return null
  const hash = hashOf(readAlgorithm(hashField, what))
  const mask = readAlgorithm(maskField, what)
  if (mask.oid !== MGF1 || mask.parameters === undefined) return null
  const maskHash = hashOf(readAlgorithm(new DerReader(mask.parameters.bytes), what))
  // node:crypto and RFC 4055 3.1 (RECOMMENDED) both want one hash for both; other pairs are not met.
  return hash === null || maskHash !== hash ? null : { kind: 'pss', hash, saltLength }
}

/** Throws unless parameters are absent or NULL, as of every algorithm here but RSASSA-PSS. */
export function assertNoParameters({ oid, parameters }: Algorithm, what: string): void {
  if (parameters !== undefined && parameters.tag !== TAG.null) throw new DerError(`${what}: ${oid} with parameters`)
}

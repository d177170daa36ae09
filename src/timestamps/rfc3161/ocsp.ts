import { equalBytes } from '../../../protocols/primitives/bytes.ts'
import { digestOf, hashOf, readAlgorithm } from './algorithms.ts'
import type { HashName } from './algorithms.ts'
import { readSigned } from './certificate.ts'
import type { Certificate, Signed } from './certificate.ts'
import type { Revocation } from './crl.ts'
import { contextConstructed, DerReader, readSmall, readTime, readWhole, TAG } from './der.ts'

/** A BasicOCSPResponse (RFC 6960 4.2.1). Nothing in it has been verified. */
export interface OcspResponse {
  readonly signed: Signed
  /** Milliseconds since 1970. */
  readonly producedAt: number
  readonly answers: readonly OcspAnswer[]
  /** Certificates that came with it, in DER. */
  readonly certificates: readonly Uint8Array[]
}

/** What it says of one certificate. */
export interface OcspAnswer {
  readonly hash: HashName | 'sha1'
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  /** The contents of the INTEGER. */
  readonly serialNumber: Uint8Array
  readonly revocation?: Revocation
}

const SHA_1 = '1.3.14.3.2.26'

// One answer for each certificate of a chain, and one responder with its chain: more than anybody sends.
const ANSWERS_MAX = 32
const CERTIFICATES_MAX = 8

/** Reads one response. Throws a `DerError` on anything else. */
export function readOcspResponse(bytes: Uint8Array): OcspResponse {
  const what = 'OCSP response'
  const outer = readWhole(bytes, TAG.sequence, what)
  const tbs = outer.value(TAG.sequence, what)
  const signed = readSigned(tbs, outer, what)
  const attached = outer.optional(contextConstructed(0), what)
  outer.end(what)
  const body = new DerReader(tbs.content)
  body.optional(contextConstructed(0), what)
  // Who says that it answers (by name or by key) is not needed: the signature shows who did.
  body.any(what)
  const producedAt = readTime(body.value(TAG.generalizedTime, what), what)
  const answers = body.inside(TAG.sequence, what).all(what, ANSWERS_MAX)
  const certificates =
    attached === undefined ? [] : new DerReader(attached.content).inside(TAG.sequence, what).all(what, CERTIFICATES_MAX)
  return {
    signed,
    producedAt,
    answers: answers.map(({ content }) => readAnswer(new DerReader(content))).filter((answer) => answer !== null),
    certificates: certificates.map((certificate) => certificate.bytes)
  }
}

/** Whether the answer is about a certificate of this issuer (RFC 6960 4.1.1). */
export function isAbout(answer: OcspAnswer, certificate: Certificate, issuer: Certificate): boolean {
  const issuerName = new Uint8Array(Buffer.from(issuer.subject, 'latin1'))
  return (
    equalBytes(answer.serialNumber, certificate.serialNumber) &&
    equalBytes(answer.issuerNameHash, digestOf(answer.hash, issuerName)) &&
    equalBytes(answer.issuerKeyHash, digestOf(answer.hash, issuer.keyBits))
  )
}

function readAnswer(reader: DerReader): OcspAnswer | null {
  const what = 'OCSP answer'
  const id = reader.inside(TAG.sequence, what)
  const algorithm = readAlgorithm(id, what)
  const hash: OcspAnswer['hash'] | null = algorithm.oid === SHA_1 ? 'sha1' : hashOf(algorithm)
  const issuerNameHash = id.value(TAG.octetString, what).content
  const issuerKeyHash = id.value(TAG.octetString, what).content
  const serialNumber = id.value(TAG.integer, what).content
  if (hash === null) return null
  const base = { hash, issuerNameHash, issuerKeyHash, serialNumber }
  const revoked = reader.optional(contextConstructed(1), what)
  if (revoked === undefined) return base
  const info = new DerReader(revoked.content)
  const at = readTime(info.value(TAG.generalizedTime, what), what)
  const reasonField = info.optional(contextConstructed(0), what)
  if (reasonField === undefined) return { ...base, revocation: { at } }
  const reason = readSmall(new DerReader(reasonField.content).value(TAG.enumerated, what), 0, 255, what)
  return { ...base, revocation: { at, reason } }
}

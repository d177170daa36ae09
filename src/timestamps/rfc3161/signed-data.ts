import { concat } from '../../../protocols/primitives/bytes.ts'
import { readAlgorithm } from './algorithms.ts'
import type { Algorithm } from './algorithms.ts'
import {
  contextConstructed,
  contextPrimitive,
  DerError,
  DerReader,
  latin1,
  readOid,
  readSmall,
  readWhole,
  TAG
} from './der.ts'
import type { DerValue } from './der.ts'
import { readTstInfo } from './tst-info.ts'
import type { TstInfo } from './tst-info.ts'

/** A TimeStampToken (RFC 3161 2.4.2: a CMS SignedData over a TSTInfo), taken apart. Nothing has been verified. */
export interface Token {
  /** The ContentInfo, byte for byte. */
  readonly bytes: Uint8Array
  /** The TSTInfo's DER. */
  readonly content: Uint8Array
  readonly info: TstInfo
  /** X.509 certificates in DER, in the order in which they stand. */
  readonly certificates: readonly Uint8Array[]
  /** Revocation data in DER, in the order in which it stands. */
  readonly revocation: RevocationData
  readonly signer: SignerInfo
}

export interface RevocationData {
  /** CertificateLists (RFC 5280 5.1). */
  readonly crls: readonly Uint8Array[]
  /** BasicOCSPResponses (RFC 6960 4.2.1). */
  readonly ocsp: readonly Uint8Array[]
}

/** The one SignerInfo (RFC 5652 5.3). */
export interface SignerInfo {
  readonly identifier: SignerIdentifier
  readonly digestAlgorithm: Algorithm
  /** DER of the SET OF signed attributes: what the signature is over (RFC 5652 5.4). */
  readonly signedAttributes: Uint8Array
  /** The values of the signed attributes by type; no type twice. */
  readonly attributes: ReadonlyMap<string, readonly DerValue[]>
  readonly signatureAlgorithm: Algorithm
  readonly signature: Uint8Array
}

export type SignerIdentifier =
  { readonly issuer: string; readonly serialNumber: Uint8Array } | { readonly subjectKeyIdentifier: Uint8Array }

const OID = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  ocspInRevocationInfo: '1.3.6.1.5.5.7.16.2',
  basicOcspResponse: '1.3.6.1.5.5.7.48.1.1',
  revocationValues: '1.2.840.113549.1.9.16.2.24'
} as const

/** The types of the signed attributes that are looked at. */
export const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47'
} as const

/** The content type that a token's signed attribute has to repeat. */
export const TST_INFO = OID.tstInfo

// SPEC TE-3. Chains have two to four certificates, cross-signed ones twice as many.
const CERTIFICATES_MAX = 32
// SPEC TE-3. One list or response for each certificate of a chain, and some that are not needed.
const REVOCATIONS_MAX = 16
// Real tokens have up to ten attributes.
const ATTRIBUTES_MAX = 32

/** Reads exactly one token, in DER. Throws a `DerError` on anything else (SPEC TE-2 to TE-4, TE-7). */
export function readToken(bytes: Uint8Array): Token {
  const contentInfo = readWhole(bytes, TAG.sequence, 'ContentInfo')
  assertOid(contentInfo.value(TAG.oid, 'ContentInfo'), OID.signedData, 'the token is no SignedData')
  const outer = contentInfo.inside(contextConstructed(0), 'ContentInfo')
  contentInfo.end('ContentInfo')
  const signedData = outer.inside(TAG.sequence, 'SignedData')
  outer.end('ContentInfo')

  readSmall(signedData.value(TAG.integer, 'SignedData version'), 0, 5, 'SignedData version')
  signedData.value(TAG.set, 'digestAlgorithms')
  const encapsulated = signedData.inside(TAG.sequence, 'encapContentInfo')
  assertOid(encapsulated.value(TAG.oid, 'eContentType'), OID.tstInfo, 'something else than a TSTInfo is signed')
  const holder = encapsulated.inside(contextConstructed(0), 'eContent')
  encapsulated.end('encapContentInfo')
  const content = holder.value(TAG.octetString, 'eContent').content
  holder.end('eContent')
  const certificates = signedData.optional(contextConstructed(0), 'certificates')
  const crls = signedData.optional(contextConstructed(1), 'crls')
  const signers = signedData.inside(TAG.set, 'signerInfos')
  signedData.end('SignedData')
  // RFC 3161 2.4.2: "the TimeStampToken MUST NOT contain any signatures other than the signature of the TSA".
  const signer = signers.inside(TAG.sequence, 'SignerInfo')
  signers.end('SignerInfo')

  const revocation = { crls: [] as Uint8Array[], ocsp: [] as Uint8Array[] }
  if (crls !== undefined) readRevocationChoices(crls, revocation)
  const signerInfo = readSigner(signer, revocation)
  if (revocation.crls.length + revocation.ocsp.length > REVOCATIONS_MAX) {
    throw new DerError(`revocation data: more than ${REVOCATIONS_MAX}`)
  }
  return {
    bytes,
    content,
    info: readTstInfo(content),
    certificates: certificates === undefined ? [] : readCertificates(certificates),
    revocation,
    signer: signerInfo
  }
}

/** CertificateChoices (RFC 5652 10.2.2): the tagged ones, attribute certificates among them, are of no use here. */
function readCertificates({ content }: DerValue): readonly Uint8Array[] {
  const choices = new DerReader(content).all('certificates', CERTIFICATES_MAX)
  return choices.filter(({ tag }) => tag === TAG.sequence).map(({ bytes }) => bytes)
}

function readSigner(
  reader: DerReader,
  revocation: { readonly crls: Uint8Array[]; readonly ocsp: Uint8Array[] }
): SignerInfo {
  readSmall(reader.value(TAG.integer, 'SignerInfo version'), 1, 3, 'SignerInfo version')
  const identifier = readIdentifier(reader)
  const digestAlgorithm = readAlgorithm(reader, 'digestAlgorithm')
  const signed = new DerReader(reader.value(contextConstructed(0), 'signed attributes').content)
  const attributeValues = signed.all('signed attributes', ATTRIBUTES_MAX)
  const signatureAlgorithm = readAlgorithm(reader, 'signatureAlgorithm')
  const signature = reader.value(TAG.octetString, 'signature').content
  const unsigned = reader.optional(contextConstructed(1), 'unsigned attributes')
  reader.end('SignerInfo')
  if (unsigned !== undefined) {
    const all = readAttributes(new DerReader(unsigned.content).all('unsigned attributes', ATTRIBUTES_MAX))
    for (const value of all.get(OID.revocationValues) ?? []) readRevocationValues(value, revocation)
  }
  return {
    identifier,
    digestAlgorithm,
    signedAttributes: derSetOf(attributeValues.map(({ bytes }) => bytes)),
    attributes: readAttributes(attributeValues),
    signatureAlgorithm,
    signature
  }
}

function readIdentifier(reader: DerReader): SignerIdentifier {
  const what = 'signer identifier'
  const keyIdentifier = reader.optional(contextPrimitive(0), what)
  if (keyIdentifier !== undefined) return { subjectKeyIdentifier: keyIdentifier.content }
  const issuerAndSerial = reader.inside(TAG.sequence, what)
  const issuer = latin1(issuerAndSerial.value(TAG.sequence, what).bytes)
  const serialNumber = issuerAndSerial.value(TAG.integer, what).content
  issuerAndSerial.end(what)
  return { issuer, serialNumber }
}

function readAttributes(values: readonly DerValue[]): ReadonlyMap<string, readonly DerValue[]> {
  const attributes = new Map<string, readonly DerValue[]>()
  for (const { tag, content } of values) {
    if (tag !== TAG.sequence) throw new DerError('attributes: no attribute')
    const reader = new DerReader(content)
    const type = readOid(reader.value(TAG.oid, 'attribute'), 'attribute')
    const inner = reader.inside(TAG.set, 'attribute').all('attribute values', ATTRIBUTES_MAX)
    reader.end('attribute')
    // RFC 5652 5.3: signed attributes have no two of one type; of the unsigned ones nothing hangs on it.
    if (attributes.has(type)) throw new DerError(`attributes: ${type} twice`)
    attributes.set(type, inner)
  }
  return attributes
}

/**
 * DER of a SET OF (X.690 11.6): the encodings in ascending order. Most authorities have them in that order in the token
 * too; RFC 5652 5.4 says that in any case this order is what was signed.
 */
function derSetOf(values: readonly Uint8Array[]): Uint8Array {
  const content = concat(...values.toSorted((left, right) => Buffer.compare(left, right)))
  const { length } = content
  if (length < 0x80) return concat(Uint8Array.of(TAG.set, length), content)
  if (length < 0x100) return concat(Uint8Array.of(TAG.set, 0x81, length), content)
  // A token has at most 64 KiB.
  return concat(Uint8Array.of(TAG.set, 0x82, length >> 8, length & 0xff), content)
}

/** RevocationInfoChoices (RFC 5652 10.2.1): a CertificateList, or [1] with an OCSPResponse (RFC 5940 2.1). */
function readRevocationChoices(
  { content }: DerValue,
  into: { readonly crls: Uint8Array[]; readonly ocsp: Uint8Array[] }
): void {
  for (const { tag, content: inner, bytes } of new DerReader(content).all('crls', REVOCATIONS_MAX)) {
    if (tag === TAG.sequence) into.crls.push(bytes)
    if (tag !== contextConstructed(1)) continue
    const other = new DerReader(inner)
    const format = readOid(other.value(TAG.oid, 'revocation data'), 'revocation data')
    const response = format === OID.ocspInRevocationInfo ? basicResponseOf(other.any('revocation data')) : null
    if (response !== null) into.ocsp.push(response)
  }
}

/** OCSPResponse (RFC 6960 4.2.1): null unless it is successful and holds a BasicOCSPResponse. */
function basicResponseOf({ content }: DerValue): Uint8Array | null {
  const what = 'OCSP response'
  const reader = new DerReader(content)
  const status = readSmall(reader.value(TAG.enumerated, what), 0, 255, what)
  if (status !== 0 || reader.done) return null
  const holder = reader.inside(contextConstructed(0), what).inside(TAG.sequence, what)
  if (readOid(holder.value(TAG.oid, what), what) !== OID.basicOcspResponse) return null
  return holder.value(TAG.octetString, what).content
}

/** RevocationValues (RFC 5126 6.3.4): [0] CertificateLists, [1] BasicOCSPResponses, [2] whatever. */
function readRevocationValues(
  { tag, content }: DerValue,
  into: { readonly crls: Uint8Array[]; readonly ocsp: Uint8Array[] }
): void {
  const what = 'revocation values'
  if (tag !== TAG.sequence) throw new DerError(`${what}: of another type`)
  const reader = new DerReader(content)
  const listed = (number: number): readonly Uint8Array[] => {
    const field = reader.optional(contextConstructed(number), what)
    if (field === undefined) return []
    const list = new DerReader(field.content).inside(TAG.sequence, what)
    return list.all(what, REVOCATIONS_MAX).map(({ bytes }) => bytes)
  }
  into.crls.push(...listed(0))
  into.ocsp.push(...listed(1))
}

function assertOid(value: DerValue, expected: string, detail: string): void {
  if (readOid(value, 'content type') !== expected) throw new DerError(detail)
}

/**
 * The development time-stamping authority without its listener: query bytes in, reply bytes out (RFC 3161). It stamps
 * whatever its clock says with a key that it made itself: for development and tests, it proves nothing about time.
 */
import * as asn1js from 'asn1js'
import {
  Accuracy,
  Attribute,
  ContentInfo,
  EncapsulatedContentInfo,
  id_eContentType_TSTInfo,
  id_sha256,
  id_sha384,
  id_sha512,
  IssuerAndSerialNumber,
  PKIStatus,
  PKIStatusInfo,
  SignedAndUnsignedAttributes,
  SignedData,
  SignerInfo,
  TimeStampReq,
  TimeStampResp,
  TSTInfo
} from 'pkijs'
import { sha256 } from '../../../protocols/primitives/sha256.ts'
import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import { makeDevelopmentCertificates } from './development-certificates.ts'
import type { DevelopmentCertificates } from './development-certificates.ts'
import type { TimestampFailure } from '../rfc3161/failures.ts'
import { derOf, encodeFailure, parseWhole, randomInteger } from './rfc3161.ts'

/** What the authority said to one query. */
export interface AuthorityAnswer {
  /** The DER of the TimeStampResp. */
  readonly reply: Uint8Array<ArrayBuffer>
  /** Absent when a token was granted. */
  readonly refused?: { readonly failure: TimestampFailure; readonly reason: string }
}

/** An authority that answers queries for as long as its process lives; its key is nowhere else. */
export interface DevelopmentAuthority {
  readonly rootCertificatePem: string
  /** Answers a TimeStampReq's bytes. Bad input is a refusal, never an exception. */
  answer(query: Uint8Array): Promise<AuthorityAnswer>
}

/** The one policy: below the enterprise number that RFC 5612 keeps for examples, so that it means nothing anywhere. */
export const DEVELOPMENT_POLICY = '1.3.6.1.4.1.32473.3161.1'

// Longer than any counter could get, and two of 126 random bits never meet (RFC 3161 2.4.2: unique for each token).
const SERIAL_BYTES = 16

// The clock of a developer's machine is rarely further off; nobody may rely on it anyhow.
const ACCURACY_SECONDS = 1

const IMPRINT_BYTES: ReadonlyMap<string, number> = new Map([
  [id_sha256, 32],
  [id_sha384, 48],
  [id_sha512, 64]
])

const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47'
} as const

/**
 * Makes an authority with its own new root. The clock gives each token's genTime, the random port every serial number.
 */
export async function createDevelopmentAuthority(ports: {
  readonly clock: Clock
  readonly random: Random
}): Promise<DevelopmentAuthority> {
  const certificates = await makeDevelopmentCertificates({ nowMs: ports.clock.now(), random: ports.random })
  return {
    rootCertificatePem: certificates.rootCertificatePem,
    answer: async (query) => {
      const read = readQuery(query)
      if (!read.ok) {
        const { failure, reason } = read
        return { reply: refusal(failure, reason), refused: { failure, reason } }
      }
      const info = new TSTInfo({
        version: 1,
        policy: DEVELOPMENT_POLICY,
        messageImprint: read.query.messageImprint,
        serialNumber: randomInteger(ports.random, SERIAL_BYTES),
        genTime: new Date(ports.clock.now()),
        accuracy: new Accuracy({ seconds: ACCURACY_SECONDS }),
        ...(read.query.nonce === undefined ? {} : { nonce: read.query.nonce })
      })
      return { reply: granted(await signToken(info, read.query.certReq === true, certificates)) }
    }
  }
}

/** The reply of an authority that could not answer for reasons of its own. */
export function systemFailureReply(): Uint8Array<ArrayBuffer> {
  return refusal('systemFailure', 'the authority failed')
}

type ReadQuery =
  | { readonly ok: true; readonly query: TimeStampReq }
  | { readonly ok: false; readonly failure: TimestampFailure; readonly reason: string }

/** RFC 3161 2.4.1, with the failure that 2.4.2 gives to each way of going wrong. */
function readQuery(bytes: Uint8Array): ReadQuery {
  let query: TimeStampReq
  try {
    query = new TimeStampReq({ schema: parseWhole(bytes) })
  } catch (error) {
    return { ok: false, failure: 'badDataFormat', reason: `not a TimeStampReq: ${messageOf(error)}` }
  }
  if (query.version !== 1) return { ok: false, failure: 'badRequest', reason: `unknown version ${query.version}` }

  const { hashAlgorithm, hashedMessage } = query.messageImprint
  const imprintBytes = IMPRINT_BYTES.get(hashAlgorithm.algorithmId)
  if (imprintBytes === undefined) {
    return { ok: false, failure: 'badAlg', reason: `${hashAlgorithm.algorithmId} is not SHA-256, SHA-384 or SHA-512` }
  }
  const length = hashedMessage.getValue().byteLength
  if (length !== imprintBytes) {
    return { ok: false, failure: 'badDataFormat', reason: `the imprint has ${length} bytes, not ${imprintBytes}` }
  }
  if (query.reqPolicy !== undefined && query.reqPolicy !== DEVELOPMENT_POLICY) {
    return { ok: false, failure: 'unacceptedPolicy', reason: `the only policy is ${DEVELOPMENT_POLICY}` }
  }
  // An extension that is not recognised, critical or not, forbids a token (RFC 3161 2.4.1); none is recognised here.
  if (query.extensions !== undefined) {
    return { ok: false, failure: 'unacceptedExtension', reason: 'no extension is supported' }
  }
  return { ok: true, query }
}

/** The TimeStampToken: SignedData over the TSTInfo with one signer (RFC 3161 2.4.2, RFC 5652 5). */
async function signToken(
  info: TSTInfo,
  withCertificate: boolean,
  certificates: DevelopmentCertificates
): Promise<ContentInfo> {
  const infoDer = derOf(info.toSchema())
  const content = new EncapsulatedContentInfo({ eContentType: id_eContentType_TSTInfo })
  // Set here, because the constructor would make a constructed OCTET STRING of it, which is BER but not DER.
  content.eContent = new asn1js.OctetString({ valueHex: infoDer })
  const { signingCertificate } = certificates
  const signedData = new SignedData({
    encapContentInfo: content,
    ...(withCertificate ? { certificates: [signingCertificate] } : {}),
    signerInfos: [
      new SignerInfo({
        version: 1,
        sid: new IssuerAndSerialNumber({
          issuer: signingCertificate.issuer,
          serialNumber: signingCertificate.serialNumber
        }),
        signedAttrs: new SignedAndUnsignedAttributes({ type: 0, attributes: signedAttributes(infoDer, certificates) })
      })
    ]
  })
  await signedData.sign(certificates.signingKey, 0, 'SHA-256')
  return new ContentInfo({ contentType: ContentInfo.SIGNED_DATA, content: signedData.toSchema(true) })
}

/** In the order of their encodings, as DER wants a SET OF (X.690 11.6): that is what is signed. */
function signedAttributes(infoDer: Uint8Array, certificates: DevelopmentCertificates): Attribute[] {
  const attributes = [
    new Attribute({
      type: ATTRIBUTE.contentType,
      values: [new asn1js.ObjectIdentifier({ value: id_eContentType_TSTInfo })]
    }),
    new Attribute({
      type: ATTRIBUTE.messageDigest,
      values: [new asn1js.OctetString({ valueHex: sha256(infoDer) })]
    }),
    new Attribute({ type: ATTRIBUTE.signingCertificateV2, values: [signingCertificateV2(certificates)] })
  ]
  return attributes
    .map((attribute) => ({ attribute, der: derOf(attribute.toSchema()) }))
    .toSorted((left, right) => Buffer.compare(left.der, right.der))
    .map(({ attribute }) => attribute)
}

/**
 * SigningCertificateV2 with one ESSCertIDv2 (RFC 5035 3 and 4). The hash algorithm is SHA-256, the DEFAULT, which DER
 * leaves out; the issuer stands in it as a directoryName, `[4]`.
 */
function signingCertificateV2(certificates: DevelopmentCertificates): asn1js.Sequence {
  const { signingCertificate, signingCertificateDer } = certificates
  const hash = new asn1js.OctetString({ valueHex: sha256(signingCertificateDer) })
  const directoryName = new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 4 },
    value: [signingCertificate.issuer.toSchema()]
  })
  const issuerSerial = new asn1js.Sequence({
    value: [new asn1js.Sequence({ value: [directoryName] }), signingCertificate.serialNumber]
  })
  const certificateId = new asn1js.Sequence({ value: [hash, issuerSerial] })
  return new asn1js.Sequence({ value: [new asn1js.Sequence({ value: [certificateId] })] })
}

function granted(timeStampToken: ContentInfo): Uint8Array<ArrayBuffer> {
  return derOf(
    new TimeStampResp({ status: new PKIStatusInfo({ status: PKIStatus.granted }), timeStampToken }).toSchema()
  )
}

function refusal(failure: TimestampFailure, reason: string): Uint8Array<ArrayBuffer> {
  const status = new PKIStatusInfo({
    status: PKIStatus.rejection,
    statusStrings: [new asn1js.Utf8String({ value: reason })],
    failInfo: encodeFailure(failure)
  })
  return derOf(new TimeStampResp({ status }).toSchema())
}

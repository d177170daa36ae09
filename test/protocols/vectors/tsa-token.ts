import {
  algorithm,
  ascending,
  commonName,
  digest,
  explicit,
  integer,
  octets,
  OID,
  oid,
  sequence,
  setOf,
  time,
  tlv
} from './tsa-der.ts'
import type { Made } from './tsa-der.ts'

export interface Info {
  readonly version?: number
  readonly policy?: string
  readonly hash?: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  readonly imprint: Uint8Array
  readonly genTime?: string
  /** Seconds, milliseconds, microseconds; null for none. */
  readonly accuracy?: readonly [number, number, number] | null
  readonly nonce?: number
  readonly extensions?: Buffer
}

/** TSTInfo (RFC 3161 2.4.2). */
export function tstInfo(info: Info): Buffer {
  const { version = 1, policy = '1.3.6.1.4.1.32473.1', hash = 'sha256', imprint, nonce, extensions } = info
  const { genTime = '20260101000000Z', accuracy = [1, 0, 0] } = info
  const parts = accuracy?.map((value, index) => (value === 0 ? Buffer.of() : integer(value, [0x02, 0x80, 0x81][index])))
  return sequence(
    integer(version),
    oid(policy),
    sequence(algorithm(hash), octets(imprint)),
    integer(0x1234),
    time(genTime),
    ...(parts === undefined ? [] : [sequence(...parts)]),
    ...(nonce === undefined ? [] : [integer(nonce)]),
    ...(extensions === undefined ? [] : [explicit(1, extensions)])
  )
}

export interface TokenOptions {
  readonly signer: Made
  readonly certificates?: readonly Made[]
  readonly attributes?: readonly Buffer[]
  readonly reversed?: boolean
  readonly digestAlgorithm?: 'sha1' | 'sha256' | 'sha512'
  readonly crls?: readonly Buffer[]
  readonly contentType?: string
  readonly signers?: number
  readonly breakSignature?: boolean
}

export const attribute = (type: string, value: Buffer): Buffer => sequence(oid(type), setOf(value))
export const contentType = (type: string = OID.tstInfo): Buffer => attribute('1.2.840.113549.1.9.3', oid(type))
export const messageDigest = (content: Uint8Array, hash = 'sha512'): Buffer =>
  attribute('1.2.840.113549.1.9.4', octets(digest(hash, content)))

/** SigningCertificate (version 1) or SigningCertificateV2. */
export function essCertificate(bound: Made, version: 1 | 2 = 2, issuerSerialOf?: Made): Buffer {
  return essAttribute(version, essValue(bound, version, issuerSerialOf))
}

/** The attribute with a value of its own for each certificate, where one is allowed. */
export function essCertificates(...bound: readonly Made[]): Buffer {
  return essAttribute(2, Buffer.concat(ascending(bound.map((one) => essValue(one, 2)))))
}

const essAttribute = (version: 1 | 2, values: Buffer): Buffer =>
  attribute(version === 1 ? '1.2.840.113549.1.9.16.2.12' : '1.2.840.113549.1.9.16.2.47', values)

function essValue(bound: Made, version: 1 | 2, issuerSerialOf?: Made): Buffer {
  const hash = octets(digest(version === 1 ? 'sha1' : 'sha256', bound.der))
  const names =
    issuerSerialOf === undefined
      ? []
      : [sequence(sequence(explicit(4, commonName(issuerSerialOf.issuer))), integer(issuerSerialOf.serial))]
  return sequence(sequence(sequence(hash, ...names)))
}

/** TimeStampToken: SignedData with Ed25519 and SHA-512 (RFC 8419). */
export function token(content: Buffer, options: TokenOptions): Buffer {
  const { signer, certificates = [signer], digestAlgorithm = 'sha512', crls = [], signers = 1 } = options
  const { attributes = [contentType(), messageDigest(content, digestAlgorithm), essCertificate(signer)] } = options
  const sorted = ascending(attributes)
  const signature = signer.key.sign(tlv(0x31, ...sorted))
  if (options.breakSignature === true) signature[40] = (signature[40] ?? 0) ^ 1
  const signerInfo = sequence(
    integer(1),
    sequence(commonName(signer.issuer), integer(signer.serial)),
    algorithm(digestAlgorithm),
    explicit(0, ...(options.reversed === true ? sorted.toReversed() : sorted)),
    algorithm('ed25519'),
    octets(signature)
  )
  const signedData = sequence(
    integer(3),
    setOf(algorithm(digestAlgorithm)),
    sequence(oid(options.contentType ?? OID.tstInfo), explicit(0, octets(content))),
    ...(certificates.length === 0 ? [] : [explicit(0, ...certificates.map(({ der }) => der))]),
    ...(crls.length === 0 ? [] : [explicit(1, ...crls)]),
    tlv(0x31, ...Array.from({ length: signers }, () => signerInfo))
  )
  return sequence(oid(OID.signedData), explicit(0, signedData))
}

/** TimeStampResp. */
export function response(status: number, granted?: Buffer): Buffer {
  return sequence(sequence(integer(status)), ...(granted === undefined ? [] : [granted]))
}

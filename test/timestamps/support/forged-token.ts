import { hash as digest, sign } from 'node:crypto'
import type { KeyLike, SignKeyObjectInput } from 'node:crypto'
import * as asn1js from 'asn1js'
import { Certificate } from 'pkijs'
import { tstInfo } from './openssl-authority.ts'

const OID = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2'
} as const

/** How a token differs from a good one; it is signed after that. */
export interface Forgery {
  readonly key: KeyLike | SignKeyObjectInput
  /** DER. */
  readonly certificate: Uint8Array
  readonly content?: Uint8Array
  /** Those of a good token by default. */
  readonly attributes?: readonly asn1js.Sequence[]
  /** In the order given, rather than in DER's. */
  readonly unsorted?: boolean
  readonly signatureAlgorithm?: string
  /** Null for schemes that have their own, as Ed25519. */
  readonly signatureHash?: string | null
}

/** A TimeStampToken that is signed with `node:crypto`: also what the openssl command refuses to make. */
export function forgeToken(forgery: Forgery): Uint8Array {
  const { key, certificate, content = tstInfo(), signatureAlgorithm = OID.ecdsaWithSha256 } = forgery
  const { signatureHash = 'sha256', attributes = goodAttributes(content, certificate) } = forgery
  const sorted = attributes.toSorted((left, right) => Buffer.compare(der(left), der(right)))
  const signed = der(new asn1js.Set({ value: sorted }))
  const { issuer, serialNumber } = Certificate.fromBER(certificate)
  const signerInfo = new asn1js.Sequence({
    value: [
      new asn1js.Integer({ value: 1 }),
      new asn1js.Sequence({ value: [issuer.toSchema(), serialNumber] }),
      algorithm(OID.sha256),
      tagged(0, forgery.unsorted === true ? attributes : sorted),
      algorithm(signatureAlgorithm),
      new asn1js.OctetString({ valueHex: new Uint8Array(sign(signatureHash, signed, key)) })
    ]
  })
  const signedData = new asn1js.Sequence({
    value: [
      new asn1js.Integer({ value: 3 }),
      new asn1js.Set({ value: [algorithm(OID.sha256)] }),
      new asn1js.Sequence({
        value: [oid(OID.tstInfo), tagged(0, [new asn1js.OctetString({ valueHex: content })])]
      }),
      tagged(0, [asn1js.fromBER(certificate).result]),
      new asn1js.Set({ value: [signerInfo] })
    ]
  })
  return der(new asn1js.Sequence({ value: [oid(OID.signedData), tagged(0, [signedData])] }))
}

/** The signed attributes of a good token. */
export function goodAttributes(content: Uint8Array, certificate: Uint8Array): asn1js.Sequence[] {
  return [contentType(), messageDigest(content), essCertificate({ certificate })]
}

export function contentType(type: string = OID.tstInfo): asn1js.Sequence {
  return attribute(OID.contentType, oid(type))
}

export function messageDigest(content: Uint8Array): asn1js.Sequence {
  return attribute(OID.messageDigest, octets(digest('sha256', content, 'buffer')))
}

export interface EssCertificate {
  readonly certificate: Uint8Array
  readonly version?: 1 | 2
  /** Of the hash, which is SHA-1 in version 1 and in version 2 whatever `algorithm` names. */
  readonly algorithm?: 'sha1' | 'sha256'
  /** The certificate whose issuer and serial number are named. */
  readonly issuerSerialOf?: Uint8Array
  /** The tag of the issuer's name; 4, directoryName, by default. */
  readonly nameTag?: number
}

/** SigningCertificate or SigningCertificateV2 with one entry. */
export function essCertificate(options: EssCertificate): asn1js.Sequence {
  const { certificate, version = 2, algorithm: named, issuerSerialOf, nameTag = 4 } = options
  const hash = octets(digest(version === 1 || named === 'sha1' ? 'sha1' : 'sha256', certificate, 'buffer'))
  const entry: asn1js.AsnType[] = named === undefined ? [hash] : [algorithm(OID[named]), hash]
  if (issuerSerialOf !== undefined) {
    const { issuer, serialNumber } = Certificate.fromBER(issuerSerialOf)
    const names = new asn1js.Sequence({ value: [tagged(nameTag, [issuer.toSchema()])] })
    entry.push(new asn1js.Sequence({ value: [names, serialNumber] }))
  }
  const list = new asn1js.Sequence({ value: [new asn1js.Sequence({ value: entry })] })
  const type = version === 1 ? OID.signingCertificate : OID.signingCertificateV2
  return attribute(type, new asn1js.Sequence({ value: [list] }))
}

export function attribute(type: string, ...values: readonly asn1js.AsnType[]): asn1js.Sequence {
  return new asn1js.Sequence({ value: [oid(type), new asn1js.Set({ value: [...values] })] })
}

function algorithm(value: string): asn1js.Sequence {
  return new asn1js.Sequence({ value: [oid(value)] })
}

function oid(value: string): asn1js.ObjectIdentifier {
  return new asn1js.ObjectIdentifier({ value })
}

function octets(bytes: Uint8Array): asn1js.OctetString {
  return new asn1js.OctetString({ valueHex: new Uint8Array(bytes) })
}

function tagged(tagNumber: number, value: readonly asn1js.AsnType[]): asn1js.Constructed {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [...value] })
}

function der(value: asn1js.AsnType): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value.toBER())
}

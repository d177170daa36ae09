/**
 * The certificates of the development time-stamping authority: a root and a signing certificate under it, both made
 * anew at every start and known to nobody. For development and tests: they prove nothing about time.
 */
import { webcrypto, X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  RelativeDistinguishedNames,
  Time,
  TimeType
} from 'pkijs'
import { toHex } from '../../../protocols/primitives/bytes.ts'
import { sha256 } from '../../../protocols/primitives/sha256.ts'
import type { Random } from '../../platform/random.ts'
import { derOf, randomInteger } from './rfc3161.ts'

/** What the authority signs with, and what its tokens lead to. */
export interface DevelopmentCertificates {
  /** ECDSA P-256, not extractable. */
  readonly signingKey: webcrypto.CryptoKey
  readonly signingCertificate: Certificate
  readonly signingCertificateDer: Uint8Array<ArrayBuffer>
  readonly rootCertificatePem: string
}

// Serial numbers hold at most 20 octets (RFC 5280 4.1.2.2); 16 are unpredictable enough never to meet twice.
const SERIAL_BYTES = 16

// The machines of one developer may disagree about the time a little; a token must not predate its certificate.
const BACKDATED_MS = 60 * 60 * 1000

// Nothing renews these certificates, and development data is looked at for as long as it lies about.
const VALID_MS = 10 * 365 * 24 * 60 * 60 * 1000

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  timeStamping: '1.3.6.1.5.5.7.3.8'
} as const

// KeyUsage (RFC 5280 4.2.1.3) as DER named bit lists.
const KEY_USAGE = {
  certificateAndCrlSign: { bits: 0x06, unusedBits: 1 },
  digitalSignatureAndNonRepudiation: { bits: 0xc0, unusedBits: 6 }
} as const

/**
 * Makes the root and the signing certificate. `nowMs` is the wall-clock time that they become valid at (an hour is
 * taken off). The signing certificate's extended key usage is critical and holds `timeStamping` alone (RFC 3161 2.3).
 */
export async function makeDevelopmentCertificates(options: {
  readonly nowMs: number
  readonly random: Random
}): Promise<DevelopmentCertificates> {
  const rootKeys = await generateKeys()
  const signingKeys = await generateKeys()
  // Roots of two starts have different keys; their names differ too, so that who holds both can tell them apart.
  const mark = toHex(options.random.bytes(4))
  const rootName = nameOf(`Anchormesh development TSA root ${mark}`)

  const root = blankCertificate(options, rootName, rootName)
  await root.subjectPublicKeyInfo.importKey(rootKeys.publicKey)
  const rootKeyIdentifier = keyIdentifierOf(root)
  root.extensions = [
    extension(OID.basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 }).toSchema()),
    keyUsage('certificateAndCrlSign'),
    extension(OID.subjectKeyIdentifier, false, new asn1js.OctetString({ valueHex: rootKeyIdentifier }))
  ]
  await root.sign(rootKeys.privateKey, 'SHA-256')

  const signing = blankCertificate(options, rootName, nameOf(`Anchormesh development TSA ${mark}`))
  await signing.subjectPublicKeyInfo.importKey(signingKeys.publicKey)
  signing.extensions = [
    keyUsage('digitalSignatureAndNonRepudiation'),
    extension(OID.extendedKeyUsage, true, new ExtKeyUsage({ keyPurposes: [OID.timeStamping] }).toSchema()),
    extension(OID.subjectKeyIdentifier, false, new asn1js.OctetString({ valueHex: keyIdentifierOf(signing) })),
    extension(
      OID.authorityKeyIdentifier,
      false,
      new AuthorityKeyIdentifier({ keyIdentifier: new asn1js.OctetString({ valueHex: rootKeyIdentifier }) }).toSchema()
    )
  ]
  await signing.sign(rootKeys.privateKey, 'SHA-256')

  return {
    signingKey: signingKeys.privateKey,
    signingCertificate: signing,
    signingCertificateDer: derOf(signing.toSchema(true)),
    rootCertificatePem: new X509Certificate(derOf(root.toSchema(true))).toString()
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
}

function blankCertificate(
  options: { readonly nowMs: number; readonly random: Random },
  issuer: RelativeDistinguishedNames,
  subject: RelativeDistinguishedNames
): Certificate {
  return new Certificate({
    version: 2,
    serialNumber: randomInteger(options.random, SERIAL_BYTES),
    issuer,
    subject,
    notBefore: certificateTime(options.nowMs - BACKDATED_MS),
    notAfter: certificateTime(options.nowMs + VALID_MS)
  })
}

/** Whole seconds; UTCTime through 2049 and GeneralizedTime from 2050 (RFC 5280 4.1.2.5). */
function certificateTime(ms: number): Time {
  const value = new Date(Math.floor(ms / 1000) * 1000)
  return new Time({ type: value.getUTCFullYear() < 2050 ? TimeType.UTCTime : TimeType.GeneralizedTime, value })
}

function nameOf(commonName: string): RelativeDistinguishedNames {
  return new RelativeDistinguishedNames({
    typesAndValues: [
      new AttributeTypeAndValue({ type: OID.commonName, value: new asn1js.Utf8String({ value: commonName }) })
    ]
  })
}

/** The leftmost 160 bits of the public key's SHA-256 (RFC 7093 2, method 1). */
function keyIdentifierOf(certificate: Certificate): Uint8Array {
  const publicKey = certificate.subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView
  return sha256(publicKey).slice(0, 20)
}

function keyUsage(usage: keyof typeof KEY_USAGE): Extension {
  const { bits, unusedBits } = KEY_USAGE[usage]
  return extension(OID.keyUsage, true, new asn1js.BitString({ valueHex: Uint8Array.of(bits), unusedBits }))
}

function extension(extnID: string, critical: boolean, value: asn1js.AsnType): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() })
}

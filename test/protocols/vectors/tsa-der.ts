import { createHash } from 'node:crypto'
import { keyOf } from './vector-file.ts'
import type { LabelledKey } from './vector-file.ts'

/** DER of what the vectors of tsa-evidence/v1 are made of, written from the RFCs and without the reader. */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content])
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content])
}

/** In the order of X.690 11.6. */
export const ascending = (parts: readonly Uint8Array[]): Uint8Array[] =>
  parts.toSorted((left, right) => Buffer.compare(left, right))

export const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
export const setOf = (...parts: readonly Uint8Array[]): Buffer => tlv(0x31, ...ascending(parts))
export const octets = (bytes: Uint8Array): Buffer => tlv(0x04, bytes)
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer => tlv(0xa0 | number, ...parts)
export const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.of(value ? 0xff : 0))
export const text = (tag: number, value: string): Buffer => tlv(tag, Buffer.from(value))
export const time = (value: string): Buffer => text(0x18, value)

/** An INTEGER of 0 to 2^31 − 1. */
export function integer(value: number, tag = 0x02): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return tlv(tag, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes)
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const arcs = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | (left & 0x7f))
    return digits
  })
  return tlv(0x06, Buffer.from(arcs))
}

export const OID = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  ed25519: '1.3.101.112',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  signedData: '1.2.840.113549.1.7.2',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  codeSigning: '1.3.6.1.5.5.7.3.3'
} as const

export const algorithm = (name: keyof typeof OID): Buffer => sequence(oid(OID[name]))
export const digest = (name: string, bytes: Uint8Array): Buffer => createHash(name).update(bytes).digest()
export const commonName = (name: string): Buffer => sequence(setOf(sequence(oid('2.5.4.3'), text(0x0c, name))))

/** Signed content, the algorithm, and the signature, as certificates and CRLs have them. */
export function signedBy(key: LabelledKey, content: Buffer): Buffer {
  return sequence(content, algorithm('ed25519'), tlv(0x03, Buffer.of(0), key.sign(content)))
}

export interface Made {
  readonly name: string
  readonly key: LabelledKey
  readonly serial: number
  readonly issuer: string
  readonly der: Buffer
}

export interface Wanted {
  readonly issuer?: Made
  /** The label of the key; the name by default. */
  readonly key?: string
  readonly serial?: number
  readonly notBefore?: string
  readonly notAfter?: string
  readonly extensions?: readonly Buffer[]
}

export function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value))
}

export const AUTHORITY: readonly Buffer[] = [
  extension('2.5.29.19', true, sequence(boolean(true))),
  extension('2.5.29.15', true, tlv(0x03, Buffer.of(1, 0x06)))
]
export const purposes = (critical: boolean, ...names: readonly (keyof typeof OID)[]): Buffer =>
  extension('2.5.29.37', critical, sequence(...names.map((name) => oid(OID[name]))))
export const SIGNER: readonly Buffer[] = [
  extension('2.5.29.15', true, tlv(0x03, Buffer.of(7, 0x80))),
  purposes(true, 'timeStamping')
]

/** A certificate of version 3. */
export function certificate(name: string, wanted: Wanted = {}): Made {
  const { notBefore = '20200101000000Z', notAfter = '20300101000000Z', extensions = AUTHORITY, serial = 1 } = wanted
  const key = keyOf(`anchormesh vectors: ${wanted.key ?? name}`)
  const issuer = wanted.issuer?.name ?? name
  const content = sequence(
    explicit(0, integer(2)),
    integer(serial),
    algorithm('ed25519'),
    commonName(issuer),
    sequence(time(notBefore), time(notAfter)),
    commonName(name),
    sequence(algorithm('ed25519'), tlv(0x03, Buffer.of(0), key.publicKey)),
    ...(extensions.length === 0 ? [] : [explicit(3, sequence(...extensions))])
  )
  return { name, key, serial, issuer, der: signedBy(wanted.issuer?.key ?? key, content) }
}

/** A CRL that names one certificate. */
export function crl(issuer: Made, revoked: Made, at: string, reason?: number, key: LabelledKey = issuer.key): Buffer {
  const code = reason === undefined ? [] : [sequence(extension('2.5.29.21', false, integer(reason, 0x0a)))]
  const entry = sequence(integer(revoked.serial), time(at), ...code)
  const content = sequence(
    integer(1),
    algorithm('ed25519'),
    commonName(issuer.name),
    time('20260601000000Z'),
    sequence(entry)
  )
  return signedBy(key, content)
}

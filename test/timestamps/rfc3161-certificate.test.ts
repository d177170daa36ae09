import { describe, expect, it } from 'vitest'
import { CertificateCache } from '../../src/timestamps/rfc3161/certificate-cache.ts'
import { readCertificate } from '../../src/timestamps/rfc3161/certificate.ts'
import { DerError } from '../../src/timestamps/rfc3161/der.ts'
import { describeName } from '../../src/timestamps/rfc3161/names.ts'
import { AUTHORITY, certificate, commonName, extension, octets, tlv } from '../protocols/vectors/tsa-der.ts'

const NULL = tlv(0x05)
const KEY_IDENTIFIER = '2.5.29.14'

/** The outer SEQUENCE with something behind what belongs into it. */
const withMore = (der: Buffer): Buffer => tlv(0x30, der.subarray(der[1] === 0x81 ? 3 : 4), NULL)

describe('a certificate', () => {
  it('holds what was signed, the algorithm and the signature, and nothing else', () => {
    const { der } = certificate('authority')
    expect(readCertificate(der).isAuthority).toBe(true)
    expect(() => readCertificate(withMore(der))).toThrow(DerError)
    expect(new CertificateCache().read(withMore(der))).toBeNull()
  })

  it('has a key identifier that is one value', () => {
    const named = (value: Buffer): Buffer =>
      certificate('authority', { extensions: [...AUTHORITY, extension(KEY_IDENTIFIER, false, value)] }).der
    expect(readCertificate(named(octets(Buffer.of(1)))).subjectKeyIdentifier).toEqual(Uint8Array.of(1))
    expect(() => readCertificate(named(Buffer.concat([octets(Buffer.of(1)), NULL])))).toThrow(DerError)
  })

  it('is kept once it was read, unless it is larger than any real one', () => {
    const cache = new CertificateCache()
    const { der } = certificate('authority')
    expect(cache.read(der)).toBe(cache.read(der))
    const large = certificate('authority', { extensions: [extension('1.2.3.4', false, Buffer.alloc(9_000))] }).der
    expect(cache.read(large)).not.toBeNull()
    expect(cache.read(large)).not.toBe(cache.read(large))
  })
})

it('a name that is cut in the middle of a character can be logged', () => {
  for (const prefix of ['', 'x']) {
    const described = describeName(commonName(prefix + '😀'.repeat(200)).toString('latin1'))
    expect(described.length).toBe(256)
    expect(described.isWellFormed()).toBe(true)
  }
})

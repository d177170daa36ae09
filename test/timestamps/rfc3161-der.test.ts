import * as asn1js from 'asn1js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DerError,
  DerReader,
  readBoolean,
  readInteger,
  readNamedBits,
  readOid,
  readTime,
  readWhole,
  TAG
} from '../../src/timestamps/rfc3161/der.ts'
import type { DerValue } from '../../src/timestamps/rfc3161/der.ts'

const value = (...bytes: readonly number[]): DerValue => new DerReader(Uint8Array.from(bytes)).any('value')
const characters = (tag: number, text: string): DerValue => value(tag, text.length, ...Buffer.from(text))
const refused = (read: () => unknown): void => expect(read).toThrow(DerError)

describe('DER', () => {
  it('reads lengths of any size in their one form', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const der = new Uint8Array(new asn1js.OctetString({ valueHex: new Uint8Array(length).fill(7) }).toBER())
      expect(new DerReader(der).value(TAG.octetString, 'octets').content).toHaveLength(length)
      refused(() => new DerReader(der.slice(0, -1)).any('a byte too few'))
    }
    refused(() => value(0x30, 0x80, 0, 0))
    refused(() => value(0x04, 0x81, 0x01, 7))
    refused(() => value(0x04, 0x82, 0x00, 0x80, ...new Uint8Array(128)))
    refused(() => value(0x04, 0x85, 0, 0, 0, 0, 1, 7))
    refused(() => value(0x1f, 0x81, 0x00, 0))
    refused(() => value(0x04))
  })

  it('reads one value where one is expected, and no more of them than that', () => {
    refused(() => readWhole(Uint8Array.of(0x30, 0, 0), TAG.sequence, 'sequence'))
    refused(() => readWhole(Uint8Array.of(0x31, 0), TAG.sequence, 'sequence'))
    refused(() => new DerReader(Uint8Array.of(5, 0, 5, 0, 5, 0)).all('nulls', 2))
    expect(new DerReader(Uint8Array.of(5, 0, 5, 0)).all('nulls', 2)).toHaveLength(2)
  })

  it('reads integers of any size and sign', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (integer) => {
        const der = new Uint8Array(asn1js.Integer.fromBigInt(integer).toBER())
        expect(readInteger(new DerReader(der).any('integer'), 'integer')).toBe(integer)
      })
    )
    refused(() => readInteger(value(2, 0), 'empty'))
    refused(() => readInteger(value(2, 2, 0x00, 0x7f), 'overlong'))
    refused(() => readInteger(value(2, 2, 0xff, 0x80), 'overlong'))
  })

  it('reads object identifiers', () => {
    for (const oid of [
      '1.2.840.113549.1.7.2',
      '2.5.29.37',
      '0.9.2342.19200300.100.1.25',
      '2.999.18446744073709551616'
    ]) {
      const der = new Uint8Array(new asn1js.ObjectIdentifier({ value: oid }).toBER())
      expect(readOid(new DerReader(der).any('oid'), 'oid')).toBe(oid)
    }
    refused(() => readOid(value(6, 0), 'empty'))
    refused(() => readOid(value(6, 2, 0x2a, 0x80), 'unfinished'))
    refused(() => readOid(value(6, 3, 0x2a, 0x80, 0x01), 'overlong'))
    refused(() => readOid(value(6, 0x81, 129, ...new Uint8Array(129).fill(1)), 'too long'))
  })

  it('reads times as RFC 5280 writes them', () => {
    expect(readTime(characters(TAG.utcTime, '491231235959Z'), 'time')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(readTime(characters(TAG.utcTime, '500101000000Z'), 'time')).toBe(Date.UTC(1950, 0, 1))
    expect(readTime(characters(TAG.generalizedTime, '20500101000000Z'), 'time')).toBe(Date.UTC(2050, 0, 1))
    for (const text of ['4912312359Z', '491231235959', '491231235959+0100', '491331235959Z', '490229000000Z']) {
      refused(() => readTime(characters(TAG.utcTime, text), 'time'))
    }
    for (const text of ['20500101000000', '20500101000000.5Z', '20500132000000Z', '20500101240000Z']) {
      refused(() => readTime(characters(TAG.generalizedTime, text), 'time'))
    }
    refused(() => readTime(characters(TAG.octetString, '20500101000000Z'), 'time'))
  })

  it('reads booleans and named bits', () => {
    expect(readBoolean(value(1, 1, 0xff), 'boolean')).toBe(true)
    expect(readBoolean(value(1, 1, 0), 'boolean')).toBe(false)
    refused(() => readBoolean(value(1, 1, 1), 'boolean'))
    refused(() => readBoolean(value(1, 0), 'boolean'))
    const bits = readNamedBits(value(3, 2, 1, 0x06), 'bits')
    expect([4, 5, 6, 7, 8, 99].filter(bits)).toEqual([5, 6])
    refused(() => readNamedBits(value(3, 0), 'bits'))
    refused(() => readNamedBits(value(3, 2, 8, 0x06), 'bits'))
    refused(() => readNamedBits(value(3, 1, 1), 'bits'))
  })
})

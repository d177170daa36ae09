import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeCanonical, DEPTH_MAX, encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { json } from './json-arbitrary.ts'
import { describeThirdParty } from './third-party.ts'

const codeOf = (bytes: Uint8Array): string => {
  const decoded = decodeCanonical(bytes)
  return decoded.ok ? 'ok' : decoded.code
}

/** JSON text as other writers make it: any order of members, white space, escapes that are not needed. */
const looseText = fc
  .tuple(json, fc.constantFrom('', ' ', '\n'), fc.constantFrom(0, 1, 2))
  .map(([value, space, way]) => {
    const text = JSON.stringify(value)
    if (way === 0) return `${space}${text}`
    if (way === 1) return JSON.stringify(value, null, space)
    // A slash stands only in strings, where it needs no escape.
    return text.replaceAll('/', '\\/')
  })

describe('canonical JSON', () => {
  test('what is written can be read again, and is what canonicalize writes', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = encodeCanonical(value)
        expect(text).toBe(canonicalize(value))
        const decoded = decodeCanonical(utf8(text))
        expect(decoded.ok).toBe(true)
        // Minus zero has the form of zero, so values are compared as text.
        if (decoded.ok) expect(canonicalize(decoded.value)).toBe(text)
      }),
      { numRuns: 2000 }
    )
  })

  test('a text is read exactly if it is the canonical form of its own parse', () => {
    fc.assert(
      fc.property(looseText, (text) => {
        expect(codeOf(utf8(text))).toBe(canonicalize(JSON.parse(text)) === text ? 'ok' : 'NOT_CANONICAL')
      }),
      { numRuns: 2000 }
    )
  })

  test('no change of a character passes unless it makes another canonical text', () => {
    fc.assert(
      fc.property(
        json,
        fc.nat(),
        fc.constantFrom('0', ' ', '"', '\\', '}', ',', '-', 'e', '.', 'a'),
        (value, position, character) => {
          const text = encodeCanonical(value)
          const at = position % text.length
          const changed = (text.slice(0, at) + character + text.slice(at + 1)).toWellFormed()
          const code = codeOf(utf8(changed))
          if (code === 'MALFORMED') expect(() => JSON.parse(changed) as unknown).toThrow(SyntaxError)
          else if (code === 'ok') expect(canonicalize(JSON.parse(changed))).toBe(changed)
          else if (code === 'NOT_CANONICAL') expect(canonicalize(JSON.parse(changed))).not.toBe(changed)
        }
      ),
      { numRuns: 2000 }
    )
  })

  test('any bytes get a verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void codeOf(bytes)),
      { numRuns: 2000 }
    )
  })

  test('deep nesting is refused without exhausting the stack', () => {
    for (const levels of [DEPTH_MAX + 1, 1000, 500_000]) {
      expect(codeOf(utf8('['.repeat(levels) + ']'.repeat(levels)))).toBe('MALFORMED')
      expect(codeOf(utf8('{"a":'.repeat(levels) + '1' + '}'.repeat(levels)))).toBe('MALFORMED')
    }
  })

  test('a long string with many escapes is read', () => {
    const text = JSON.stringify({ a: '"\\\n'.repeat(300_000) })
    expect(codeOf(utf8(text))).toBe('ok')
    expect(codeOf(utf8(`${text} `))).toBe('NOT_CANONICAL')
  })

  test.each([
    ['undefined', undefined],
    ['undefined in an object', { a: undefined }],
    ['undefined in a list', [undefined]],
    ['a hole in a list', Array.from({ length: 1 }).concat(Array(1))],
    ['a function', { a: () => 1 }],
    ['a symbol', [Symbol('a')]],
    ['a big integer', 1n],
    ['not a number', Number.NaN],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['2^53', 2 ** 53],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes', Uint8Array.of(1)],
    ['an object of a class', new URL('did:web:a')],
    ['a toJSON function', { toJSON: () => 1 }],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a name', { '\udc00': 1 }],
    ['33 levels', JSON.parse('['.repeat(33) + ']'.repeat(33)) as unknown]
  ])('%s has no form', (_name, value) => {
    expect(() => encodeCanonical(value)).toThrow(TypeError)
  })

  test('a circle has no form', () => {
    const circle: unknown[] = []
    circle.push(circle)
    expect(() => encodeCanonical(circle)).toThrow(TypeError)
  })
})

describeThirdParty('jcs/cyberphone', (folder) => {
  const names = readdirSync(join(folder, 'input'))

  test('there are files', () => {
    expect(names.length).toBeGreaterThan(0)
  })

  test.each(names)('%s', (name) => {
    const input = JSON.parse(readFileSync(join(folder, 'input', name), 'utf8')) as unknown
    const output = readFileSync(join(folder, 'output', name))
    const outputHex = readFileSync(join(folder, 'outhex', name.replace('.json', '.txt')), 'utf8').replaceAll(/\s/g, '')
    expect(toHex(output)).toBe(outputHex)
    if (name === 'values.json') {
      // It holds 1E30, which RFC 8785 allows and CJ-4 does not.
      expect(canonicalize(input)).toBe(output.toString())
      expect(() => encodeCanonical(input)).toThrow('1e+30')
      expect(codeOf(output)).toBe('NUMBER_NOT_IJSON')
      return
    }
    expect(encodeCanonical(input)).toBe(output.toString())
    expect(decodeCanonical(output)).toEqual({ ok: true, value: input })
  })

  test('the samples of numbers', () => {
    const lines = readFileSync(join(folder, 'es6testfile-1k.txt'), 'utf8').trim().split('\n')
    let within = 0
    for (const line of lines) {
      const [bits = '', text = ''] = line.split(',')
      const value = Buffer.from(bits.padStart(16, '0'), 'hex').readDoubleBE()
      expect(canonicalize(value)).toBe(text)
      if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) {
        within += 1
        expect(encodeCanonical(value)).toBe(text)
        expect(decodeCanonical(utf8(text))).toEqual({ ok: true, value: Object.is(value, -0) ? 0 : value })
      } else {
        expect(() => encodeCanonical(value)).toThrow(TypeError)
        expect(codeOf(utf8(text))).toBe('NUMBER_NOT_IJSON')
      }
    }
    expect(lines.length).toBe(1000)
    expect(within).toBeGreaterThan(100)
  })
})

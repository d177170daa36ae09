import fc from 'fast-check'
import { expect, it } from 'vitest'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { jsonOfAnswer } from '../../src/timestamps/clients/json-answer.ts'

const nested = (depth: number): Uint8Array => utf8('['.repeat(depth) + ']'.repeat(depth))

it('any JSON comes out as it went in', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      expect(jsonOfAnswer(utf8(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)))
    })
  )
})

it('what is no JSON, or no UTF-8, is none', () => {
  expect(jsonOfAnswer(utf8('{'))).toBeUndefined()
  expect(jsonOfAnswer(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined()
})

it('what is nested or cut up beyond all reason is none, without being parsed; brackets in texts do not count', () => {
  expect(jsonOfAnswer(nested(64))).toBeDefined()
  expect(jsonOfAnswer(nested(65))).toBeUndefined()
  expect(jsonOfAnswer(utf8(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`))).toBeUndefined()
  expect(jsonOfAnswer(utf8(`[${'{},'.repeat(131_070)}0]`))).toHaveLength(131_071)
  expect(jsonOfAnswer(utf8(`[${'{},'.repeat(131_072)}0]`))).toBeUndefined()
  const text = `${'['.repeat(100)}\\"${'{'.repeat(100)}\\\\`
  expect(jsonOfAnswer(utf8(`["${text}",[]]`))).toEqual([JSON.parse(`"${text}"`), []])
})

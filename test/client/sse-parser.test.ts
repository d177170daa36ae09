import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SseOverflow, SseParser } from '../../src/client/sse-parser.ts'

const parse = (...pieces: readonly string[]) => {
  const parser = new SseParser(10_000)
  return pieces.flatMap((piece) => parser.push(piece))
}
const datas = (...pieces: readonly string[]): string[] => parse(...pieces).map(({ data }) => data)

describe('a stream of server-sent events', () => {
  test.each([
    ['LF', 'data: a\n\ndata: b\n\n', ['a', 'b']],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['CR', 'data: a\r\rdata: b\r\r', ['a', 'b']],
    ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
    ['comments', ': hello\n\ndata: a\n: between\n\n', ['a']],
    ['several lines', 'data: a\ndata: b\ndata\n\n', ['a\nb\n']],
    ['one space is taken off', 'data:  a\n\ndata:b\n\n', [' a', 'b']],
    ['unknown fields', 'retry: 10\nfoo: bar\ndata: a\n\n', ['a']],
    ['no data, no message', 'event: x\nid: 1\n\n', []],
    ['no end, no message', 'data: a\n', []]
  ])('%s', (_name, text, expected) => {
    expect(datas(text)).toEqual(expected)
  })

  test('an id lasts, an event name does not; an id with NUL is none', () => {
    expect(parse('event: e\nid: 7\ndata: a\n\ndata: b\nid: 8\0\n\n')).toEqual([
      { event: 'e', data: 'a', id: '7' },
      { event: 'message', data: 'b', id: '7' }
    ])
  })

  test('comes out the same in whichever pieces it comes', () => {
    const text = fc
      .array(fc.constantFrom('data: x', 'data', ': c', 'id: 1', 'event: e', 'é', '', '\n', '\r', '\r\n', '\n\n'), {
        maxLength: 60
      })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, fc.array(fc.nat(80), { maxLength: 20 }), (whole, cuts) => {
        const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).toSorted((a, b) => a - b), whole.length]
        const pieces = places.slice(1).map((end, index) => whole.slice(places[index], end))
        expect(parse(...pieces)).toEqual(parse(whole))
        expect(parse(...whole)).toEqual(parse(whole))
      }),
      { numRuns: 300 }
    )
  })

  test('what never ends is not kept for ever', () => {
    const endless = (piece: string) => () => {
      const parser = new SseParser(1_000)
      for (let count = 0; count < 1_000; count += 1) parser.push(piece)
    }
    expect(endless('x'.repeat(10))).toThrow(SseOverflow)
    expect(endless('data: x\n')).toThrow(SseOverflow)
    expect(endless(': comment\n')).not.toThrow()
    expect(endless('data: x\n\n')).not.toThrow()
    expect(endless('\n\r\r\n')).not.toThrow()
  })
})

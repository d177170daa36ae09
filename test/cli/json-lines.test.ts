import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { LINE_BYTES_MAX, readJsonLines } from '../../src/cli/json-lines.ts'
import type { JsonLine } from '../../src/cli/json-lines.ts'

/** The text in pieces of the given lengths, the rest as one. */
async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0
  for (const length of lengths) {
    yield bytes.subarray(start, start + length)
    start += length
  }
  yield bytes.subarray(start)
}

async function read(text: string | Uint8Array, lengths: readonly number[] = []): Promise<JsonLine[]> {
  const lines: JsonLine[] = []
  for await (const line of readJsonLines(inPieces(Buffer.from(text as string), lengths))) lines.push(line)
  return lines
}

describe('JSON Lines', () => {
  test('however the bytes are cut into pieces, the values are the same', async () => {
    const string = fc.string({ unit: 'binary' })
    const { tree: value } = fc.letrec<{ tree: JsonValue; leaf: JsonValue }>((tie) => ({
      tree: fc.oneof({ maxDepth: 3 }, tie('leaf'), fc.array(tie('tree')), fc.dictionary(string, tie('tree'))),
      leaf: fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), string)
    }))
    await fc.assert(
      fc.asyncProperty(fc.array(value), fc.array(fc.nat(20)), fc.boolean(), async (values, lengths, lineFeedAtEnd) => {
        const text = values.map((item) => JSON.stringify(item)).join('\n') + (lineFeedAtEnd ? '\n' : '')
        const lines = await read(text, lengths)
        expect(lines.map((line) => line.value)).toEqual(
          values.map((item) => JSON.parse(JSON.stringify(item)) as unknown)
        )
        expect(lines.map(({ number }) => number)).toEqual(values.map((_, index) => index + 1))
      })
    )
  })

  test('blank lines and CR LF are no matter, and count', async () => {
    expect(await read('\n1\r\n  \n2')).toEqual([
      { number: 2, value: 1 },
      { number: 4, value: 2 }
    ])
  })

  test.each([
    ['{"a":{"b":1,"b":1}}', 'line 1: DUPLICATE_KEY'],
    ['1\n9007199254740993', 'line 2: NUMBER_NOT_IJSON'],
    ['"\\ud800"', 'line 1: LONE_SURROGATE'],
    ['1\n\n{', 'line 3: is not JSON'],
    [Uint8Array.of(0x22, 0xff, 0x22), 'line 1: is not UTF-8']
  ])('%j is refused', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })

  test('a line that never ends is refused while it is read', async () => {
    let given = 0
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        given += 65_536
        yield new Uint8Array(65_536).fill(0x20)
      }
    }
    await expect(readJsonLines(endless()).next()).rejects.toThrow('line 1: is longer than')
    expect(given).toBeLessThanOrEqual(LINE_BYTES_MAX + 65_536)
  })
})

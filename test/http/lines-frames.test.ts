import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { FrameCut, frameOf, readFrames } from '../../src/http/frames.ts'
import { readReceipts } from '../../src/http/lines.ts'
import { LineTooLong, splitLines } from '../../src/platform/lines.ts'
import { json } from '../protocols/json-arbitrary.ts'
import { all } from './support/listeners.ts'

/** The bytes in pieces of these lengths, over and over. */
async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
    const length = lengths[piece % lengths.length] ?? 1
    yield bytes.subarray(at, at + length)
    at += length
  }
}

const pieceLengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

describe('lines', () => {
  it('are the same however they are cut', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'é', ' ', '\r'), maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 10 }), fc.boolean(), pieceLengths, async (lines, ended, lengths) => {
        const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '')
        const read = (await all(splitLines(inPieces(Buffer.from(text), lengths), 100))).map((bytes) =>
          Buffer.from(bytes).toString('utf8')
        )
        const expected = text.split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(read).toEqual(expected)
      })
    )
  })

  it('have a longest length, and one that is longer is not gathered', async () => {
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('ok\n')
      for (;;) yield Buffer.alloc(10, 'x')
    }
    const read: number[] = []
    const failed = (async () => {
      for await (const line of splitLines(endless(), 35)) read.push(line.length)
    })()
    await expect(failed).rejects.toThrow(LineTooLong)
    await expect(failed).rejects.toMatchObject({ line: 2 })
    expect(read).toEqual([2])
  })

  it('hold any receipts, in JSON of any style', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(json, { maxLength: 8 }), pieceLengths, async (receipts, lengths) => {
        const text = receipts
          .map((receipt, index) => ` ${JSON.stringify(receipt)}${index % 2 === 0 ? '\r\n\n' : '\n'}`)
          .join('')
        const read = await all(readReceipts(inPieces(Buffer.from(text), lengths)))
        expect(read.map((receipt) => encodeCanonical(receipt))).toEqual(
          receipts.map((receipt) => encodeCanonical(receipt))
        )
      })
    )
  })
})

describe('frames', () => {
  it('are the same however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }),
        pieceLengths,
        async (wires, lengths) => {
          const stream = Buffer.concat(wires.map((wire) => frameOf(wire)))
          const read = await all(readFrames(inPieces(stream, lengths)))
          expect(read.map((wire) => [...wire])).toEqual(wires.map((wire) => [...wire]))
        }
      )
    )
  })

  it('say where a stream was cut', async () => {
    const stream = Buffer.concat([frameOf(Buffer.from('one')), frameOf(Buffer.from('two'))])
    for (let length = 8; length < stream.length; length += 1) {
      const failed = all(readFrames(inPieces(stream.subarray(0, length), [5])))
      await expect(failed).rejects.toThrow(FrameCut)
      await expect(failed).rejects.toMatchObject({ frame: 2 })
    }
  })

  it('are cut to what shows that they are no event', async () => {
    const stream = Buffer.concat([
      frameOf(Buffer.alloc(49_152, 1)),
      frameOf(Buffer.alloc(300_000, 2)),
      frameOf(Buffer.from('three'))
    ])
    expect((await all(readFrames(inPieces(stream, [40_000, 7])))).map(({ length }) => length)).toEqual([
      49_152, 49_153, 5
    ])
  })

  it('are uint32, big endian, and the bytes', () => {
    expect([...frameOf(new Uint8Array(258).fill(9)).subarray(0, 6)]).toEqual([0, 0, 1, 2, 9, 9])
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import {
  FRAME_BYTES_MAX,
  FrameReader,
  decodeAnswer,
  decodeRequest,
  encodeFrame
} from '../../protocols/signer/v1/codec.ts'
import type { SignerAnswer, SignerRequest } from '../../protocols/signer/v1/codec.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

interface FrameVector {
  readonly description: string
  readonly from: 'node' | 'signer'
  readonly message: SignerRequest | SignerAnswer
  readonly frame: string
  readonly seed?: string
}
interface InvalidVector {
  readonly description: string
  readonly reader: 'node' | 'signer'
  readonly rule: string
  readonly frame: string
}

const vectorsOf = (name: string): readonly unknown[] =>
  (readJson(PROTOCOLS, 'signer', 'v1', 'vectors', name) as { vectors: readonly unknown[] }).vectors
const frames = vectorsOf('frames.json') as readonly FrameVector[]
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

describe('signer/v1', () => {
  test.each(frames)('$description', ({ from, message, frame }) => {
    expect(toHex(encodeFrame(message))).toBe(frame)
    const [payload = new Uint8Array()] = new FrameReader().push(bytesOf(frame)) ?? []
    expect(from === 'node' ? decodeRequest(payload) : decodeAnswer(payload)).toEqual(message)
  })

  test('the signature is that of the key over the request before it', async () => {
    const at = frames.findIndex(({ seed }) => seed !== undefined)
    const [asked, answered] = [frames[at - 1]?.message, frames[at]]
    if (asked?.type !== 'sign') throw new Error('there is no request before it')
    const signer = localSigner(bytesOf(answered?.seed ?? ''))
    const signature = await signer.sign(new Uint8Array(Buffer.from(asked.message, 'base64url')))
    expect(answered?.message).toMatchObject({ signature: Buffer.from(signature).toString('base64url') })
  })

  test.each(vectorsOf('frames-invalid.json') as readonly InvalidVector[])(
    '$description: $rule',
    ({ reader, rule, frame }) => {
      const payloads = new FrameReader().push(bytesOf(frame))
      if (rule === 'SGN-1') expect(payloads).toBeNull()
      else {
        const [payload = new Uint8Array()] = payloads ?? []
        expect(payload.length).toBeGreaterThan(0)
        expect(reader === 'signer' ? decodeRequest(payload) : decodeAnswer(payload)).toBeNull()
      }
    }
  )

  test('frames come out as they went in, however the stream is cut', () => {
    const hello = encodeFrame({ v: 1, type: 'hello' }).subarray(4)
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (sizes, cuts) => {
          const requests = sizes.map(
            (size, at) => ({ type: 'sign', id: at + 1, kid: 'k', message: 'A'.repeat(size * 4) }) as const
          )
          const stream = Buffer.concat(requests.map((request) => encodeFrame(request)))
          const reader = new FrameReader()
          const read: unknown[] = []
          let turn = 0
          for (let at = 0; at < stream.length;) {
            const cut = cuts[turn % cuts.length] ?? 1
            turn += 1
            for (const payload of reader.push(stream.subarray(at, at + cut)) ?? []) read.push(decodeRequest(payload))
            at += cut
          }
          expect(read).toEqual(requests)
        }
      )
    )
    expect(decodeRequest(hello)).toEqual({ v: 1, type: 'hello' })
  })

  test('any bytes are frames, or none; nothing is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const payload of new FrameReader().push(bytes) ?? []) {
          decodeRequest(payload)
          decodeAnswer(payload)
        }
      })
    )
    const longest = new Uint8Array(4)
    new DataView(longest.buffer).setUint32(0, FRAME_BYTES_MAX)
    expect(new FrameReader().push(longest)).toEqual([])
  })
})

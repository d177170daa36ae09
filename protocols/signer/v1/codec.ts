import { z } from 'zod'
import { concat, fromBase64url, toBase64url, utf8 } from '../../primitives/bytes.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'

/** SGN-1: a bundle's page of 1 MiB, which is the largest thing that is signed, in base64url, and room beside it. */
export const FRAME_BYTES_MAX = 2 * 1024 * 1024
/** SGN-7: what one connection may have under way. */
export const IN_FLIGHT_MAX = 64
/** SGN-4: a node has a handful of keys. */
export const KEYS_MAX = 64

const LENGTH_BYTES = 4
// 64 MiB of answers that nobody reads would be a leak; a detail is for a person, and one line.
const DETAIL_CHARS_MAX = 500

const id = z.int().min(1).max(Number.MAX_SAFE_INTEGER)
const bytesOf = (length: number): z.ZodString => z.string().refine((text) => fromBase64url(text)?.length === length)
const kid = z.string().regex(KID_PATTERN)
const keySchema = z.strictObject({
  did: z.string().min(1).max(2_048).exactOptional(),
  kid,
  publicKey: bytesOf(32)
})

const requestSchema = z.discriminatedUnion('type', [
  z.strictObject({ v: z.literal(1), type: z.literal('hello') }),
  z.strictObject({
    type: z.literal('sign'),
    id,
    kid,
    message: z.string().refine((text) => fromBase64url(text) !== null)
  })
])

/** What a signer answers in the place of a signature. */
export const SIGNER_ERRORS = ['bad-request', 'kid-unknown', 'refused', 'busy'] as const

const answerSchema = z.discriminatedUnion('type', [
  z.strictObject({ v: z.literal(1), type: z.literal('hello'), keys: z.array(keySchema).max(KEYS_MAX) }),
  z.strictObject({ type: z.literal('signature'), id, signature: bytesOf(64) }),
  z.strictObject({
    type: z.literal('error'),
    id: id.nullable(),
    code: z.enum(SIGNER_ERRORS),
    detail: z.string().max(DETAIL_CHARS_MAX)
  })
])

export type SignerRequest = z.output<typeof requestSchema>
export type SignerAnswer = z.output<typeof answerSchema>
export type SignerErrorCode = (typeof SIGNER_ERRORS)[number]
/** A key that a signer signs with; `publicKey` is base64url. */
export type SignerKey = z.output<typeof keySchema>

/** The frame of a request or an answer (SGN-1, SGN-2). */
export function encodeFrame(value: SignerRequest | SignerAnswer): Uint8Array {
  const payload = utf8(JSON.stringify(value))
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setUint32(0, payload.length)
  return concat(length, payload)
}

/** The request to sign `message`. */
export function signRequest(requestId: number, keyId: string, message: Uint8Array): SignerRequest {
  return { type: 'sign', id: requestId, kid: keyId, message: toBase64url(message) }
}

/** A request of a frame's payload; `null` for anything else. */
export function decodeRequest(payload: Uint8Array): SignerRequest | null {
  return decode(requestSchema, payload)
}

/** An answer of a frame's payload; `null` for anything else. */
export function decodeAnswer(payload: Uint8Array): SignerAnswer | null {
  return decode(answerSchema, payload)
}

function decode<Value>(schema: z.ZodType<Value>, payload: Uint8Array): Value | null {
  try {
    const parsed = schema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** Puts frames together from what a stream gives. */
export class FrameReader {
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  /** The payloads that are whole now; `null` when a frame is empty or too long, and nothing more can be read. */
  push(chunk: Uint8Array): readonly Uint8Array[] | null {
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    const payloads: Uint8Array[] = []
    for (;;) {
      if (this.#pendingBytes < LENGTH_BYTES) return payloads
      const head = this.#peek(LENGTH_BYTES)
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0)
      if (length === 0 || length > FRAME_BYTES_MAX) return null
      if (this.#pendingBytes < LENGTH_BYTES + length) return payloads
      const all = this.#peek(this.#pendingBytes)
      payloads.push(all.subarray(LENGTH_BYTES, LENGTH_BYTES + length))
      const rest = all.subarray(LENGTH_BYTES + length)
      this.#pending = [rest]
      this.#pendingBytes = rest.length
    }
  }

  /** At least `length` bytes in one piece, which are there. */
  #peek(length: number): Uint8Array {
    const first = this.#pending[0]
    if (first !== undefined && first.length >= length) return first
    const joined = concat(...this.#pending)
    this.#pending = [joined]
    return joined
  }
}

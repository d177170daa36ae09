import fc from 'fast-check'

/** A WebSocket frame as a client sends it, rightly or not (RFC 6455 section 5.2). */
export interface SentFrame {
  readonly fin?: boolean
  /** The three reserved bits. */
  readonly reserved?: number
  readonly opcode: number
  readonly payload: Uint8Array
  readonly isMasked?: boolean
  /** Instead of the payload's own. */
  readonly declaredLength?: bigint
}

/** What a reader does with its WebSocket, and what the node has to do then. */
export interface Deed {
  readonly name: string
  readonly bytes: Uint8Array
  /** `heeded`: goes on; `ended`: the node ends the connection; `unknown`: either, or it waits for the rest. */
  readonly outcome: 'heeded' | 'ended' | 'unknown'
}

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78])

export function frameBytes({
  fin = true,
  reserved = 0,
  opcode,
  payload,
  isMasked = true,
  declaredLength = BigInt(payload.length)
}: SentFrame): Uint8Array {
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const mask = isMasked ? 0x80 : 0
  const header =
    declaredLength < 126n
      ? Buffer.from([first, mask | Number(declaredLength)])
      : declaredLength < 65_536n
        ? Buffer.from([first, mask | 126, 0, 0])
        : Buffer.from([first, mask | 127, 0, 0, 0, 0, 0, 0, 0, 0])
  if (header.length === 4) header.writeUInt16BE(Number(declaredLength), 2)
  if (header.length === 10) header.writeBigUInt64BE(declaredLength, 2)
  if (!isMasked) return Buffer.concat([header, payload])
  return Buffer.concat([header, MASK, payload.map((byte, index) => byte ^ (MASK[index % 4] ?? 0))])
}

/** An application's text or bytes that are taken; a text with more is not. */
const MESSAGE_BYTES_MAX = 1_024
const CONTROL_BYTES_MAX = 125
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const

const bytesOf = (length: number): Uint8Array => Buffer.alloc(length, 0x61)
const near = (bound: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 0, max: bound }), fc.constantFrom(0, 1, bound - 1, bound, bound + 1, 10 * bound, 70_000))

const oneFrame = (name: string, frame: SentFrame, outcome: Deed['outcome']): Deed => ({
  name: `${name} ${frame.payload.length}`,
  bytes: frameBytes(frame),
  outcome
})

const message = fc
  .tuple(fc.constantFrom(TEXT, BINARY), near(MESSAGE_BYTES_MAX))
  .map(([opcode, length]) =>
    oneFrame('message', { opcode, payload: bytesOf(length) }, length > MESSAGE_BYTES_MAX ? 'ended' : 'heeded')
  )

const control = fc
  .tuple(fc.constantFrom(PING, PONG), near(CONTROL_BYTES_MAX))
  .map(([opcode, length]) =>
    oneFrame('control', { opcode, payload: bytesOf(length) }, length > CONTROL_BYTES_MAX ? 'ended' : 'heeded')
  )

const closing = fc
  .tuple(
    fc.option(fc.constantFrom(0, 999, 1000, 1001, 1005, 1006, 1009, 1015, 3000, 5000, 65_535), { nil: null }),
    fc.integer({ min: 0, max: 124 })
  )
  .map(([code, length]) => {
    const payload =
      code === null ? bytesOf(length === 0 ? 0 : 1) : Buffer.from([code >> 8, code & 255, ...bytesOf(length)])
    return oneFrame(`close ${code}`, { opcode: CLOSE, payload }, 'ended')
  })

const fragments = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 2, maxLength: 5 }), fc.boolean())
  .map(([lengths, hasPing]): Deed => {
    const parts = lengths.map((length, index) =>
      frameBytes({
        opcode: index === 0 ? TEXT : CONTINUATION,
        fin: index === lengths.length - 1,
        payload: bytesOf(length)
      })
    )
    // Control frames may come between those of a message.
    if (hasPing) parts.splice(1, 0, frameBytes({ opcode: PING, payload: bytesOf(3) }))
    const whole = lengths.reduce((sum, length) => sum + length, 0)
    const outcome = whole > MESSAGE_BYTES_MAX ? 'ended' : 'heeded'
    return { name: `fragments ${lengths.join('+')}`, bytes: Buffer.concat(parts), outcome }
  })

const broken = fc
  .constantFrom<(readonly [string, Partial<SentFrame> & Pick<SentFrame, 'opcode'>])[]>(
    ['unmasked', { opcode: TEXT, isMasked: false }],
    ['reserved bits', { opcode: TEXT, reserved: 4 }],
    ['reserved bits of a ping', { opcode: PING, reserved: 1 }],
    ['reserved opcode', { opcode: 3 }],
    ['reserved control', { opcode: 11 }],
    ['continuation of nothing', { opcode: CONTINUATION }],
    ['ping in parts', { opcode: PING, fin: false }],
    ['no text', { opcode: TEXT, payload: Buffer.from([0xff, 0xfe, 0xc0]) }],
    ['far too long', { opcode: BINARY, declaredLength: 0x7fff_ffff_ffff_ffffn }],
    ['too long to come', { opcode: TEXT, declaredLength: 1_000_000n }]
  )
  .map(([name, frame]) => oneFrame(name, { payload: bytesOf(5), ...frame }, 'ended'))

const cut = fc
  .tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 5 }))
  .map(([length, kept]): Deed => ({
    name: 'cut off',
    bytes: frameBytes({ opcode: TEXT, payload: bytesOf(length) }).subarray(0, kept),
    outcome: 'unknown'
  }))

const noise = fc
  .uint8Array({ minLength: 1, maxLength: 3_000 })
  .map((bytes): Deed => ({ name: `noise ${bytes.length}`, bytes, outcome: 'unknown' }))

/** What readers do, most of it allowed. */
export const someDeed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: message },
  { weight: 4, arbitrary: control },
  { weight: 3, arbitrary: fragments },
  { weight: 1, arbitrary: closing },
  { weight: 2, arbitrary: broken },
  { weight: 1, arbitrary: cut },
  { weight: 1, arbitrary: noise }
)

/** A ping whose pong shows that the node went on. */
export const lastPing = (mark: string): Uint8Array => frameBytes({ opcode: PING, payload: Buffer.from(mark) })

import { VARINT_BYTES_MAX, valueOfDigits } from '../../negentropy/v1/varint.ts'
import { isNamespace } from '../../event/v1/envelope.ts'
import type { AnsweredChain, Frame, FrameType, Matched, NamedChain, ProbedChain, TaggedPosition } from './frames.ts'
import {
  CHAINS_IN_FRAME_MAX,
  CHAIN_PREFIX_BYTES,
  ERROR_CODES,
  EVENTS_FRAME_BYTES_MAX,
  EVENTS_IN_FRAME_MAX,
  FRAME_BYTES_MAX,
  FRAME_OCTETS,
  ITEM_PREFIX_BYTES,
  MEMBERSHIP_BYTES,
  ROOT_BYTES,
  SALT_BYTES,
  SAMPLES_MAX,
  SKETCH_CHAINS_MAX,
  SKETCH_ENTRY_BYTES,
  TAG_BYTES,
  TEXT_BYTES_MAX,
  TIPS_NAMED_MAX,
  VERSION
} from './frames.ts'

export type FrameDecoding =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false; readonly code: 'bad-frame' | 'too-big'; readonly detail: string }

const TYPES = new Map(Object.entries(FRAME_OCTETS).map(([type, octet]) => [octet, type as FrameType]))
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Thrown and caught in this file alone, so that reading does not ask after each field whether it went well. */
class Refusal extends Error {
  readonly code: 'bad-frame' | 'too-big'

  constructor(code: 'bad-frame' | 'too-big', detail: string) {
    super(detail)
    this.code = code
  }
}

/** The largest frame that may begin with this octet, in bytes (RS-3): to be asked before the rest is read. */
export function frameBytesMax(octet: number): number {
  return octet === FRAME_OCTETS.events ? EVENTS_FRAME_BYTES_MAX : FRAME_BYTES_MAX
}

/**
 * Reads a frame, type and payload, by SPEC RS-3, RS-4, RS-8, RS-12, RS-17 and RS-18. What comes back are views of
 * `bytes`. `too-big` for more than the limits allow, `bad-frame` for anything else that has not exactly the form.
 */
export function decodeFrame(bytes: Uint8Array): FrameDecoding {
  try {
    // [REJECT] RS-3.
    if (bytes.length > frameBytesMax(bytes[0] ?? 0)) throw new Refusal('too-big', `a frame of ${bytes.length} bytes`)
    const reader = new Reader(bytes)
    const frame = readFrame(reader)
    reader.end()
    return { ok: true, frame }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, code: error.code, detail: error.message }
    throw error
  }
}

function readFrame(reader: Reader): Frame {
  const octet = reader.octet()
  const type = TYPES.get(octet)
  // [REJECT] RS-4.
  if (type === undefined) throw new Refusal('bad-frame', `no type ${octet}`)
  switch (type) {
    case 'hello':
      return readHello(reader)
    case 'equal':
      return { type, membership: reader.take(MEMBERSHIP_BYTES) }
    case 'sketch': {
      const membership = reader.take(MEMBERSHIP_BYTES)
      const salt = reader.take(SALT_BYTES)
      return { type, membership, salt, entries: reader.list(SKETCH_ENTRY_BYTES, SKETCH_CHAINS_MAX, entry) }
    }
    case 'tree': {
      const membership = reader.take(MEMBERSHIP_BYTES)
      return { type, membership, salt: reader.take(SALT_BYTES), chains: reader.varint(), message: reader.rest() }
    }
    case 'negentropy':
      return { type, message: reader.rest() }
    case 'chains':
      return { type, more: reader.flag(), matched: readMatched(reader), mine: readMine(reader) }
    case 'answer':
      return { type, more: reader.flag(), chains: reader.list(3, CHAINS_IN_FRAME_MAX, answeredChain) }
    case 'probe':
      return { type, more: reader.flag(), chains: readProbed(reader) }
    case 'events':
      return { type, events: readEvents(reader) }
    case 'done':
      return { type, sent: reader.varint(), notTaken: reader.varint(), left: reader.varint() }
    default: {
      const code = reader.text()
      const known = ERROR_CODES.find((name) => name === code)
      if (known === undefined) throw new Refusal('bad-frame', 'no such error code')
      return { type, code: known, detail: reader.text() }
    }
  }
}

function readHello(reader: Reader): Frame {
  // [REJECT] RS-8.
  if (reader.octet() !== VERSION) throw new Refusal('bad-frame', `version ${VERSION}`)
  const namespace = reader.text()
  if (!isNamespace(namespace)) throw new Refusal('bad-frame', 'no namespace')
  const membership = reader.take(MEMBERSHIP_BYTES)
  return { type: 'hello', namespace, membership, root: reader.take(ROOT_BYTES), chains: reader.varint() }
}

const entry = (reader: Reader): Uint8Array => reader.take(SKETCH_ENTRY_BYTES)

function readMatched(reader: Reader): Matched {
  if (!reader.flag()) return { of: 'sketch', bits: reader.bitmap() }
  const missing = reader.list(ITEM_PREFIX_BYTES, CHAINS_IN_FRAME_MAX, (from) => from.take(ITEM_PREFIX_BYTES))
  return { of: 'tree', missing }
}

function readMine(reader: Reader): readonly NamedChain[] {
  return reader.list(CHAIN_PREFIX_BYTES + 1, CHAINS_IN_FRAME_MAX, (from) => ({
    prefix: from.take(CHAIN_PREFIX_BYTES),
    tips: from.list(1 + TAG_BYTES, TIPS_NAMED_MAX, taggedPosition)
  }))
}

function answeredChain(reader: Reader): AnsweredChain {
  const index = reader.varint()
  return { index, held: reader.bitmap(), tips: reader.list(1 + TAG_BYTES, TIPS_NAMED_MAX, taggedPosition) }
}

function readProbed(reader: Reader): readonly ProbedChain[] {
  let samples = 0
  return reader.list(3, CHAINS_IN_FRAME_MAX, (from) => {
    const index = from.varint()
    const held = from.bitmap()
    const asked = from.list(1 + TAG_BYTES, SAMPLES_MAX - samples, taggedPosition)
    samples += asked.length
    return { index, held, asked }
  })
}

function readEvents(reader: Reader): readonly Uint8Array[] {
  const events = reader.list(2, EVENTS_IN_FRAME_MAX, (from) => from.take(from.varint()))
  // [REJECT] RS-18.
  if (events.some(({ length }) => length === 0)) throw new Refusal('bad-frame', 'an event without bytes')
  if (events.length === 0) throw new Refusal('bad-frame', 'no events')
  return events
}

function taggedPosition(reader: Reader): TaggedPosition {
  const position = reader.varint()
  // [REJECT] RS-4: a position is an integer from 1 (event/v1).
  if (position === 0) throw new Refusal('bad-frame', 'position 0')
  return { position, tag: reader.take(TAG_BYTES) }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  octet(): number {
    return this.take(1)[0] ?? 0
  }

  flag(): boolean {
    const octet = this.octet()
    if (octet > 1) throw new Refusal('bad-frame', `a flag of ${octet}`)
    return octet === 1
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new Refusal('bad-frame', 'it ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at)
  }

  end(): void {
    if (this.#at < this.#bytes.length) throw new Refusal('bad-frame', 'it goes on behind its end')
  }

  varint(): number {
    const from = this.#at
    while (this.octet() >= 0x80) {
      if (this.#at - from >= VARINT_BYTES_MAX) throw new Refusal('bad-frame', 'a varint is too long')
    }
    const digits = this.#bytes.subarray(from, this.#at)
    // The shortest form has no leading zero.
    if (digits[0] === 0x80) throw new Refusal('bad-frame', 'a varint is not in its shortest form')
    const value = valueOfDigits(digits)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal('bad-frame', 'a varint is too large')
    return Number(value)
  }

  text(): string {
    const length = this.varint()
    if (length > TEXT_BYTES_MAX) throw new Refusal('too-big', `a text of ${length} bytes`)
    const bytes = this.take(length)
    try {
      return decoder.decode(bytes)
    } catch {
      throw new Refusal('bad-frame', 'a text is not UTF-8')
    }
  }

  bitmap(): readonly boolean[] {
    const count = this.varint()
    const bytes = this.take(Math.ceil(count / 8))
    const bits = Array.from({ length: count }, (_, index) => (((bytes[index >> 3] ?? 0) >> (index & 7)) & 1) === 1)
    if (count % 8 > 0 && (bytes.at(-1) ?? 0) >> (count % 8) !== 0)
      throw new Refusal('bad-frame', 'an unused bit is set')
    return bits
  }

  /** A list of elements that take at least `bytesMin` each, so that nothing is allocated for what can't be there. */
  list<Element>(bytesMin: number, max: number, read: (reader: Reader) => Element): readonly Element[] {
    const count = this.varint()
    if (count > max) throw new Refusal('too-big', `a list of ${count}`)
    if (count * bytesMin > this.#bytes.length - this.#at) throw new Refusal('bad-frame', 'a list ends too early')
    const elements: Element[] = []
    for (let index = 0; index < count; index += 1) elements.push(read(this))
    return elements
  }
}

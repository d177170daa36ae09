import { encodeVarint } from '../../negentropy/v1/varint.ts'
import { concat, utf8 } from '../../primitives/bytes.ts'
import type { Frame, Matched, TaggedPosition } from './frames.ts'
import { FRAME_OCTETS, TEXT_BYTES_MAX, VERSION } from './frames.ts'

/**
 * The bytes of a frame: its type and payload, without the length that stands before them on the stream (RS-4). What it
 * is given is the writer's own; limits are for who puts a frame together. A detail that is too long is cut.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  return concat(Uint8Array.of(FRAME_OCTETS[frame.type]), ...payloadOf(frame))
}

function payloadOf(frame: Frame): Uint8Array[] {
  switch (frame.type) {
    case 'hello':
      return [
        Uint8Array.of(VERSION),
        ...text(frame.namespace),
        frame.membership,
        frame.root,
        encodeVarint(frame.chains)
      ]
    case 'equal':
      return [frame.membership]
    case 'sketch':
      return [frame.membership, frame.salt, ...list(frame.entries, (entry) => [entry])]
    case 'tree':
      return [frame.membership, frame.salt, encodeVarint(frame.chains), frame.message]
    case 'negentropy':
      return [frame.message]
    case 'chains':
      return [
        flag(frame.more),
        ...matched(frame.matched),
        ...list(frame.mine, ({ prefix, tips }) => [prefix, ...list(tips, tagged)])
      ]
    case 'answer':
      return [
        flag(frame.more),
        ...list(frame.chains, ({ index, held, tips }) => [encodeVarint(index), ...bitmap(held), ...list(tips, tagged)])
      ]
    case 'probe':
      return [
        flag(frame.more),
        ...list(frame.chains, ({ index, held, asked }) => [
          encodeVarint(index),
          ...bitmap(held),
          ...list(asked, tagged)
        ])
      ]
    case 'events':
      return list(frame.events, (event) => [encodeVarint(event.length), event])
    case 'done':
      return [encodeVarint(frame.sent), encodeVarint(frame.notTaken), encodeVarint(frame.left)]
    default:
      return [...text(frame.code), ...text(frame.detail)]
  }
}

function flag(value: boolean): Uint8Array {
  return Uint8Array.of(value ? 1 : 0)
}

function text(value: string): Uint8Array[] {
  let bytes = utf8(value)
  // Cut where a character begins.
  for (let end = TEXT_BYTES_MAX; bytes.length > TEXT_BYTES_MAX; end -= 1) {
    if (((bytes[end] ?? 0) & 0xc0) !== 0x80) bytes = bytes.subarray(0, end)
  }
  return [encodeVarint(bytes.length), bytes]
}

function list<Element>(elements: readonly Element[], encode: (element: Element) => Uint8Array[]): Uint8Array[] {
  return [encodeVarint(elements.length), ...elements.flatMap(encode)]
}

function tagged({ position, tag }: TaggedPosition): Uint8Array[] {
  return [encodeVarint(position), tag]
}

function bitmap(bits: readonly boolean[]): Uint8Array[] {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8))
  for (const [index, bit] of bits.entries()) if (bit) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7))
  return [encodeVarint(bits.length), bytes]
}

function matched(value: Matched): Uint8Array[] {
  return value.of === 'sketch'
    ? [flag(false), ...bitmap(value.bits)]
    : [flag(true), ...list(value.missing, (item) => [item])]
}

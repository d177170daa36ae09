import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeVarint } from '../../protocols/negentropy/v1/varint.ts'
import { concat, utf8 } from '../../protocols/primitives/bytes.ts'
import { decodeFrame, frameBytesMax } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame, TaggedPosition } from '../../protocols/range-sync/v1/frames.ts'
import {
  CHAINS_IN_FRAME_MAX,
  ERROR_CODES,
  EVENTS_IN_FRAME_MAX,
  FRAME_BYTES_MAX,
  FRAME_OCTETS,
  SAMPLES_MAX,
  TIPS_NAMED_MAX
} from '../../protocols/range-sync/v1/frames.ts'

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const count = fc.maxSafeNat()
const position: fc.Arbitrary<TaggedPosition> = fc.record({ position: count.map((n) => n || 1), tag: bytes(12) })
const positions = fc.array(position, { maxLength: 5 })
const bits = fc.array(fc.boolean(), { maxLength: 40 })
const few = <Value>(element: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> => fc.array(element, { maxLength: 5 })

const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    namespace: fc.constantFrom('_trust', 'dao:test', 'a'),
    membership: bytes(16),
    root: bytes(32),
    chains: count
  }),
  fc.record({ type: fc.constant('equal' as const), membership: bytes(16) }),
  fc.record({ type: fc.constant('sketch' as const), membership: bytes(16), salt: bytes(16), entries: few(bytes(5)) }),
  fc.record({
    type: fc.constant('tree' as const),
    membership: bytes(16),
    salt: bytes(16),
    chains: count,
    message: fc.uint8Array()
  }),
  fc.record({ type: fc.constant('negentropy' as const), message: fc.uint8Array() }),
  fc.record({
    type: fc.constant('chains' as const),
    more: fc.boolean(),
    matched: fc.oneof(
      fc.record({ of: fc.constant('sketch' as const), bits }),
      fc.record({ of: fc.constant('tree' as const), missing: few(bytes(12)) })
    ),
    mine: few(fc.record({ prefix: bytes(16), tips: positions }))
  }),
  fc.record({
    type: fc.constant('answer' as const),
    more: fc.boolean(),
    chains: few(fc.record({ index: count, held: bits, tips: positions }))
  }),
  fc.record({
    type: fc.constant('probe' as const),
    more: fc.boolean(),
    chains: few(fc.record({ index: count, held: bits, asked: positions }))
  }),
  fc.record({
    type: fc.constant('events' as const),
    events: fc.array(fc.uint8Array({ minLength: 1 }), { minLength: 1, maxLength: 5 })
  }),
  fc.record({ type: fc.constant('done' as const), sent: count, notTaken: count, left: count }),
  fc.record({
    type: fc.constant('error' as const),
    code: fc.constantFrom(...ERROR_CODES),
    detail: fc.string({ unit: 'grapheme', maxLength: 30 })
  })
)

const refusal = (frame: Uint8Array): string => {
  const decoded = decodeFrame(frame)
  return decoded.ok ? 'taken' : decoded.code
}
const tip: TaggedPosition = { position: 1, tag: new Uint8Array(12) }

describe('a frame', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual({ ok: true, frame })
      })
    )
  })

  test('has one form: what is read from other bytes is written as those bytes', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(255), fc.boolean(), (frame, at, octet, cut) => {
        const mutated = Uint8Array.from(encodeFrame(frame))
        mutated[at % mutated.length] = octet
        const given = cut ? mutated.subarray(0, at % mutated.length) : mutated
        const decoded = decodeFrame(given)
        if (decoded.ok) expect(encodeFrame(decoded.frame)).toEqual(given)
      }),
      { numRuns: 2_000 }
    )
  })

  test('of random bytes is refused or taken, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(['taken', 'bad-frame', 'too-big']).toContain(refusal(random))
      }),
      { numRuns: 2_000 }
    )
  })
})

describe('refused is', () => {
  test('a frame beyond its limit, before anything of it is read', () => {
    expect(frameBytesMax(FRAME_OCTETS.hello)).toBe(FRAME_BYTES_MAX)
    expect(refusal(concat(Uint8Array.of(FRAME_OCTETS.negentropy), new Uint8Array(FRAME_BYTES_MAX)))).toBe('too-big')
    expect(refusal(concat(Uint8Array.of(FRAME_OCTETS.negentropy), new Uint8Array(FRAME_BYTES_MAX - 1)))).toBe('taken')
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['an unknown type', Uint8Array.of(0x0b)],
    ['another version', Uint8Array.of(FRAME_OCTETS.hello, 2)],
    ['a name that is no namespace', concat(Uint8Array.of(FRAME_OCTETS.hello, 1, 3), utf8('NO!'), new Uint8Array(49))],
    ['a varint with a leading zero', Uint8Array.of(FRAME_OCTETS.done, 0x80, 0x01, 0)],
    ['a varint that does not end', Uint8Array.of(FRAME_OCTETS.done, ...Array.from({ length: 12 }, () => 0x81))],
    ['a varint beyond 2^53 − 1', concat(Uint8Array.of(FRAME_OCTETS.done), encodeVarint(2n ** 53n), Uint8Array.of(0))],
    ['a list that the frame can not hold', concat(Uint8Array.of(FRAME_OCTETS.events), encodeVarint(200))],
    ['an unused bit', Uint8Array.of(FRAME_OCTETS.answer, 0, 1, 0, 1, 0b10, 0)],
    ['no events', Uint8Array.of(FRAME_OCTETS.events, 0)],
    ['a flag that is neither 0 nor 1', Uint8Array.of(FRAME_OCTETS.chains, 2)],
    ['bytes behind the end', concat(encodeFrame({ type: 'done', sent: 1, notTaken: 0, left: 0 }), Uint8Array.of(0))],
    ['an unknown error code', concat(Uint8Array.of(FRAME_OCTETS.error, 4), utf8('oops'), Uint8Array.of(0))],
    [
      'position 0',
      encodeFrame({ type: 'probe', more: false, chains: [{ index: 0, held: [], asked: [{ ...tip, position: 0 }] }] })
    ]
  ])('%s', (_, frame) => {
    expect(refusal(frame)).toBe('bad-frame')
  })

  test.each<[string, Frame]>([
    ['more events than a frame may have', { type: 'events', events: events(EVENTS_IN_FRAME_MAX + 1) }],
    [
      'more chains than a frame may name',
      { type: 'answer', more: false, chains: Array.from({ length: CHAINS_IN_FRAME_MAX + 1 }, answered) }
    ],
    [
      'more tips of a chain than may be named',
      { type: 'answer', more: false, chains: [{ index: 0, held: [], tips: tips(TIPS_NAMED_MAX + 1) }] }
    ],
    [
      'more samples than a probe may have',
      {
        type: 'probe',
        more: false,
        chains: [2, SAMPLES_MAX - 1].map((length) => ({ index: 0, held: [], asked: tips(length) }))
      }
    ]
  ])('%s', (_, frame) => {
    expect(refusal(encodeFrame(frame))).toBe('too-big')
  })
})

test('a detail that is too long is cut where a character begins', () => {
  const decoded = decodeFrame(encodeFrame({ type: 'error', code: 'lied', detail: 'ü'.repeat(300) }))
  expect(decoded).toEqual({ ok: true, frame: { type: 'error', code: 'lied', detail: 'ü'.repeat(128) } })
  const odd = decodeFrame(encodeFrame({ type: 'error', code: 'lied', detail: `x${'ü'.repeat(300)}` }))
  expect(odd).toEqual({ ok: true, frame: { type: 'error', code: 'lied', detail: `x${'ü'.repeat(127)}` } })
})

function events(length: number): Uint8Array[] {
  return Array.from({ length }, () => Uint8Array.of(1))
}

function tips(length: number): TaggedPosition[] {
  return Array.from({ length }, () => tip)
}

function answered(): { index: number; held: boolean[]; tips: TaggedPosition[] } {
  return { index: 0, held: [], tips: [] }
}

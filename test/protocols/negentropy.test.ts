import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INFINITY_BOUND } from '../../protocols/negentropy/v1/bound.ts'
import { decodeMessage, encodeMessage } from '../../protocols/negentropy/v1/codec.ts'
import {
  addId,
  addSum,
  EMPTY_FINGERPRINT,
  emptySum,
  fingerprintOf,
  ID_BYTES,
  subtractId,
  subtractSum
} from '../../protocols/negentropy/v1/fingerprint.ts'
import { PackedItems } from '../../protocols/negentropy/v1/items.ts'
import { answer, Initiator, opening } from '../../protocols/negentropy/v1/reconcile.ts'
import type { Range } from '../../protocols/negentropy/v1/reader.ts'
import { encodeVarint, valueOfDigits } from '../../protocols/negentropy/v1/varint.ts'
import { concat, toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { bytesOf, itemsOf, onlyIn, packed, pairs, reconcileAll } from './negentropy-sides.ts'
import { describeThirdParty, readJson } from './third-party.ts'

const vectorsOf = (name: string): unknown =>
  (readJson(PROTOCOLS, 'negentropy/v1/vectors', name) as { vectors: unknown }).vectors

const CODES = [
  'ID_LIST_TOO_LONG',
  'ID_OUTSIDE_RANGE',
  'ID_PREFIX_TOO_LONG',
  'ID_TWICE',
  'IDS_NOT_ASCENDING',
  'INFINITY_WITH_PREFIX',
  'MODE_UNKNOWN',
  'RANGES_NOT_ASCENDING',
  'TIMESTAMP_TOO_LARGE',
  'TRAILING_BYTES',
  'TRUNCATED',
  'VARINT_NOT_MINIMAL',
  'VARINT_TOO_LARGE',
  'VERSION_UNKNOWN'
]

describe('vectors', () => {
  type NamedRange = {
    upper: { timestamp: string; idPrefix: string }
    mode: string
    fingerprint?: string
    ids?: string[]
  }
  type Valid = { description: string; message: string; ranges: NamedRange[]; tail?: string }
  test.each(vectorsOf('messages.json') as readonly Valid[])(
    'message: $description',
    ({ message, ranges, tail = '' }) => {
      const decoding = decodeMessage(bytesOf(message))
      if (!decoding.ok) throw new Error(decoding.detail)
      expect(decoding.ranges.map(named)).toEqual(ranges)
      expect(toHex(encodeMessage(decoding.ranges)) + tail).toBe(message)
    }
  )

  type Invalid = { rule: string; code: string; description: string; message: string }
  const invalid = vectorsOf('messages-invalid.json') as readonly Invalid[]
  test.each(invalid)('$rule $code: $description', ({ code, message }) => {
    expect(decodeMessage(bytesOf(message))).toMatchObject({ ok: false, code })
    const reply = code === 'VERSION_UNKNOWN' ? Uint8Array.of(0x61) : null
    expect(answer(packed([]), bytesOf(message))).toMatchObject({ ok: false, code, reply })
    const initiator = new Initiator(packed([]))
    initiator.start()
    expect(initiator.reconcile(bytesOf(message))).toMatchObject({ ok: false, code, have: [], need: [] })
  })

  test('every code has a vector', () => {
    expect([...new Set(invalid.map(({ code }) => code))].toSorted()).toEqual(CODES.toSorted())
  })

  type Summed = { description: string; ids: string[]; fingerprint: string }
  const fingerprints = vectorsOf('fingerprints.json') as readonly Summed[]
  test.each(fingerprints)('fingerprint: $description', ({ ids, fingerprint }) => {
    const sum = emptySum()
    for (const id of ids) addId(sum, bytesOf(id))
    expect(toHex(fingerprintOf(sum, ids.length))).toBe(fingerprint)
  })

  type Exchange = Record<'initiator' | 'responder' | 'messages' | 'have' | 'need', readonly string[]> &
    Record<'limit' | 'parts' | 'initialParts', number> & { description: string }
  test.each(vectorsOf('exchanges.json') as readonly Exchange[])('exchange: $description', (vector) => {
    const write = { frameBytesMax: vector.limit, splitBuckets: vector.parts }
    const [mine, theirs] = [itemsIn(vector.initiator), itemsIn(vector.responder)]
    const outcome = reconcileAll(mine, theirs, { ...write, initialBuckets: vector.initialParts }, write)
    expect(outcome.messages.map(toHex)).toEqual(vector.messages)
    expect(outcome).toMatchObject({ have: vector.have, need: vector.need })
  })

  function itemsIn(lines: readonly string[]): PackedItems {
    return packed(
      lines.map((line) => {
        const [timestamp = '', id = ''] = line.split(' ')
        return { timestamp: BigInt(timestamp), id: bytesOf(id) }
      })
    )
  }

  function named(range: Range): NamedRange {
    const { timestamp, idPrefix } = range.upper
    const upper = { timestamp: String(timestamp), idPrefix: toHex(idPrefix) }
    if (range.mode === 'skip') return { upper, mode: range.mode }
    if (range.mode === 'fingerprint') return { upper, mode: range.mode, fingerprint: toHex(range.fingerprint) }
    return { upper, mode: range.mode, ids: toHex(range.ids).match(/.{64}/g)?.map(String) ?? [] }
  }
})

describeThirdParty('reconcile/negentropy', (folder) => {
  type Transcript = Record<'itemsA' | 'itemsB', readonly (readonly [number, string])[]> & {
    name: string
    frameSizeLimit: number
    messages: readonly { from: string; hex: string }[]
    have: readonly string[]
    need: readonly string[]
  }
  const { transcripts } = readJson(folder, 'transcripts-dev.json') as { transcripts: readonly Transcript[] }

  test.each(transcripts)('the reference implementation: $name', (transcript) => {
    const sideOf = (rows: Transcript['itemsA']): PackedItems =>
      packed(rows.map(([timestamp, id]) => ({ timestamp: BigInt(timestamp), id: bytesOf(id) })))
    const write = { frameBytesMax: transcript.frameSizeLimit }
    const rounds = { roundsMax: transcript.messages.length }
    const [mine, theirs] = [sideOf(transcript.itemsA), sideOf(transcript.itemsB)]
    const outcome = reconcileAll(mine, theirs, { ...write, ...rounds }, write)
    expect(outcome.messages.map(toHex)).toEqual(transcript.messages.map(({ hex }) => hex))
    expect(outcome).toMatchObject({ have: transcript.have.toSorted(), need: transcript.need.toSorted() })
  })
})

describe('numbers', () => {
  test('varints of up to 64 bits come back, in as few digits as possible', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat({ max: 63 }), (large, shift) => {
        const value = large >> BigInt(shift)
        const digits = encodeVarint(value)
        expect(valueOfDigits(digits)).toBe(value)
        expect(digits.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)))
      })
    )
    for (const value of [-1, 0.5, Number.NaN, 2 ** 53, -1n, 2n ** 64n]) {
      expect(() => encodeVarint(value)).toThrow(RangeError)
    }
  })

  test('sums are those of big integers, and what was added can be taken away', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 })), (ids) => {
        const sum = emptySum()
        for (const id of ids) addId(sum, id)
        const total = ids.reduce((all, id) => all + BigInt(`0x${toHex(id.toReversed())}`), 0n)
        const found = sum.reduceRight((all, limb) => (all << 32n) | BigInt(limb), 0n)
        expect(found).toBe(total % 2n ** 256n)
        const twice = sum.slice()
        addSum(twice, sum)
        subtractSum(twice, sum)
        expect(twice).toEqual(sum)
        for (const id of ids) subtractId(sum, id)
        expect(sum).toEqual(emptySum())
      })
    )
  })
})

describe('items in memory', () => {
  test('fingerprints of all ranges are those of their ids, and searches find what a scan finds', () => {
    const source = itemsOf('packed', 70, 7)
    const items = packed(source)
    for (let begin = 0; begin <= items.count; begin += 1) {
      const sum = emptySum()
      for (let end = begin; end <= items.count; end += 1) {
        expect(items.fingerprint(begin, end)).toEqual(fingerprintOf(sum, end - begin))
        if (end < items.count) addId(sum, items.idAt(end))
      }
    }
    for (const { timestamp, id } of source) {
      const index = items.lowerBound({ timestamp, idPrefix: id }, 0)
      expect(toHex(items.idAt(index))).toBe(toHex(id))
      expect(items.lowerBound({ timestamp, idPrefix: id.subarray(0, 3) }, 0)).toBe(index)
      expect(items.timestampAt(items.lowerBound({ timestamp, idPrefix: new Uint8Array() }, 0))).toBe(timestamp)
    }
    expect(items.lowerBound(INFINITY_BOUND, 0)).toBe(items.count)
  })

  test('what is not in order, twice, or out of range is refused', () => {
    const id = sha256('id')
    const bad: (() => unknown)[] = [
      () =>
        PackedItems.of([
          { timestamp: 1n, id },
          { timestamp: 1n, id }
        ]),
      () => PackedItems.of([{ timestamp: 2n ** 64n - 1n, id }]),
      () => PackedItems.of([{ timestamp: -1n, id }]),
      () => PackedItems.of([{ timestamp: 1n, id: id.subarray(1) }]),
      () => new PackedItems(BigUint64Array.of(2n, 1n), concat(id, id)),
      () => new PackedItems(BigUint64Array.of(1n), concat(id, id)),
      () => new PackedItems(BigUint64Array.of(2n ** 64n - 1n), id),
      () => packed([]).timestampAt(0)
    ]
    for (const make of bad) expect(make).toThrow(RangeError)
    expect(packed([{ timestamp: 2n ** 64n - 2n, id }]).count).toBe(1)
    expect(ID_BYTES).toBe(id.length)
  })
})

describe('reconciliation', () => {
  const frame = fc.oneof(fc.constantFrom(0, 4096), fc.integer({ min: 4096, max: 12_000 }))
  const buckets = fc.oneof(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 2, max: 5000 }))
  const write = fc.record({ frameBytesMax: frame, splitBuckets: buckets })

  test('any two sets: exactly what differs, each id once, no message beyond the frame', () => {
    fc.assert(
      fc.property(pairs, write, write, buckets, ({ mine, theirs }, ours, responder, initialBuckets) => {
        const options = { ...ours, initialBuckets, roundsMax: 10_000 }
        const { messages, have, need } = reconcileAll(packed(mine), packed(theirs), options, responder)
        expect({ have, need }).toEqual({ have: onlyIn(mine, theirs), need: onlyIn(theirs, mine) })
        for (const [index, { length }] of messages.entries()) {
          const limit = index % 2 === 0 ? ours.frameBytesMax : responder.frameBytesMax
          expect(length).toBeLessThanOrEqual(limit === 0 ? length : limit)
        }
      }),
      { numRuns: 300 }
    )
  })

  test('the side that keeps nothing may begin', () => {
    fc.assert(
      fc.property(pairs, write, buckets, ({ mine, theirs }, options, initialBuckets) => {
        const initiator = new Initiator(packed(mine), { ...options, roundsMax: 10_000 })
        const [have, need]: [string[], string[]] = [[], []]
        let message = opening(packed(theirs), { ...options, initialBuckets })
        for (;;) {
          const step = initiator.reconcile(message)
          if (!step.ok) throw new Error(step.code)
          have.push(...step.have.map(toHex))
          need.push(...step.need.map(toHex))
          if (step.next === null) break
          const answered = answer(packed(theirs), step.next, options)
          if (!answered.ok) throw new Error(answered.code)
          message = answered.message
        }
        const found = { have: have.toSorted(), need: need.toSorted() }
        expect(found).toEqual({ have: onlyIn(mine, theirs), need: onlyIn(theirs, mine) })
      })
    )
  })

  test('equal sets take one round, and one byte back', () => {
    const items = packed(itemsOf('equal', 5000, 50))
    const { messages, have, need } = reconcileAll(items, items, { initialBuckets: 200 })
    expect({ have, need, lengths: messages.slice(1).map(({ length }) => length) }).toEqual({
      have: [],
      need: [],
      lengths: [1]
    })
  })

  test('options out of range throw', () => {
    const items = packed([])
    for (const options of [
      { frameBytesMax: 4095 },
      { frameBytesMax: -1 },
      { splitBuckets: 1 },
      { splitBuckets: 2.5 }
    ]) {
      expect(() => answer(items, Uint8Array.of(0x61), options)).toThrow(RangeError)
      expect(() => new Initiator(items, options)).toThrow(RangeError)
    }
    expect(() => new Initiator(items, { initialBuckets: 1 })).toThrow(RangeError)
    expect(() => new Initiator(items, { roundsMax: 0 })).toThrow(RangeError)
  })

  test('NG-20: the closing fingerprint does not hide items from a side that has none there', () => {
    const items = packed(itemsOf('closing', 4000))
    // Fingerprints that differ everywhere, and of no ids at the end: the frame is full before or at each of them.
    for (let count = 1; count < 15; count += 1) {
      const ranges: Range[] = Array.from({ length: count }, (_, index) => ({
        mode: 'fingerprint',
        upper: { timestamp: BigInt(index + 1) * 100_000n, idPrefix: new Uint8Array() },
        fingerprint: new Uint8Array(16)
      }))
      ranges.push({ mode: 'fingerprint', upper: INFINITY_BOUND, fingerprint: EMPTY_FINGERPRINT })
      const answered = answer(items, encodeMessage(ranges), { frameBytesMax: 4096 })
      const decoding = decodeMessage(answered.ok ? answered.message : new Uint8Array())
      const last = decoding.ok ? decoding.ranges.at(-1) : undefined
      if (last?.mode !== 'fingerprint') throw new Error('no fingerprint at the end')
      expect(toHex(last.fingerprint)).not.toBe(toHex(EMPTY_FINGERPRINT))
    }
  })
})

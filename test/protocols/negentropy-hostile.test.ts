import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INFINITY_BOUND } from '../../protocols/negentropy/v1/bound.ts'
import type { Bound } from '../../protocols/negentropy/v1/bound.ts'
import { decodeMessage, encodeMessage } from '../../protocols/negentropy/v1/codec.ts'
import type { SortedItems } from '../../protocols/negentropy/v1/items.ts'
import type { Range } from '../../protocols/negentropy/v1/reader.ts'
import { answer, Initiator } from '../../protocols/negentropy/v1/reconcile.ts'
import type { Reconciliation } from '../../protocols/negentropy/v1/reconcile.ts'
import { encodeVarint } from '../../protocols/negentropy/v1/varint.ts'
import { concat, toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { itemsOf, packed, pairs, reconcileAll } from './negentropy-sides.ts'

const ITEMS = packed(itemsOf('hostile', 2000, 300))

/** Gives a message to both sides. */
function give(message: Uint8Array, items: SortedItems = ITEMS): Reconciliation {
  const answered = answer(items, message, { frameBytesMax: 4096 })
  if (answered.ok) expect(answered.message.length).toBeLessThanOrEqual(4096)
  const initiator = new Initiator(items, { frameBytesMax: 4096 })
  initiator.start()
  const step = initiator.reconcile(message)
  // Both read the same format, whatever else they make of it.
  expect(step.ok || step.code === 'NO_PROGRESS').toBe(answered.ok)
  expect(decodeMessage(message).ok).toBe(answered.ok)
  expect(step.have.length).toBeLessThanOrEqual(items.count)
  expect(step.need.length).toBeLessThanOrEqual(message.length / 32)
  if (step.ok && step.next !== null) expect(step.next.length).toBeLessThanOrEqual(4096)
  return step
}

describe('input from anyone', () => {
  test('random bytes, with and without the version, give a result and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, hasVersion) => {
        give(hasVersion ? concat(Uint8Array.of(0x61), bytes) : bytes)
      }),
      { numRuns: 1000 }
    )
  })

  test('changed, cut, lengthened and joined messages of real exchanges never throw', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }), cut: fc.nat({ max: 40 }) })
    fc.assert(
      fc.property(
        pairs,
        fc.nat(),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        ({ mine, theirs }, which, changes) => {
          const [left, right] = [packed(mine), packed(theirs)]
          const { messages } = reconcileAll(left, right)
          let message = messages[which % messages.length] ?? new Uint8Array()
          for (const { at, byte, cut } of changes) {
            message = message.with(at % message.length, byte)
            give(message.slice(0, Math.max(1, message.length - cut)), left)
            give(concat(message, Uint8Array.of(byte)), right)
          }
        }
      )
    )
  })

  test('a message is whole at the ends of its ranges only', () => {
    const { messages } = reconcileAll(ITEMS, packed(itemsOf('other', 100)))
    for (const message of messages) {
      const ends = new Set<number>()
      for (let end = 0; end <= message.length; end += 1) if (decodeMessage(message.subarray(0, end)).ok) ends.add(end)
      const decoding = decodeMessage(message)
      expect(ends.size).toBe(decoding.ok ? decoding.ranges.length + 1 : 0)
    }
  })

  test('declared lengths take no memory before the bytes are there', () => {
    for (const count of [2n ** 20n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 59n, 2n ** 64n - 1n]) {
      const list = concat(Uint8Array.of(0x61, 0, 0, 2), encodeVarint(count), new Uint8Array(64))
      expect(decodeMessage(list)).toMatchObject({ ok: false, code: 'ID_LIST_TOO_LONG' })
      const prefix = concat(Uint8Array.of(0x61, 5), encodeVarint(count), new Uint8Array(64))
      expect(decodeMessage(prefix)).toMatchObject({ ok: false, code: 'ID_PREFIX_TOO_LONG' })
    }
  })
})

/** Counts what is asked of it. */
class CountedItems implements SortedItems {
  readonly #items: SortedItems
  fingerprints = 0
  searches = 0

  constructor(items: SortedItems) {
    this.#items = items
  }

  get count(): number {
    return this.#items.count
  }

  timestampAt(index: number): bigint {
    return this.#items.timestampAt(index)
  }

  idAt(index: number): Uint8Array {
    return this.#items.idAt(index)
  }

  lowerBound(bound: Bound, from: number): number {
    this.searches += 1
    return this.#items.lowerBound(bound, from)
  }

  fingerprint(begin: number, end: number): Uint8Array {
    this.fingerprints += 1
    return this.#items.fingerprint(begin, end)
  }
}

/** A message of that many fingerprints that fit nothing, a timestamp apart. */
function wrongFingerprints(count: number, seed: string): Uint8Array {
  const wrong = sha256(seed).subarray(0, 16)
  return encodeMessage(
    Array.from({ length: count }, (_, index): Range => {
      const upper = index === count - 1 ? INFINITY_BOUND : { timestamp: BigInt(index + 1), idPrefix: new Uint8Array() }
      return { mode: 'fingerprint', upper, fingerprint: wrong }
    })
  )
}

describe('work', () => {
  test('is one search and one fingerprint a range, and those of the parts that are written', () => {
    for (const count of [1, 100, 20_000]) {
      const items = new CountedItems(ITEMS)
      expect(answer(items, wrongFingerprints(count, 'work')).ok).toBe(true)
      expect(items.searches).toBe(count)
      expect(items.fingerprints).toBeLessThanOrEqual(count + Math.min(count * 16, ITEMS.count / 2))
    }
  })

  test('ends where the frame is full', () => {
    const items = new CountedItems(ITEMS)
    expect(answer(items, wrongFingerprints(20_000, 'work'), { frameBytesMax: 4096 }).ok).toBe(true)
    expect(items.searches).toBeLessThan(4096 / 3)
  })

  test('what follows where the frame is full is still checked', () => {
    const whole = wrongFingerprints(20_000, 'work')
    expect(answer(ITEMS, whole.subarray(0, -1), { frameBytesMax: 4096 })).toMatchObject({
      ok: false,
      code: 'TRUNCATED'
    })
  })
})

describe('peers that make no progress', () => {
  /** Lets a responder answer for ever, and says in which round the initiator has had enough of it. */
  function rounds(answerOf: (round: number, message: Uint8Array) => Uint8Array, options = {}): [number, string] {
    const initiator = new Initiator(ITEMS, options)
    let message = initiator.start()
    for (let round = 1; round <= 1000; round += 1) {
      const step = initiator.reconcile(answerOf(round, message))
      if (!step.ok) return [round, step.code]
      if (step.next === null) return [round, 'finished']
      message = step.next
    }
    return [1000, 'still going']
  }

  test('the same ranges again, one answer or two by turns', () => {
    expect(rounds(() => wrongFingerprints(3, 'same'))).toEqual([2, 'NO_PROGRESS'])
    expect(rounds((round) => wrongFingerprints(3 + (round % 2), 'turns'))).toEqual([3, 'NO_PROGRESS'])
  })

  test('its own message back is no difference, and ends it', () => {
    expect(rounds((_, message) => message)).toEqual([1, 'finished'])
  })

  test('always something new: at the limit of rounds', () => {
    expect(rounds((round) => wrongFingerprints(2 + round, 'new'))).toEqual([32, 'TOO_MANY_ROUNDS'])
    expect(rounds((round) => wrongFingerprints(2 + round, 'new'), { roundsMax: 5 })).toEqual([5, 'TOO_MANY_ROUNDS'])
  })

  test('an id that shows in many rounds is told once', () => {
    const initiator = new Initiator(ITEMS)
    initiator.start()
    const [first, second] = [sha256('first'), sha256('second')]
    const message = (round: number): Uint8Array =>
      encodeMessage([
        { mode: 'ids', upper: { timestamp: 5000n, idPrefix: new Uint8Array() }, ids: concat(first, second) },
        { mode: 'fingerprint', upper: INFINITY_BOUND, fingerprint: sha256(`${round}`).subarray(0, 16) }
      ])
    const steps = [initiator.reconcile(message(1)), initiator.reconcile(message(2))]
    expect(steps[0]?.need.map(toHex)).toEqual([toHex(first), toHex(second)])
    expect(steps[0]?.have.length).toBe(ITEMS.lowerBound({ timestamp: 5000n, idPrefix: new Uint8Array() }, 0))
    expect(steps[1]).toMatchObject({ ok: false, code: 'NO_PROGRESS', have: [], need: [] })
  })

  test('after an error and after the end nothing is taken, and a reconciliation starts once', () => {
    for (const last of [Uint8Array.of(0x61), Uint8Array.of(0x62)]) {
      const initiator = new Initiator(ITEMS)
      initiator.start()
      expect(() => initiator.start()).toThrow('once')
      expect(initiator.reconcile(last).ok).toBe(last[0] === 0x61)
      expect(initiator.reconcile(Uint8Array.of(0x61))).toMatchObject({ ok: false, code: 'NOT_OPEN' })
      expect(() => initiator.start()).toThrow('once')
    }
  })
})

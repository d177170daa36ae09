import fc from 'fast-check'
import type { Item } from '../../protocols/negentropy/v1/bound.ts'
import { PackedItems } from '../../protocols/negentropy/v1/items.ts'
import type { SortedItems } from '../../protocols/negentropy/v1/items.ts'
import type { InitiatorOptions, WriteOptions } from '../../protocols/negentropy/v1/options.ts'
import { answer, Initiator } from '../../protocols/negentropy/v1/reconcile.ts'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'

/** What two sides said to each other, and what the one that began found; ids ascending. */
export interface Outcome {
  readonly messages: readonly Uint8Array[]
  readonly have: readonly string[]
  readonly need: readonly string[]
}

export function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`not hex: ${hex}`)
  return bytes
}

/** Runs a reconciliation to its end. Throws for an error of either side, and for an id that is told twice. */
export function reconcileAll(
  mine: SortedItems,
  theirs: SortedItems,
  options: InitiatorOptions = {},
  responderOptions: WriteOptions = {}
): Outcome {
  const initiator = new Initiator(mine, options)
  const messages: Uint8Array[] = []
  const [have, need]: [string[], string[]] = [[], []]
  let next: Uint8Array | null = initiator.start()
  while (next !== null) {
    const answered = answer(theirs, next, responderOptions)
    if (!answered.ok) throw new Error(`responder: ${answered.code} ${answered.detail}`)
    messages.push(next, answered.message)
    const step = initiator.reconcile(answered.message)
    if (!step.ok) throw new Error(`initiator: ${step.code} ${step.detail}`)
    have.push(...step.have.map(toHex))
    need.push(...step.need.map(toHex))
    next = step.next
  }
  if (new Set(have).size < have.length || new Set(need).size < need.length) throw new Error('an id was told twice')
  return { messages, have: have.toSorted(), need: need.toSorted() }
}

/** The ids of those on the left that are not on the right, ascending. */
export function onlyIn(left: readonly Item[], right: readonly Item[]): string[] {
  const others = new Set(right.map(({ id }) => toHex(id)))
  return left
    .map(({ id }) => toHex(id))
    .filter((id) => !others.has(id))
    .toSorted()
}

/** `count` items; `spread` says how many timestamps they share, `prefix` how many first bytes of their ids are zero. */
export function itemsOf(label: string, count: number, spread = count, prefix = 0): Item[] {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: BigInt(index % spread) * 1000n,
    id: sha256(`${label} ${index}`).fill(0, 0, prefix)
  }))
}

export const packed = (items: readonly Item[]): PackedItems => PackedItems.of(items)

/**
 * Two sets: each item is on one side or both, by a share for the whole pair or, with `isTail`, only past a point, as
 * where one side was away.
 */
export const pairs: fc.Arbitrary<{ readonly mine: Item[]; readonly theirs: Item[] }> = fc
  .record({
    label: fc.nat(),
    count: fc.oneof(fc.nat({ max: 70 }), fc.nat({ max: 900 })),
    spread: fc.constantFrom(1, 2, 40, 1000),
    prefix: fc.constantFrom(0, 0, 4, 29),
    base: fc.constantFrom(0n, 2n ** 31n - 500n, 2n ** 32n - 500n, 2n ** 53n - 500n, 2n ** 63n, 2n ** 64n - 1_000_002n),
    share: fc.record({ mine: fc.constantFrom(0, 5, 128, 250, 256), theirs: fc.constantFrom(0, 5, 128, 250, 256) }),
    from: fc.constantFrom(0, 0.5, 0.9)
  })
  .map(({ label, count, spread, prefix, base, share, from }) => {
    const all = uniqueById(itemsOf(`${label}`, count, spread, prefix)).map(({ timestamp, id }) => ({
      timestamp: timestamp + base,
      id
    }))
    const holds = (side: number, limit: number) => (_: Item, index: number) =>
      index < from * count || (sha256(`${label} ${index}`)[side] ?? 0) < limit
    return { mine: all.filter(holds(0, share.mine)), theirs: all.filter(holds(1, share.theirs)) }
  })

function uniqueById(items: readonly Item[]): Item[] {
  return [...new Map(items.map((item) => [toHex(item.id), item])).values()]
}

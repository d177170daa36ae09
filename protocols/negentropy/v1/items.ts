import { comparePadded, INFINITY_TIMESTAMP } from './bound.ts'
import type { Bound, Item } from './bound.ts'
import { addId, addSum, emptySum, fingerprintOf, ID_BYTES, subtractId, subtractSum, SUM_LIMBS } from './fingerprint.ts'

/**
 * What a reconciliation reads: items in ascending order, by timestamp and then by id (SPEC NG-2). They stay the same
 * from the first message of an initiator to its last; a responder may read others for each message.
 */
export interface SortedItems {
  readonly count: number
  timestampAt(index: number): bigint
  /** 32 bytes, which the caller does not change and which stay as they are. */
  idAt(index: number): Uint8Array
  /** The first index from `from` on whose item is not below the bound; `count` where there is none. */
  lowerBound(bound: Bound, from: number): number
  /** The fingerprint (SPEC NG-13) of the items from `begin` up to, and without, `end`; asked for often. */
  fingerprint(begin: number, end: number): Uint8Array
}

/**
 * Items between two sums that are kept: a fingerprint adds at most 30 ids, some 0.3 µs beside its SHA-256, and the
 * sums take two bytes an item.
 */
const BLOCK_ITEMS = 16

/** Items in memory, packed: 42 bytes each. */
export class PackedItems implements SortedItems {
  readonly count: number
  readonly #timestamps: BigUint64Array
  readonly #ids: Uint8Array
  /** Sum number k is that of the first k · 16 items. */
  readonly #sums: Uint32Array

  /**
   * Takes the arrays over: timestamps, and ids one after the other. Throws `RangeError` unless they are as many of
   * both and in strictly ascending order, no timestamp being 2^64 − 1.
   */
  constructor(timestamps: BigUint64Array, ids: Uint8Array) {
    this.count = timestamps.length
    this.#timestamps = timestamps
    this.#ids = ids
    if (ids.length !== this.count * ID_BYTES) throw new RangeError('timestamps and ids differ in number')
    if (this.count > 0 && timestamps[this.count - 1] === INFINITY_TIMESTAMP) {
      throw new RangeError('2^64 - 1 is no timestamp of an item')
    }
    this.#sums = new Uint32Array((Math.floor(this.count / BLOCK_ITEMS) + 1) * SUM_LIMBS)
    const sum = emptySum()
    for (let index = 0; index < this.count; index += 1) {
      if (index > 0 && !this.#ascendsTo(index)) throw new RangeError(`item ${index} is not above the one before it`)
      if (index % BLOCK_ITEMS === 0) this.#sums.set(sum, (index / BLOCK_ITEMS) * SUM_LIMBS)
      addId(sum, ids, index * ID_BYTES)
    }
    if (this.count % BLOCK_ITEMS === 0) this.#sums.set(sum, (this.count / BLOCK_ITEMS) * SUM_LIMBS)
  }

  /** Items in any order. Throws `RangeError` for an item twice, a timestamp out of range or an id of other length. */
  static of(items: Iterable<Item>): PackedItems {
    const sorted = [...items].sort(compareItems)
    const timestamps = new BigUint64Array(sorted.length)
    const ids = new Uint8Array(sorted.length * ID_BYTES)
    for (const [index, { timestamp, id }] of sorted.entries()) {
      if (timestamp < 0n || timestamp >= INFINITY_TIMESTAMP) throw new RangeError(`no timestamp: ${timestamp}`)
      if (id.length !== ID_BYTES) throw new RangeError(`an id of ${id.length} bytes`)
      timestamps[index] = timestamp
      ids.set(id, index * ID_BYTES)
    }
    return new PackedItems(timestamps, ids)
  }

  timestampAt(index: number): bigint {
    const timestamp = this.#timestamps[index]
    if (timestamp === undefined) throw new RangeError(`no item ${index}`)
    return timestamp
  }

  idAt(index: number): Uint8Array {
    return this.#ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES)
  }

  lowerBound(bound: Bound, from: number): number {
    let low = from
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBelow(middle, bound)) low = middle + 1
      else high = middle
    }
    return low
  }

  fingerprint(begin: number, end: number): Uint8Array {
    const first = Math.floor(begin / BLOCK_ITEMS)
    const last = Math.floor(end / BLOCK_ITEMS)
    const sum = emptySum()
    addSum(sum, this.#sums, last * SUM_LIMBS)
    subtractSum(sum, this.#sums, first * SUM_LIMBS)
    for (let index = last * BLOCK_ITEMS; index < end; index += 1) addId(sum, this.#ids, index * ID_BYTES)
    for (let index = first * BLOCK_ITEMS; index < begin; index += 1) subtractId(sum, this.#ids, index * ID_BYTES)
    return fingerprintOf(sum, end - begin)
  }

  #isBelow(index: number, { timestamp, idPrefix }: Bound): boolean {
    const own = this.timestampAt(index)
    if (own !== timestamp) return own < timestamp
    return this.#compareIds(index, idPrefix, 0, idPrefix.length) < 0
  }

  #ascendsTo(index: number): boolean {
    const [before, after] = [this.timestampAt(index - 1), this.timestampAt(index)]
    if (before !== after) return before < after
    return this.#compareIds(index, this.#ids, (index - 1) * ID_BYTES, ID_BYTES) > 0
  }

  /** Compares the first bytes of an id with as many that stand elsewhere. */
  #compareIds(index: number, bytes: Uint8Array, at: number, length: number): number {
    const start = index * ID_BYTES
    for (let offset = 0; offset < length; offset += 1) {
      const difference = (this.#ids[start + offset] ?? 0) - (bytes[at + offset] ?? 0)
      if (difference !== 0) return difference
    }
    return 0
  }
}

function compareItems(left: Item, right: Item): number {
  if (left.timestamp !== right.timestamp) return left.timestamp < right.timestamp ? -1 : 1
  return comparePadded(left.id, right.id)
}

import { sha256Hex } from '../../primitives/sha256.ts'
import { answerRanges, firstMessage } from './answer.ts'
import { ID_BYTES } from './fingerprint.ts'
import type { SortedItems } from './items.ts'
import { BUCKETS_MIN, checkInteger, ROUNDS_MAX, writeLimits } from './options.ts'
import type { InitiatorOptions, OpeningOptions, WriteLimits, WriteOptions } from './options.ts'
import { idKey } from './reader.ts'
import type { MessageCode } from './reader.ts'
import { VERSION_BYTE } from './writer.ts'

/** Length of a message of version 1 that says nothing: its first byte. */
const SILENCE_BYTES = 1

export type ResponderAnswer =
  | { readonly ok: true; readonly message: Uint8Array }
  | {
      readonly ok: false
      readonly code: MessageCode
      readonly detail: string
      /** What to send all the same: after `VERSION_UNKNOWN` the version that is spoken here, else null. */
      readonly reply: Uint8Array | null
    }

/**
 * Answers one message of an initiator (SPEC NG-14 to NG-20), never with an exception for what it says, and keeps
 * nothing for the next. Without a frame limit the answer may hold every id there is. Throws `RangeError` for options
 * out of range.
 */
export function answer(items: SortedItems, message: Uint8Array, options: WriteOptions = {}): ResponderAnswer {
  const answering = answerRanges(items, message, writeLimits(options), null)
  if (answering.ok) return answering
  const reply = answering.code === 'VERSION_UNKNOWN' ? Uint8Array.of(VERSION_BYTE) : null
  return { ...answering, reply }
}

/**
 * The first message over all items (SPEC NG-14), for a side that keeps nothing and answers with `answer` from then
 * on. Throws `RangeError` for options out of range.
 */
export function opening(items: SortedItems, options: OpeningOptions = {}): Uint8Array {
  const { initialBuckets, ...write } = options
  const first = initialBuckets === undefined ? write : { ...write, splitBuckets: initialBuckets }
  return firstMessage(items, writeLimits(first).buckets)
}

/** Why a reconciliation ended before its end. */
export type ReconcileCode = MessageCode | 'NO_PROGRESS' | 'TOO_MANY_ROUNDS' | 'NOT_OPEN'

/** Ids that one message of the responder showed; no id is told twice. */
interface Found {
  /** Ids that only this side has; 32 bytes each, not to be changed. */
  readonly have: readonly Uint8Array[]
  /** Ids that only the other side has, by what it says; 32 bytes each. */
  readonly need: readonly Uint8Array[]
}

export type Reconciliation =
  /** `next` is the message to send; null where all is known. */
  | ({ readonly ok: true; readonly next: Uint8Array | null } & Found)
  /** What was found may still be used; the reconciliation is over. */
  | ({ readonly ok: false; readonly code: ReconcileCode; readonly detail: string } & Found)

const NOTHING: Found = { have: [], need: [] }

/**
 * The side that comes to know what differs: `start`, unless the other side begins (`opening`), then `reconcile` with
 * each of its messages until `next` is null or it is not ok (SPEC NG-14, NG-15, NG-21, NG-22).
 */
export class Initiator {
  readonly #items: SortedItems
  readonly #limits: WriteLimits
  readonly #options: OpeningOptions
  readonly #roundsMax: number
  /** Hashes of what was sent: an honest responder answers the same to the same, so a repetition would never end. */
  readonly #sent = new Set<string>()
  /** One bit for each own item that was told; parts of the order may be compared again after a full frame. */
  readonly #toldHave: Uint8Array
  readonly #toldNeed = new Set<string>()
  #isOpen = true

  /** Throws `RangeError` for options out of range. */
  constructor(items: SortedItems, options: InitiatorOptions = {}) {
    const { roundsMax = ROUNDS_MAX, ...rest } = options
    checkInteger('roundsMax', roundsMax, 1)
    checkInteger('initialBuckets', rest.initialBuckets ?? BUCKETS_MIN, BUCKETS_MIN)
    this.#items = items
    this.#limits = writeLimits(rest)
    this.#options = rest
    this.#roundsMax = roundsMax
    this.#toldHave = new Uint8Array(Math.ceil(items.count / 8))
  }

  /** The first message. Throws `Error` where messages went before. */
  start(): Uint8Array {
    if (this.#sent.size > 0 || !this.#isOpen) throw new Error('a reconciliation starts once')
    const message = opening(this.#items, this.#options)
    this.#sent.add(sha256Hex(message))
    return message
  }

  /**
   * Takes an answer. Codes: those of messages; `TOO_MANY_ROUNDS` where one more message would be beyond `roundsMax`;
   * `NO_PROGRESS` where it would be one that was sent before; `NOT_OPEN` after the end or an error.
   */
  reconcile(message: Uint8Array): Reconciliation {
    if (!this.#isOpen) return { ok: false, code: 'NOT_OPEN', detail: 'it is over', ...NOTHING }
    this.#isOpen = false
    const found = { have: [] as Uint8Array[], need: [] as Uint8Array[] }
    const answering = answerRanges(this.#items, message, this.#limits, (ids, begin, end) => {
      this.#compare(ids, begin, end, found)
    })
    if (!answering.ok) return { ...answering, ...NOTHING }
    const next = answering.message
    if (next.length === SILENCE_BYTES) return { ok: true, next: null, ...found }
    const hash = sha256Hex(next)
    if (this.#sent.has(hash)) return { ok: false, code: 'NO_PROGRESS', detail: 'the same ranges again', ...found }
    if (this.#sent.size >= this.#roundsMax) {
      return { ok: false, code: 'TOO_MANY_ROUNDS', detail: `${this.#sent.size} rounds`, ...found }
    }
    this.#sent.add(hash)
    this.#isOpen = true
    return { ok: true, next, ...found }
  }

  #compare(ids: Uint8Array, begin: number, end: number, found: { have: Uint8Array[]; need: Uint8Array[] }): void {
    const theirs = new Map<string, number>()
    for (let at = 0; at < ids.length; at += ID_BYTES) theirs.set(idKey(ids, at), at)
    for (let index = begin; index < end; index += 1) {
      const id = this.#items.idAt(index)
      if (!theirs.delete(idKey(id)) && this.#isFirst(index)) found.have.push(id)
    }
    for (const [key, at] of theirs) {
      if (this.#toldNeed.has(key)) continue
      this.#toldNeed.add(key)
      // A copy, or one id would hold the memory of its whole message.
      found.need.push(ids.slice(at, at + ID_BYTES))
    }
  }

  /** Whether the own item was not told before; now it is. */
  #isFirst(index: number): boolean {
    const bit = 1 << (index & 7)
    const byte = this.#toldHave[index >>> 3] ?? 0
    this.#toldHave[index >>> 3] = byte | bit
    return (byte & bit) === 0
  }
}

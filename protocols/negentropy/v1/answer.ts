import { equalBytes } from '../../primitives/bytes.ts'
import { boundBetween, INFINITY_BOUND } from './bound.ts'
import type { Bound, Item } from './bound.ts'
import { EMPTY_FINGERPRINT, ID_BYTES } from './fingerprint.ts'
import type { SortedItems } from './items.ts'
import { LIST_ITEMS_BELOW } from './options.ts'
import type { WriteLimits } from './options.ts'
import { MessageReader } from './reader.ts'
import type { MessageFailure } from './reader.ts'
import { MessageWriter } from './writer.ts'

/** A run of own items that a range covers, and where the range ends. */
interface Run {
  readonly begin: number
  readonly end: number
  readonly upper: Bound
}

/** Is given each list of the other side with the own items in its range; who takes lists does not answer them. */
export type TakeList = (ids: Uint8Array, begin: number, end: number) => void

export type Answering = { readonly ok: true; readonly message: Uint8Array } | ({ readonly ok: false } & MessageFailure)

/**
 * Answers a message range by range (SPEC NG-14 to NG-20). Lists are answered with lists, unless `takeList` takes
 * them: that is all in which the two sides differ.
 */
export function answerRanges(
  items: SortedItems,
  message: Uint8Array,
  limits: WriteLimits,
  takeList: TakeList | null
): Answering {
  const reader = new MessageReader(message)
  const answer = new AnswerWriter(items, limits)
  let begin = 0
  for (let range = reader.next(); range !== null; range = reader.next()) {
    // What is left once the frame is full is read for its form only.
    if (answer.isClosed) continue
    const { upper } = range
    const run = { begin, end: items.lowerBound(upper, begin), upper }
    if (range.mode === 'fingerprint') answer.toFingerprint(run, range.fingerprint)
    else if (range.mode === 'skip') answer.toNothing(run)
    else if (takeList === null) answer.toList(run)
    else {
      takeList(range.ids, run.begin, run.end)
      answer.toNothing(run)
    }
    begin = run.end
  }
  return reader.failure === null ? { ok: true, message: answer.message() } : { ok: false, ...reader.failure }
}

/**
 * Writes what one side says of a range: its ids where they are few, else fingerprints of as many parts as `buckets`
 * says (SPEC NG-16, NG-17).
 */
export function splitRun(items: SortedItems, { begin, end, upper }: Run, buckets: number, writer: MessageWriter): void {
  const count = end - begin
  if (count < LIST_ITEMS_BELOW) {
    writeIds(items, { begin, end, upper }, writer)
    return
  }
  const parts = Math.min(buckets, Math.floor(count / 2))
  const size = Math.floor(count / parts)
  let from = begin
  for (let part = 0; part < parts; part += 1) {
    const to = from + size + (part < count % parts ? 1 : 0)
    const bound = to === end ? upper : boundBetween(itemAt(items, to - 1), itemAt(items, to))
    writer.fingerprint(bound, items.fingerprint(from, to))
    from = to
  }
}

class AnswerWriter {
  readonly #items: SortedItems
  readonly #limits: WriteLimits
  readonly #writer = new MessageWriter()
  /** How far the message goes: the end of the last range that was written, and the own items below it. */
  #writtenItems = 0
  /** End of the ranges since then that need no answer; null where there is none. */
  #skipped: Bound | null = null
  #isClosed = false

  constructor(items: SortedItems, limits: WriteLimits) {
    this.#items = items
    this.#limits = limits
  }

  /** Whether the frame is full, and what is left is covered by one fingerprint. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  message(): Uint8Array {
    return this.#writer.message()
  }

  toNothing({ upper }: Run): void {
    this.#skipped = upper
  }

  toFingerprint(run: Run, theirs: Uint8Array): void {
    if (equalBytes(theirs, this.#items.fingerprint(run.begin, run.end))) {
      this.toNothing(run)
      return
    }
    const before = this.#writer.length
    this.#writeSkipped()
    splitRun(this.#items, run, this.#limits.buckets, this.#writer)
    if (this.#writer.length > this.#limits.bytesMax) {
      this.#writer.backTo(before)
      // SPEC NG-20: a fingerprint without the items of the range can't pass for theirs unless they have none here.
      this.#close(equalBytes(theirs, EMPTY_FINGERPRINT) ? this.#writtenItems : run.end)
      return
    }
    this.#writtenItems = run.end
  }

  /** Lists as many own ids as the frame holds, at least one. */
  toList(run: Run): void {
    const room = this.#limits.bytesMax - this.#writer.length
    this.#writeSkipped()
    const end = Math.min(run.end, run.begin + Math.floor(room / ID_BYTES) + 1)
    const upper = end === run.end ? run.upper : boundAt(this.#items, end)
    writeIds(this.#items, { begin: run.begin, end, upper }, this.#writer)
    this.#writtenItems = end
    // Ids that were left out were so because the frame is full.
    if (this.#writer.length > this.#limits.bytesMax) this.#close(end)
  }

  /** Ends the message with one fingerprint of the items from there on. */
  #close(from: number): void {
    this.#writer.fingerprint(INFINITY_BOUND, this.#items.fingerprint(from, this.#items.count))
    this.#isClosed = true
  }

  #writeSkipped(): void {
    if (this.#skipped !== null) this.#writer.skip(this.#skipped)
    this.#skipped = null
  }
}

/** The first message over all items (SPEC NG-14). */
export function firstMessage(items: SortedItems, buckets: number): Uint8Array {
  const writer = new MessageWriter()
  splitRun(items, { begin: 0, end: items.count, upper: INFINITY_BOUND }, buckets, writer)
  return writer.message()
}

function writeIds(items: SortedItems, { begin, end, upper }: Run, writer: MessageWriter): void {
  writer.ids(upper, end - begin)
  for (let index = begin; index < end; index += 1) writer.bytes(items.idAt(index))
}

function itemAt(items: SortedItems, index: number): Item {
  return { timestamp: items.timestampAt(index), id: items.idAt(index) }
}

/** The bound that stands right before an own item. */
function boundAt(items: SortedItems, index: number): Bound {
  return { timestamp: items.timestampAt(index), idPrefix: items.idAt(index) }
}

import type { VerifiedEvent } from '../events/verified.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { branchKey, chainRunKey, idKey, tipKey } from './keys.ts'
import { GROUP_RECORDS_MAX } from './limits.ts'
import { writeNumber } from './record.ts'
import type { WriteOperation } from './store.ts'

/** Where an event stands: in the log (0 while it waits to be written), and in its chain. */
export interface ChainPlace {
  readonly logSeq: number
  readonly authorSeq: number
  /** The event's own `ts`, against which a successor's is held. */
  readonly ts: number
  readonly chain: string
}

/** Where an event that was written stands. */
export interface EventPosition extends ChainPlace {
  /** The branch of its chain that it belongs to: the log position of the branch's first event. */
  readonly branch: number
}

/** What is to be known of an event that was written before, to place one that follows it. */
export interface Predecessor {
  readonly branch: number
  /** Whether nothing followed it so far. */
  readonly isTip: boolean
}

/** What the index says of a branch. */
export interface Branch {
  /** The branch of the event that the first one follows; 0 where that one begins the chain. */
  readonly parent: number
  /** The place of its first event in the chain. */
  readonly firstAuthorSeq: number
}

interface Run {
  readonly chain: string
  readonly namespace: string
  readonly branch: number
  readonly firstAuthorSeq: number
  readonly logSeqs: number[]
}

/**
 * Collects the index entries of one group of appended events. Runs of consecutive events of a branch become one
 * entry of the chain index and one tip, however many they are.
 *
 * A branch is a linear piece of a chain: an event that begins the chain, or follows one that is followed already,
 * begins a branch; any other is in the branch of its predecessor.
 */
export class IndexWriter {
  readonly addedByNamespace = new Map<string, number>()
  /** Of the added events, by id. */
  readonly positions = new Map<string, EventPosition>()
  /** Ids of the tips from before this group that are none any more. */
  readonly followed = new Set<string>()
  readonly #operations: WriteOperation[] = []
  readonly #predecessors: ReadonlyMap<string, Predecessor>
  readonly #runs: Run[] = []
  /** The run that ends in an event which nothing follows, by that event's id. */
  readonly #runByTip = new Map<string, Run>()

  /** `predecessors`: those of the events to come that were written before, by id. */
  constructor(predecessors: ReadonlyMap<string, Predecessor>) {
    this.#predecessors = predecessors
  }

  /** Throws `INTERNAL` for an event whose predecessor was not written before it. */
  add(logSeq: number, event: VerifiedEvent): void {
    const { id, chain } = event
    const { namespace, authorSeq, ts } = event.envelope
    const run = this.#runOf(logSeq, event)
    run.logSeqs.push(logSeq)
    this.#runByTip.set(id, run)
    const position = { logSeq, authorSeq, ts, chain, branch: run.branch }
    this.positions.set(id, position)
    this.#operations.push({ type: 'put', key: idKey(id), value: encodePosition(position) })
    this.addedByNamespace.set(namespace, (this.addedByNamespace.get(namespace) ?? 0) + 1)
  }

  #runOf(logSeq: number, event: VerifiedEvent): Run {
    const { prev, namespace } = event.envelope
    if (prev === null) return this.#beginBranch(logSeq, event, 0)
    const run = this.#runByTip.get(prev)
    if (run !== undefined) {
      this.#runByTip.delete(prev)
      return run.logSeqs.length < GROUP_RECORDS_MAX ? run : this.#beginRun(event, run.branch)
    }
    const before = this.positions.get(prev) ?? this.#predecessors.get(prev)
    if (before === undefined)
      throw new AnchormeshError('INTERNAL', `the predecessor of event ${event.id} is not in the log`)
    if (!('isTip' in before) || !before.isTip || this.followed.has(prev))
      return this.#beginBranch(logSeq, event, before.branch)
    this.followed.add(prev)
    this.#operations.push({ type: 'del', key: tipKey(namespace, event.chain, prev) })
    return this.#beginRun(event, before.branch)
  }

  #beginBranch(logSeq: number, event: VerifiedEvent, parent: number): Run {
    const { authorSeq } = event.envelope
    this.#operations.push({
      type: 'put',
      key: branchKey(event.chain, logSeq),
      value: encodeBranch({ parent, firstAuthorSeq: authorSeq })
    })
    return this.#beginRun(event, logSeq)
  }

  #beginRun({ chain, envelope }: VerifiedEvent, branch: number): Run {
    const { namespace, authorSeq } = envelope
    const run = { chain, namespace, branch, firstAuthorSeq: authorSeq, logSeqs: [] }
    this.#runs.push(run)
    return run
  }

  /** The ids of the added events that none follows, each with its branch. */
  *tips(): Generator<[string, number]> {
    for (const [id, { branch }] of this.#runByTip) yield [id, branch]
  }

  operations(): WriteOperation[] {
    for (const { chain, branch, firstAuthorSeq, logSeqs } of this.#runs) {
      this.#operations.push({
        type: 'put',
        key: chainRunKey(chain, firstAuthorSeq, logSeqs[0] ?? 0),
        value: encodeNumbers([branch, ...logSeqs])
      })
    }
    for (const [id, { chain, namespace, branch, firstAuthorSeq, logSeqs }] of this.#runByTip) {
      const authorSeq = firstAuthorSeq + logSeqs.length - 1
      this.#operations.push({
        type: 'put',
        key: tipKey(namespace, chain, id),
        value: encodeTip({ authorSeq, logSeq: logSeqs.at(-1) ?? 0, branch })
      })
    }
    return this.#operations
  }
}

/** The place that an event has, or will have, in the log. */
export function placeOf({ envelope, chain }: VerifiedEvent, logSeq: number): ChainPlace {
  const { authorSeq, ts } = envelope
  return { logSeq, authorSeq, ts, chain }
}

const POSITION_BYTES = 64

/** `logSeq`, `authorSeq`, `ts` (8 bytes each, big-endian), the chain's hash (32) and the branch (8). */
export function encodePosition(position: EventPosition): Uint8Array {
  const bytes = Buffer.allocUnsafe(POSITION_BYTES)
  writeNumber(bytes, position.logSeq, 0)
  writeNumber(bytes, position.authorSeq, 8)
  writeNumber(bytes, position.ts, 16)
  bytes.write(position.chain, 24, 'hex')
  writeNumber(bytes, position.branch, 56)
  return bytes
}

/** Throws `STORE_CORRUPT` for bytes that are no position. */
export function decodePosition(bytes: Uint8Array): EventPosition {
  if (bytes.length !== POSITION_BYTES)
    throw new AnchormeshError('STORE_CORRUPT', `an entry of the id index has ${bytes.length} bytes`)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    logSeq: Number(buffer.readBigUInt64BE(0)),
    authorSeq: Number(buffer.readBigUInt64BE(8)),
    ts: Number(buffer.readBigUInt64BE(16)),
    chain: buffer.toString('hex', 24, 56),
    branch: Number(buffer.readBigUInt64BE(56))
  }
}

/** What the tip index says of a tip. */
export type TipPlace = Pick<EventPosition, 'authorSeq' | 'logSeq' | 'branch'>

/** `authorSeq`, `logSeq` and the branch (8 bytes each, big-endian). */
export function encodeTip({ authorSeq, logSeq, branch }: TipPlace): Uint8Array {
  return encodeNumbers([authorSeq, logSeq, branch])
}

/** Throws `STORE_CORRUPT` for bytes that are no tip. */
export function decodeTip(bytes: Uint8Array): TipPlace {
  const [authorSeq, logSeq, branch] = decodeNumbers(bytes)
  if (authorSeq === undefined || logSeq === undefined || branch === undefined)
    throw new AnchormeshError('STORE_CORRUPT', `a tip has ${bytes.length} bytes`)
  return { authorSeq, logSeq, branch }
}

/** The parent and `firstAuthorSeq` (8 bytes each, big-endian). */
export function encodeBranch({ parent, firstAuthorSeq }: Branch): Uint8Array {
  return encodeNumbers([parent, firstAuthorSeq])
}

/** Throws `STORE_CORRUPT` for bytes that are no branch. */
export function decodeBranch(bytes: Uint8Array): Branch {
  const [parent, firstAuthorSeq] = decodeNumbers(bytes)
  if (parent === undefined || firstAuthorSeq === undefined)
    throw new AnchormeshError('STORE_CORRUPT', `an entry of the branch index has ${bytes.length} bytes`)
  return { parent, firstAuthorSeq }
}

/**
 * Reads an entry of the chain index: the branch, then the log positions of consecutive events of it (8 bytes each,
 * big-endian). Throws `STORE_CORRUPT` for bytes that are none.
 */
export function decodeRun(bytes: Uint8Array): { readonly branch: number; readonly logSeqs: readonly number[] } {
  const [branch, ...logSeqs] = decodeNumbers(bytes)
  if (branch === undefined || logSeqs.length === 0 || logSeqs.length > GROUP_RECORDS_MAX)
    throw new AnchormeshError('STORE_CORRUPT', `an entry of the chain index has ${bytes.length} bytes`)
  return { branch, logSeqs }
}

function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(numbers.length * 8)
  numbers.forEach((value, index) => writeNumber(bytes, value, index * 8))
  return bytes
}

/** Nothing where the length fits no numbers. */
function decodeNumbers(bytes: Uint8Array): number[] {
  if (bytes.length % 8 !== 0) return []
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: buffer.length / 8 }, (_, index) => Number(buffer.readBigUInt64BE(index * 8)))
}

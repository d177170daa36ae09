import { eventIdOfWire } from '../../protocols/event/v1/codec.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Branch } from './event-index.ts'
import { decodeBranch, decodeRun } from './event-index.ts'
import { branchKey, chainPrefix, chainRunKey, parseSortableNumber, recordKey } from './keys.ts'
import { GROUP_RECORDS_MAX, PATH_BATCH_BYTES, PATH_BATCH_EVENTS_MAX, PATH_READ_RECORDS_MAX } from './limits.ts'
import { decodeRecord } from './record.ts'
import type { StoreReader } from './store.ts'

/** The part of a path that lies in one branch: the events at `from` to `to` of the chain. */
export interface PathSegment {
  readonly branch: number
  readonly from: number
  readonly to: number
}

/** An event of a chain and all its ancestors: one event at each position from 1 on. */
export interface ChainPath {
  readonly chain: string
  /** Ascending, without a gap. */
  readonly segments: readonly PathSegment[]
}

/** What says which path: its last event. */
export interface PathEnd {
  readonly chain: string
  readonly branch: number
  readonly authorSeq: number
}

/** An event as it is passed on. */
export interface PathEvent {
  readonly logSeq: number
  readonly wire: Uint8Array
}

/** A run of consecutive events of one branch, as the chain index has it. */
interface Run {
  readonly branch: number
  readonly firstAuthorSeq: number
  readonly logSeqs: readonly number[]
}

/** Where a branch begins, and which one it leaves there; one look-up. Throws `STORE_CORRUPT` for an unknown branch. */
export async function originOfBranch(reader: StoreReader, chain: string, branch: number): Promise<Branch> {
  const bytes = await reader.get(branchKey(chain, branch))
  if (bytes === undefined) throw corrupt(chain, `branch ${branch} is missing`)
  return decodeBranch(bytes)
}

/** The path that ends in `end`. Costs one look-up for each branch on it, however many events and other branches. */
export async function pathOf(reader: StoreReader, { chain, branch, authorSeq }: PathEnd): Promise<ChainPath> {
  const segments: PathSegment[] = []
  let next = { branch, to: authorSeq }
  do {
    const { parent, firstAuthorSeq } = await originOfBranch(reader, chain, next.branch)
    // A parent is older than its child, which also ends this walk.
    if (parent >= next.branch || firstAuthorSeq > next.to || (parent === 0) !== (firstAuthorSeq === 1))
      throw corrupt(chain, `branch ${next.branch} has no beginning`)
    segments.push({ branch: next.branch, from: firstAuthorSeq, to: next.to })
    next = { branch: parent, to: firstAuthorSeq - 1 }
  } while (next.branch !== 0)
  return { chain, segments: segments.reverse() }
}

/**
 * The ids (hex) of the events at `positions` of the path, which ascend. Costs one seek for each run that they lie in,
 * where other branches have no events near by. Throws `RangeError` for a position that is not on the path.
 */
export async function idsOnPath(reader: StoreReader, path: ChainPath, positions: readonly number[]): Promise<string[]> {
  const logSeqs = await logSeqsAt(reader, path, positions)
  const ids: string[] = []
  for (let from = 0; from < logSeqs.length; from += PATH_READ_RECORDS_MAX) {
    for (const { logSeq, wire } of await readEvents(reader, logSeqs.slice(from, from + PATH_READ_RECORDS_MAX))) {
      const id = eventIdOfWire(wire)
      if (id === null) throw corrupt(path.chain, `record ${logSeq} is no event`)
      ids.push(id)
    }
  }
  return ids
}

async function logSeqsAt(reader: StoreReader, path: ChainPath, positions: readonly number[]): Promise<number[]> {
  const logSeqs: number[] = []
  let at = 0
  let run: Run | null = null
  for (const position of positions) {
    while ((path.segments[at]?.to ?? position) < position) at += 1
    const segment = path.segments[at]
    if (segment === undefined || position < segment.from)
      throw new RangeError(`position ${position} is not on the path`)
    let logSeq = run?.branch === segment.branch ? run.logSeqs[position - run.firstAuthorSeq] : undefined
    if (logSeq === undefined) {
      run = await runAt(reader, path.chain, segment, position)
      logSeq = run?.logSeqs[position - run.firstAuthorSeq]
    }
    if (logSeq === undefined) throw corrupt(path.chain, `branch ${segment.branch} has nothing at ${position}`)
    logSeqs.push(logSeq)
  }
  return logSeqs
}

/** The last run of the segment's branch that begins at the position or before it. */
async function runAt(reader: StoreReader, chain: string, { branch, from }: PathSegment, position: number) {
  const range = runsFrom(chain, position, position, from)
  for await (const [key, bytes] of reader.range({ ...range, reverse: true, limit: 1 })) {
    const run = runIn(chain, key, bytes)
    if (run.branch === branch) return run
  }
  // Of many forks nearly all are shorter than a run. The first begins with the event that the branch is named after.
  const firstKey = chainRunKey(chain, from, branch)
  const first = await reader.get(firstKey)
  if (first !== undefined) {
    const run = runIn(chain, firstKey, first)
    if (run.branch === branch && position < from + run.logSeqs.length) return run
  }
  for await (const [key, bytes] of reader.range({ ...range, reverse: true })) {
    const run = runIn(chain, key, bytes)
    if (run.branch === branch) return run
  }
  return null
}

/**
 * The events at the positions `from` to `to` of the path, in order, in batches: at most `PATH_BATCH_EVENTS_MAX` events,
 * and no more once they have `PATH_BATCH_BYTES`. Goes through the chain index once; no event is looked up by itself.
 */
export async function* eventsOnPath(
  reader: StoreReader,
  path: ChainPath,
  from: number,
  to: number
): AsyncGenerator<readonly PathEvent[]> {
  let waiting: number[] = []
  let batch: PathEvent[] = []
  let bytes = 0
  const readWaiting = async (): Promise<void> => {
    for (const event of await readEvents(reader, waiting)) {
      batch.push(event)
      bytes += event.wire.length
    }
    waiting = []
  }
  for await (const logSeqs of runsOnPath(reader, path, from, to)) {
    for (const logSeq of logSeqs) {
      waiting.push(logSeq)
      if (waiting.length < PATH_READ_RECORDS_MAX && batch.length + waiting.length < PATH_BATCH_EVENTS_MAX) continue
      await readWaiting()
      if (batch.length < PATH_BATCH_EVENTS_MAX && bytes < PATH_BATCH_BYTES) continue
      yield batch
      batch = []
      bytes = 0
    }
  }
  await readWaiting()
  if (batch.length > 0) yield batch
}

/** The log positions of the events from `from` to `to`, in the pieces in which the chain index has them. */
async function* runsOnPath(
  reader: StoreReader,
  { chain, segments }: ChainPath,
  from: number,
  to: number
): AsyncGenerator<readonly number[]> {
  for (const segment of segments) {
    let next = Math.max(segment.from, from)
    const last = Math.min(segment.to, to)
    if (next > last) continue
    for await (const [key, bytes] of reader.range(runsFrom(chain, next, last, segment.from))) {
      const { branch, firstAuthorSeq, logSeqs } = runIn(chain, key, bytes)
      if (branch !== segment.branch) continue
      if (firstAuthorSeq > next) break
      const piece = logSeqs.slice(next - firstAuthorSeq, last + 1 - firstAuthorSeq)
      yield piece
      next += piece.length
    }
    if (next <= last) throw corrupt(chain, `branch ${segment.branch} has nothing at ${next}`)
  }
}

/** Where the runs stand that may hold the positions `first` to `last` of a branch that begins at `beginning`. */
function runsFrom(chain: string, first: number, last: number, beginning: number): { gte: string; lt: string } {
  const earliest = Math.max(beginning, first - GROUP_RECORDS_MAX + 1)
  return { gte: chainRunKey(chain, earliest, 0), lt: chainRunKey(chain, last + 1, 0) }
}

function runIn(chain: string, key: string, bytes: Uint8Array): Run {
  const { length } = chainPrefix(chain)
  return { firstAuthorSeq: parseSortableNumber(key.slice(length, length + 16)), ...decodeRun(bytes) }
}

/** Views of the store's own bytes, in the order of `logSeqs`. */
async function readEvents(reader: StoreReader, logSeqs: readonly number[]): Promise<PathEvent[]> {
  const stored = await reader.getMany(logSeqs.map(recordKey))
  return logSeqs.map((logSeq, index) => {
    const record = decodeRecord(logSeq, stored[index] ?? new Uint8Array())
    if (record?.scope !== 'shared') throw new AnchormeshError('STORE_CORRUPT', `record ${logSeq} is no event`)
    return { logSeq, wire: record.payload }
  })
}

function corrupt(chain: string, reason: string): AnchormeshError {
  return new AnchormeshError('STORE_CORRUPT', `chain ${chain}: ${reason}`)
}

import type { Frame } from '../api/frames.ts'
import type { Store } from '../log/store.ts'
import { changesSince, isReachedByJournal } from '../projections/changed-rows.ts'
import type { ChangesReading, ProjectionChange } from '../projections/changed-rows.ts'
import type { RunLimits } from '../projections/changed-runs.ts'
import type { ProjectionInstance } from '../projections/instance.ts'
import { NOTHING_CHANGED, rowsInOrder } from '../projections/rows-of-moment.ts'
import { readState, rowsOfState } from '../projections/state.ts'
import { FrameBundle } from './frames.ts'
import type { Place, PlaceContext } from './place.ts'
import { encodePlace } from './place.ts'
import type { View } from './view.ts'

/** Rows of one view of a projection. */
export interface Source {
  readonly store: Pick<Store, 'snapshot'>
  readonly instance: ProjectionInstance
  readonly view: View
  readonly context: PlaceContext
  readonly runs: RunLimits
}

/** A source at one moment of the store. */
export interface Reading extends ChangesReading {
  readonly source: Source
}

/** Reads in one moment of the store, which is let go at the end. */
export async function atOneMoment<Result>(
  source: Source,
  read: (reading: Reading) => Promise<Result>
): Promise<Result> {
  const { store, instance, view, runs } = source
  const snapshot = await store.snapshot()
  try {
    const state = await readState(snapshot, instance.projection)
    const { passes, shows } = view
    return await read({ source, snapshot, instance, state, passes, runs, ...(shows === undefined ? {} : { shows }) })
  } finally {
    await snapshot.close()
  }
}

/** How a place stands to the rows of a moment. `ahead`: the fold comes to it again after a crash. */
export type Standing = 'there' | 'behind' | 'ahead' | 'too-old'

/** How somebody with this place stands; `null`: with nothing yet. */
export function standingOf({ state }: Pick<Reading, 'state'>, place: Place | null): Standing {
  if (place === null) return 'behind'
  if (place.logSeq > state.cursor) return 'ahead'
  if (!isReachedByJournal(state, place)) return 'too-old'
  const isCurrent = place.logSeq === state.cursor && place.generation >= state.generation
  return isCurrent && place.after === null ? 'there' : 'behind'
}

/** Where somebody is who has all rows of the moment. */
export function placeOf({ state: { cursor: logSeq, generation } }: Pick<Reading, 'state'>): Place {
  return { logSeq, generation, after: null }
}

/**
 * What somebody with this place has to be sent: the changes of the rows that it has, then those that it has not, at most
 * `rowsMax` of them. Returns its place after that. `place` must not be `ahead` or `too-old`.
 */
export async function* framesFrom(
  reading: Reading,
  place: Place | null,
  rowsMax: number
): AsyncGenerator<readonly Frame[], Place> {
  const { source, state } = reading
  const after = place === null ? '' : place.after
  const { cursor: logSeq, generation } = state
  if (place !== null) yield* changedFrames(reading, place)
  if (after === null) return placeOf(reading)
  let rows = 0
  let last = after
  for await (const [key, row] of rowsAfter(reading, after)) {
    if (rows === rowsMax) return { logSeq, generation, after: last }
    rows += 1
    last = key
    yield [
      { frame: 'snapshot', logSeq, cursor: encodePlace(source.context, { logSeq, generation, after: key }), key, row }
    ]
  }
  return placeOf(reading)
}

/** Changes of the rows that a place has; those that belong together in one list. The last one has the cursor. */
async function* changedFrames(reading: Reading, place: Place): AsyncGenerator<readonly Frame[]> {
  const { source, passes } = reading
  const { after } = place
  const isKnown = (key: string): boolean => (after === null || key <= after) && passes(key)
  // The place behind the last whole run, and behind the run of the change in hand.
  let before = encodePlace(source.context, place)
  let held: { readonly logSeq: number; readonly frames: (cursor: string) => readonly Frame[] } | null = null
  const placeAt = (logSeq: number): string => encodePlace(source.context, { ...placeOf(reading), logSeq, after })
  for await (const change of changesSince({ ...reading, passes: isKnown }, place.logSeq)) {
    if (held !== null) {
      const cursor = held.logSeq === change.logSeq ? before : placeAt(held.logSeq)
      yield held.frames(cursor)
      before = cursor
    }
    const since = before
    held = { logSeq: change.logSeq, frames: (cursor) => framesOf(change, since, cursor) }
  }
  // What changed after its run, up to now, is not shown.
  if (held !== null) yield held.frames(placeAt(reading.state.cursor))
}

/** The frames of one change; what comes after the last of them goes on from `cursor`. */
function framesOf(
  { key, row, logSeq, winnerChanged }: Omit<ProjectionChange, 'cursor'>,
  before: string,
  cursor: string
): readonly Frame[] {
  const change = { frame: 'change', logSeq, key, row } as const
  if (winnerChanged === undefined || winnerChanged === null) return [{ ...change, cursor }]
  return [
    { ...change, cursor: before },
    { frame: 'winner-changed', logSeq, cursor, key, ...winnerChanged }
  ]
}

async function* rowsAfter(reading: Reading, after: string): AsyncGenerator<[string, Row]> {
  const { source, snapshot, instance, state, shows } = reading
  const rows = rowsOfState(instance.projection.name, state)
  for (const prefix of source.view.prefixes) {
    // What a forged cursor names must not lead to rows before the prefix.
    const from = after > prefix ? after : undefined
    if (from !== undefined && !from.startsWith(prefix) && from > prefix) continue
    for await (const [key, row] of rowsInOrder(snapshot, instance.projection, rows, prefix, from, NOTHING_CHANGED))
      if (shows === undefined || shows(row)) yield [key, row]
  }
}

type Row = NonNullable<Extract<Frame, { frame: 'snapshot' }>['row']>

/**
 * All that somebody with this place has to be sent, with its place after that; `null` where it is more than
 * `sizeMax`.
 */
export async function collect(
  reading: Reading,
  place: Place | null,
  sizeMax: number
): Promise<{ readonly bundle: FrameBundle; readonly place: Place } | null> {
  const bundle = new FrameBundle()
  const frames = framesFrom(reading, place, Infinity)
  for (;;) {
    const next = await frames.next()
    if (next.done === true) return { bundle, place: next.value }
    for (const frame of next.value) bundle.add(frame)
    if (bundle.size <= sizeMax) continue
    await frames.return(placeOf(reading))
    return null
  }
}

import type { Outcome } from '../events/outcome.ts'
import type { IngestDoor } from './door.ts'
import type { EventSource } from './source.ts'

// Enough in flight for a synced write to be shared by many; more would only live long enough to burden the garbage
// collector.
const IN_FLIGHT_MAX = 256
// Handed in together, so that their signatures are verified in one go; 32 take about 5 ms, in which nothing else runs.
const TURN_EVENTS = 32

// Twice what is in flight: folds stay busy, and find what came last still at hand and in the processor's caches.
const BEHIND_MAX = 512

const SOURCE: EventSource = { via: 'import' }

/** Who reads along, as the projections do. */
export interface Follower {
  /** Resolves once it is at most `records` positions behind the log. */
  notFarBehind(records: number): Promise<void>
}

/** What an import did, by outcome; refusals by code. */
export interface ImportResult {
  read: number
  accepted: number
  duplicate: number
  pending: number
  readonly refused: Record<string, number>
}

/**
 * Hands events in at the door in their order, many at a time. Waits between them for what follows
 * the log. Throws what the door throws: a defect.
 */
export async function importEvents(
  door: IngestDoor,
  events: AsyncIterable<Uint8Array>,
  follower: Follower,
  onProgress: (read: number) => void = () => {}
): Promise<ImportResult> {
  const counts: ImportResult = { read: 0, accepted: 0, duplicate: 0, pending: 0, refused: {} }
  const flight = new Flight(IN_FLIGHT_MAX - TURN_EVENTS)
  let turn: Uint8Array[] = []
  const submitTurn = async (): Promise<void> => {
    for (const wire of turn) void flight.run(async () => count(counts, await door.submit(wire, SOURCE)))
    turn = []
    await flight.hasRoom()
    await follower.notFarBehind(BEHIND_MAX)
    onProgress(counts.read)
  }
  for await (const wire of events) {
    counts.read += 1
    turn.push(wire)
    if (turn.length === TURN_EVENTS) await submitTurn()
  }
  await submitTurn()
  await flight.landed()
  return counts
}

/** Work under way, up to a number at once. The first failure is thrown to whoever waits. */
class Flight {
  readonly #max: number
  #under = 0
  #failure: { readonly error: unknown } | null = null
  #waiting: { readonly until: number; readonly resolve: () => void } | null = null

  constructor(max: number) {
    this.#max = max
  }

  /** Never rejects: `hasRoom` and `landed` throw what failed. */
  async run(work: () => Promise<void>): Promise<void> {
    this.#under += 1
    try {
      await work()
    } catch (error) {
      this.#failure ??= { error }
    }
    this.#under -= 1
    if (this.#waiting !== null && this.#under <= this.#waiting.until) this.#waiting.resolve()
  }

  async hasRoom(): Promise<void> {
    await this.#downTo(this.#max - 1)
  }

  async landed(): Promise<void> {
    await this.#downTo(0)
  }

  async #downTo(until: number): Promise<void> {
    if (this.#under > until) {
      await new Promise<void>((resolve) => {
        this.#waiting = { until, resolve }
      })
      this.#waiting = null
    }
    if (this.#failure !== null) throw this.#failure.error
  }
}

function count(counts: ImportResult, outcome: Outcome): void {
  if ('code' in outcome && outcome.outcome !== 'pending')
    counts.refused[outcome.code] = (counts.refused[outcome.code] ?? 0) + 1
  else counts[outcome.outcome] += 1
}

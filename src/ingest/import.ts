import type { Outcome } from '../events/outcome.ts'
import type { IngestDoor } from './door.ts'

// Enough in flight for a synced write to be shared by many; more would only live long enough to burden the garbage collector.
const IN_FLIGHT_MAX = 256
// Handed in together, so that their signatures are verified in one go; 32 take about 5 ms, in which nothing else runs.
const TURN_EVENTS = 32

/** What an import did, by outcome; refusals by code. */
export interface ImportResult {
  read: number
  accepted: number
  duplicate: number
  pending: number
  readonly refused: Record<string, number>
}

/** Hands events in at the door in their order, many at a time. Throws what the door throws: a defect. */
export async function importEvents(
  door: IngestDoor,
  events: AsyncIterable<Uint8Array>,
  onProgress: (read: number) => void = () => {}
): Promise<ImportResult> {
  const counts: ImportResult = { read: 0, accepted: 0, duplicate: 0, pending: 0, refused: {} }
  const flight = new Flight(IN_FLIGHT_MAX - TURN_EVENTS)
  let turn: Uint8Array[] = []
  const submitTurn = async (): Promise<void> => {
    for (const wire of turn) flight.add(door.submit(wire, { via: 'import' }).then((outcome) => count(counts, outcome)))
    turn = []
    await flight.hasRoom()
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

  add(work: Promise<void>): void {
    this.#under += 1
    work
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#under -= 1
        if (this.#waiting !== null && this.#under <= this.#waiting.until) this.#waiting.resolve()
      })
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
  if ('code' in outcome && outcome.outcome !== 'pending') counts.refused[outcome.code] = (counts.refused[outcome.code] ?? 0) + 1
  else counts[outcome.outcome] += 1
}

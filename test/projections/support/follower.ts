import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { AnchormeshError } from '../../../src/platform/errors.ts'
import type {
  ChangesQuery,
  ProjectionChange,
  ProjectionCheckpoint,
  ProjectionUpdate
} from '../../../src/projections/changes.ts'
import { settled } from '../../support/settled.ts'

type Step = { readonly update: ProjectionUpdate } | { readonly ended: true } | { readonly failed: AnchormeshError }

interface Connection {
  readonly updates: AsyncGenerator<ProjectionUpdate>
  readonly abort: AbortController
}

/**
 * A client of `changes` as its documentation wants it: it keeps rows and the last cursor, and begins anew when it has
 * to.
 */
export class Follower {
  readonly rows = new Map<string, JsonObject>()
  /** Every change that came, in order. */
  readonly received: ProjectionChange[] = []
  readonly checkpoints: ProjectionCheckpoint[] = []
  cursor: string | undefined
  readonly #open: (query: ChangesQuery) => AsyncGenerator<ProjectionUpdate>
  readonly #namespace: string | undefined
  #connection: Connection | null = null
  #next: Promise<Step> | null = null

  constructor(open: (query: ChangesQuery) => AsyncGenerator<ProjectionUpdate>, namespace?: string) {
    this.#open = open
    this.#namespace = namespace
  }

  /** Takes up to `most` updates that are there by now; says why the iteration ended, if it did. */
  async read(most: number = Infinity): Promise<'open' | 'ended' | AnchormeshError> {
    for (let taken = 0; taken < most; taken += 1) {
      const step = await this.#step()
      if (step === null) return 'open'
      if ('update' in step) {
        this.#apply(step.update)
        continue
      }
      this.#connection = null
      return 'failed' in step ? step.failed : 'ended'
    }
    return 'open'
  }

  /** Reads to the end of what is there; begins anew where its cursor is too old. */
  async readAll(): Promise<void> {
    const outcome = await this.read()
    if (outcome === 'open') return
    if (outcome === 'ended' || outcome.code !== 'CURSOR_TOO_OLD')
      throw new Error(`the changes ended: ${String(outcome)}`)
    this.cursor = undefined
    await this.readAll()
  }

  /** Hangs up; the next read goes on from the cursor. */
  async disconnect(): Promise<void> {
    if (this.#connection === null) return
    const { updates, abort } = this.#connection
    abort.abort()
    await this.#next
    await updates.return(undefined)
    this.#connection = null
    this.#next = null
  }

  /** The next step, or `null` when there is none once everything has settled. */
  async #step(): Promise<Step | null> {
    this.#connection ??= this.#connect()
    const { updates } = this.#connection
    this.#next ??= updates.next().then(
      (result): Step => (result.done === true ? { ended: true } : { update: result.value }),
      (error: unknown): Step => ({ failed: error as AnchormeshError })
    )
    const step = await Promise.race([this.#next, quiet()])
    if (step !== null) this.#next = null
    return step
  }

  #connect(): Connection {
    const abort = new AbortController()
    if (this.cursor === undefined) this.rows.clear()
    const query = {
      signal: abort.signal,
      ...(this.cursor === undefined ? {} : { cursor: this.cursor }),
      ...(this.#namespace === undefined ? {} : { namespace: this.#namespace })
    }
    return { updates: this.#open(query), abort }
  }

  #apply(update: ProjectionUpdate): void {
    if (update.cursor !== null) this.cursor = update.cursor
    if (update.kind === 'checkpoint') {
      this.checkpoints.push(update)
      return
    }
    this.received.push(update)
    if (update.row === null) this.rows.delete(update.key)
    else this.rows.set(update.key, update.row)
  }
}

/** Rows in key order, as a query shows them. */
export function rowsInKeyOrder(rows: ReadonlyMap<string, JsonObject>): JsonObject[] {
  return [...rows].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row)
}

async function quiet(): Promise<null> {
  for (let turn = 0; turn < 3; turn += 1) await settled()
  return null
}

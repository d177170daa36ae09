import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { ProjectionInstance } from './instance.ts'

/** Who waits for projections to move on. */
export class FoldProgress {
  readonly #clock: Clock
  readonly #watchers = new Set<() => void>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** See `ProjectionEngine.onAdvanced`. */
  onAdvanced(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  tell(): void {
    for (const watcher of this.#watchers) watcher()
  }

  /** Nothing moves any more. */
  close(): void {
    this.#closed = true
    this.tell()
  }

  /** Resolves when something has moved. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      const stopWatching = this.onAdvanced(() => {
        stopWatching()
        resolve()
      })
    })
  }

  /** See `ProjectionEngine.reached`. */
  reached(instances: readonly ProjectionInstance[], logSeq: number, timeoutMs: number | null): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (end: () => void): void => {
        stopWatching()
        cancelTimer()
        end()
      }
      const look = (): void => {
        const halted = instances.find((instance) => instance.halted !== null)
        if (halted !== undefined) finish(() => reject(haltedError(halted)))
        else if (instances.every(({ state }) => state.cursor >= logSeq)) finish(resolve)
        else if (this.#closed) giveUp()
      }
      const giveUp = (): void => finish(() => reject(notYet(logSeq)))
      const stopWatching = this.onAdvanced(look)
      const cancelTimer = timeoutMs === null ? () => {} : this.#clock.after(timeoutMs, giveUp)
      look()
    })
  }
}

function notYet(logSeq: number): AnchormeshError {
  return new AnchormeshError('NOT_YET', `position ${logSeq} is not reached yet`, { hint: 'ask again' })
}

/** The failure of asking a halted projection. */
export function haltedError(instance: ProjectionInstance): AnchormeshError {
  return new AnchormeshError('PROJECTION_HALTED', `projection ${instance.projection.name} ${instance.halted}`, {
    hint: 'run `anchormesh log verify`, then `anchormesh log rebuild`'
  })
}

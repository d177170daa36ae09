import type { Clock } from '../platform/clock.ts'
import type { ProjectionInstance } from './instance.ts'

// What a short log takes. A signer's packs of a minute, 600 by default, come to some seconds of it without any pause.
const UNPACED_MS = 20

/**
 * Has the folds that packs cause take half of the time at most. Each pack of an organisation can want one, and one
 * takes as long as the log is long: without a pause between them the packs of a minute would keep a node busy for an
 * hour. A first one never waits, and all that comes in a pause is done in one. One entry for each projection.
 */
export class RefoldPace {
  readonly #clock: Clock
  readonly #wake: () => void
  readonly #last = new Map<ProjectionInstance, { readonly tookMs: number; readonly endedMs: number }>()
  #cancel: (() => void) | null = null

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock
    this.#wake = wake
  }

  /** Whether the instance may be folded anew now. */
  isRested(instance: ProjectionInstance): boolean {
    return this.#waitMs(instance) <= 0
  }

  /** Does the work of folding it anew. */
  async measured(instance: ProjectionInstance, work: () => Promise<void>): Promise<void> {
    const beganMs = this.#clock.monotonicMs()
    await work()
    const endedMs = this.#clock.monotonicMs()
    this.#last.set(instance, { tookMs: endedMs - beganMs, endedMs })
  }

  /** Wakes when the first of those that wait may go on. */
  wakeFor(waiting: readonly ProjectionInstance[]): void {
    if (waiting.length === 0 || this.#cancel !== null) return
    const waitMs = Math.max(1, Math.ceil(Math.min(...waiting.map((instance) => this.#waitMs(instance)))))
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#cancel = null
      this.#wake()
    })
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  /** All of them are folded anew one after the other, and then none of them for as long. */
  #waitMs(instance: ProjectionInstance): number {
    const last = this.#last.get(instance)
    if (last === undefined) return 0
    const roundMs = [...this.#last.values()].reduce((sum, { tookMs }) => sum + tookMs, 0)
    if (roundMs < UNPACED_MS) return 0
    return last.endedMs + 2 * roundMs - this.#clock.monotonicMs()
  }
}

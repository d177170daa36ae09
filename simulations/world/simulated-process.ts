import { AsyncLocalStorage } from 'node:async_hooks'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { MachineClock } from './machine-clock.ts'

/**
 * What stands for the operating system's process of one node, from its start to its end: whatever is started in it ends
 * with it, without a chance to tidy up, and stands still while it is paused. A node that starts again is another one.
 */
export class SimulatedProcess {
  readonly name: string
  /** Where all its randomness comes from, that of libraries too. */
  readonly random: SeededRandom
  /** Of the machine that it runs on; absent where that shows true time. */
  readonly clock: MachineClock | undefined
  #state: 'running' | 'paused' | 'dead' = 'running'
  #held: (() => void)[] = []

  readonly #onDefect: (error: unknown) => void

  /** `onDefect` is told what is thrown there and caught nowhere, which in a process of its own would end it. */
  constructor(
    name: string,
    random: SeededRandom,
    { clock, onDefect = rethrow }: { readonly clock?: MachineClock; readonly onDefect?: (error: unknown) => void } = {}
  ) {
    this.name = name
    this.random = random
    this.clock = clock
    this.#onDefect = onDefect
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.#state
  }

  /** What happens to it waits from now on. */
  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  /** Lets what has waited happen, in its order, each as its own event of now. */
  resume(happen: (run: () => void) => void): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const held = this.#held
    this.#held = []
    for (const run of held) happen(run)
  }

  /** Nothing happens to it any more. */
  kill(): void {
    this.#state = 'dead'
    this.#held = []
  }

  /** Runs in the process what has come due there, once it can. */
  happens(run: () => void): void {
    if (this.#state === 'running') current.run(this, () => this.#run(run))
    else if (this.#state === 'paused') this.#held.push(run)
  }

  #run(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.defect(error)
    }
  }

  /** Something was thrown, or rejected, that nobody caught. */
  defect(error: unknown): void {
    if (this.#state !== 'dead') this.#onDefect(error)
  }

  /** Runs in the process now, as its main program. */
  enter<Result>(run: () => Result): Result {
    return current.run(this, run)
  }
}

const rethrow = (error: unknown): never => {
  throw error
}

const current = new AsyncLocalStorage<SimulatedProcess>()

/** The process that the running code belongs to; undefined for the simulation itself. */
export function currentProcess(): SimulatedProcess | undefined {
  return current.getStore()
}

import type { Check, SimulatedNode, Simulation } from '../model/simulation.ts'
import { detailOf } from '../model/defect-detail.ts'

/** Has all checks look, one after the other; a check that throws has found a defect, of the run or its own. */
export class CheckRounds {
  readonly #simulation: Simulation
  readonly #checks: readonly Check[]
  /** Rounds come one after the other, in whatever order they are due. */
  #last: Promise<void> = Promise.resolve()
  #samplesWaiting = 0

  constructor(simulation: Simulation, checks: readonly Check[]) {
    this.#simulation = simulation
    this.#checks = checks
  }

  /** An event is safe in the log of the node. */
  accepted(node: SimulatedNode, eventId: string): void {
    for (const check of this.#checks) {
      try {
        check.onAccept?.(this.#simulation, node, eventId)
      } catch (error) {
        this.#failed(check, error)
      }
    }
  }

  /** Left out where the one before it still looks: it waits for a node that answers slowly. */
  async sample(): Promise<void> {
    if (this.#samplesWaiting > 0) return
    this.#samplesWaiting += 1
    try {
      await this.#round((check) => check.onSample?.(this.#simulation))
    } finally {
      this.#samplesWaiting -= 1
    }
  }

  async fold(): Promise<void> {
    await this.#round((check) => check.onFold?.(this.#simulation))
  }

  async end(): Promise<void> {
    await this.fold()
    await this.#round((check) => check.onEnd?.(this.#simulation))
  }

  async #round(look: (check: Check) => void | Promise<void>): Promise<void> {
    const before = this.#last
    this.#last = (async () => {
      await before
      for (const check of this.#checks) await this.#look(check, look)
    })()
    await this.#last
  }

  async #look(check: Check, look: (check: Check) => void | Promise<void>): Promise<void> {
    try {
      await look(check)
    } catch (error) {
      this.#failed(check, error)
    }
  }

  #failed(check: Check, error: unknown): void {
    this.#simulation.fail({ check: check.name, detail: detailOf(error) })
  }
}

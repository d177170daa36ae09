import { BoundedMap } from '../platform/bounded-map.ts'
import type { Job } from './job.ts'
import { nameOf } from './job.ts'

/** As many as one session notes for each of 64 peers and namespaces; 64 bytes each. */
const CHAINS_MAX = 4_096
const JOBS_MAX = 64

/**
 * Chains that peers have and this node does not take: their signers are no members here, or sign with a key that is not
 * known. Without this they would be sent again in each session. Forgotten when keys are bound, as one may be among them.
 */
export class RefusedChains {
  readonly #generationNow: () => number
  readonly #chains = new BoundedMap<string, ReadonlySet<string>>(JOBS_MAX)
  #generation = -1

  /** `generation`: changes when keys are bound. */
  constructor(generation: () => number) {
    this.#generationNow = generation
  }

  /**
   * Notes chains (ids, hex) that a peer sent of a namespace in vain. `generation`: that of the keys when the session
   * began; what waited for a key that came since is wanted.
   */
  add(job: Job, chains: ReadonlySet<string>, generation: number): void {
    if (chains.size === 0 || generation !== this.#generationNow()) return
    const all = [...this.of(job), ...chains].slice(-CHAINS_MAX)
    this.#chains.set(nameOf(job), new Set(all))
  }

  /** The chains that this peer need not send. */
  of(job: Job): ReadonlySet<string> {
    if (this.#generation !== this.#generationNow()) this.#chains.clear()
    this.#generation = this.#generationNow()
    return this.#chains.get(nameOf(job)) ?? new Set()
  }
}

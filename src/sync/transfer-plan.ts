import type { OwnChain } from './own-chain.ts'
import type { SyncView } from './sync-view.ts'

/** What one side sends of its chains, and what it has to leave for the next session. */
export class TransferPlan {
  readonly #view: SyncView
  readonly #chains: OwnChain[] = []
  #hasLeft = false

  constructor(view: SyncView) {
    this.#view = view
  }

  /** A chain of which something may be sent: what, it knows itself by then. */
  add(chain: OwnChain): void {
    this.#chains.push(chain)
  }

  /** Something is left that no chain here tells of. */
  leave(): void {
    this.#hasLeft = true
  }

  /** Whether the other side was told of all that this side holds of these chains. */
  get toldAll(): boolean {
    return !this.#hasLeft && this.#chains.every(({ isCut }) => !isCut)
  }

  /** Tips that the other side lacks and that are not sent for, as far as this side knows; at least 1 where any are. */
  get left(): number {
    const left = this.#chains.reduce((sum, chain) => sum + chain.left + (chain.isCut ? 1 : 0), 0)
    return left + (this.#hasLeft ? 1 : 0)
  }

  /** The events to send, in batches as they are read, each event after its predecessor. */
  async *events(): AsyncGenerator<readonly Uint8Array[]> {
    for (const chain of this.#chains) {
      for (const run of await chain.runs()) yield* this.#view.events(chain.chain, run)
    }
  }
}

import type { NodeParts } from './node-parts.ts'
import { readinessReasons } from './readiness.ts'

/** What a node offers apps and partners beside its operations. */
export class NodeGateway {
  readonly #parts: NodeParts
  #state: 'opening' | 'started' | 'stopping' = 'opening'

  constructor(parts: NodeParts) {
    this.#parts = parts
  }

  /** Begins what works by itself. */
  async start(): Promise<void> {
    this.#state = 'started'
    await Promise.resolve(this.#parts)
  }

  /** Ends what works by itself; subscribers are told. */
  async stop(): Promise<void> {
    this.#state = 'stopping'
    await Promise.resolve()
  }

  /** Why apps should be sent to another node, one sentence each; empty: this one is ready. */
  readonly readiness = (): readonly string[] => readinessReasons(this.#parts, this.#state)

  /** Whose client certificate has this pin, by the configuration in force. */
  readonly didOfPin = (pin: string): string | null => this.#parts.live.config().certificatePins?.get(pin) ?? null
}

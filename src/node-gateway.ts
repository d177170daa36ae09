import type { NodeParts } from './node-parts.ts'

/** What a node offers apps and partners beside its operations. */
export class NodeGateway {
  readonly #parts: NodeParts

  constructor(parts: NodeParts) {
    this.#parts = parts
  }

  /** Begins what works by itself. */
  async start(): Promise<void> {
    await Promise.resolve(this.#parts)
  }

  /** Ends what works by itself; subscribers are told. */
  async stop(): Promise<void> {
    await Promise.resolve()
  }
}

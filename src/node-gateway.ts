import { Findings } from './findings/findings.ts'
import type { NodeParts } from './node-parts.ts'
import { NO_PARTNERS } from './partners/partner-keys.ts'

/** What a node offers apps and partners beside its operations. */
export class NodeGateway {
  readonly #parts: NodeParts
  /** What agents report for tenants. */
  readonly findings: Findings

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { store, clock } = parts.ports
    this.findings = new Findings({ ...parts, store, clock, partners: () => NO_PARTNERS })
  }

  /** Begins what works by itself. */
  async start(): Promise<void> {
    await Promise.resolve(this.#parts)
  }

  /** Ends what works by itself; subscribers are told. */
  async stop(): Promise<void> {
    await this.findings.idle()
  }
}

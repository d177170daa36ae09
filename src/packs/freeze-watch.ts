import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { FactsSource } from '../projections/packs.ts'
import { forkedAt } from '../projections/packs.ts'

export interface FreezeWatchPorts {
  readonly engine: FactsSource
  readonly policy: () => PolicyView
  readonly logger: Logger
}

/** An organisation of which nothing goes on. */
interface Frozen {
  readonly orgId: string
  /** Where two valid packs stand. */
  readonly packSeq: number
}

/**
 * Tells the operator that two valid packs of an organisation stand at one number, this node's own or another: only a
 * person can say which of them counts.
 */
export class FreezeWatch {
  readonly #ports: FreezeWatchPorts
  /** What was told, and holds still: at most one of each organisation of the policy. */
  #told = new Set<string>()

  constructor(ports: FreezeWatchPorts) {
    this.#ports = ports
  }

  /** Looks at what packs stand now; each freeze is logged once while it lasts. */
  async look(): Promise<void> {
    const found = await this.#frozen()
    for (const { orgId, packSeq } of found) {
      if (!this.#told.has(nameOf({ orgId, packSeq })))
        this.#ports.logger.warn({ orgId, packSeq }, 'two valid packs of an organisation stand at one number')
    }
    this.#told = new Set(found.map(nameOf))
  }

  async warnings(): Promise<readonly string[]> {
    const own = this.#ports.policy().self.orgId
    return (await this.#frozen()).map(({ orgId, packSeq }) => {
      const whose = orgId === own ? 'this organisation' : orgId
      return (
        `two valid packs of ${whose} stand at number ${packSeq}, so its keys stay as they are: compare hashes ` +
        `(anchormesh pack show ${orgId} ${packSeq}), then anchormesh trust pin ${orgId} ${packSeq} HASH`
      )
    })
  }

  /** This node's own organisation first. */
  async #frozen(): Promise<readonly Frozen[]> {
    const { engine, policy } = this.#ports
    const { self, policy: effective } = policy()
    const others = effective.peers.map(({ orgId }) => orgId).sort()
    const frozen: Frozen[] = []
    for (const orgId of new Set([self.orgId, ...others])) {
      const packSeq = await forkedAt(engine, orgId)
      if (packSeq !== null) frozen.push({ orgId, packSeq })
    }
    return frozen
  }
}

const nameOf = ({ orgId, packSeq }: Frozen): string => `${orgId} ${packSeq}`

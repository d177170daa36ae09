import type { EventLog } from '../log/event-log.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'

// A fork is no less one for being told a moment later, and a burst of events is looked at once.
const LOOK_AFTER_MS = 1_000

/** What looking for equivocations works with. */
export interface EquivocationPorts {
  readonly engine: ProjectionEngine
  readonly log: EventLog
  readonly policy: () => PolicyView
  /** The DID that this node signs as. */
  readonly self: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Tells the operator that keys signed two events at one position: its own key's fork is a thing to act on. */
export class EquivocationWatch {
  readonly #ports: EquivocationPorts
  readonly #logged = new Set<string>()
  #stopFollowing: (() => void) | null = null
  #cancelLook: (() => void) | null = null

  constructor(ports: EquivocationPorts) {
    this.#ports = ports
  }

  /** Looks at what the log holds, and from now on after what it takes in; each finding is logged once. */
  start(): void {
    this.#stopFollowing = this.#ports.log.onAppended((records) => {
      if (records.some(({ scope }) => scope === 'shared')) this.#lookSoon()
    })
    this.#lookSoon()
  }

  stop(): void {
    this.#stopFollowing?.()
    this.#cancelLook?.()
  }

  /** A sentence for each namespace in which there are some. Reads at most two rows of each, however many there are. */
  async warnings(): Promise<readonly string[]> {
    const { policy, self } = this.#ports
    const found: string[] = []
    for (const namespace of policy().namespaces) {
      const own = await this.#first(`${namespace}!${self}!`)
      if (own !== null) found.push(ownText(namespace, own.authorSeq))
      else if ((await this.#first(`${namespace}!`)) !== null) found.push(othersText(namespace))
    }
    return found
  }

  async #first(prefix: string): Promise<{ readonly authorSeq: number } | null> {
    for await (const row of this.#ports.engine.instance('equivocations').rowsWithPrefix(prefix))
      return { authorSeq: row['authorSeq'] as number }
    return null
  }

  #lookSoon(): void {
    this.#cancelLook ??= this.#ports.clock.after(LOOK_AFTER_MS, () => {
      this.#cancelLook = null
      this.#look().catch((error: unknown) => {
        this.#ports.logger.warn({ reason: messageOf(error) }, 'the equivocations could not be read')
      })
    })
  }

  async #look(): Promise<void> {
    for (const warning of await this.warnings()) {
      if (this.#logged.has(warning)) continue
      this.#logged.add(warning)
      this.#ports.logger.warn({}, warning)
    }
  }
}

function ownText(namespace: string, authorSeq: number): string {
  return (
    `THIS node's key signed two events at position ${authorSeq} of ${namespace}, for all to see: was it set back to a ` +
    'backup and announced before it had caught up, or does its keystore serve two nodes? ' +
    seeText(namespace)
  )
}

function othersText(namespace: string): string {
  return `a member of ${namespace} signed two events at one position (equivocation): ${seeText(namespace)}`
}

function seeText(namespace: string): string {
  return `anchormesh query equivocations --namespace ${namespace}`
}

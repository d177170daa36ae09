import type { KeyStatus } from '../../protocols/event/v1/anchor-pack.ts'
import type { EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import type { Store } from '../log/store.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { OneAtATime } from '../platform/one-at-a-time.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { isPack } from '../projections/packs.ts'
import { viewRows } from '../projections/rows-view.ts'

const TRUST_ANCHORS = 'trust-anchors'

/** A key of an organisation, as its packs that are in force show it. */
export interface StandingKey {
  readonly orgId: string
  readonly kid: string
  /** Base64url. */
  readonly publicKey: string
  readonly status: KeyStatus
}

export interface StandingKeysPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly logger: Logger
}

/** The rows of `trust-anchors`, at hand for who can't wait: read anew when packs or a policy have been folded. */
export class StandingKeys {
  readonly #ports: StandingKeysPorts
  #byOrganisation = new Map<string, ReadonlyMap<string, StandingKey>>()
  #byKid = new Map<string, readonly string[]>()
  /** The last record that may have changed a key and was not looked for yet; 0 when there is none. */
  #due = 0
  #generation: unknown = null
  /** Or an older reading could take the place of a newer. */
  readonly #look = new OneAtATime(
    () => this.#readIfDue(),
    (error) => this.#failed(error)
  )
  readonly #stops: (() => void)[] = []

  constructor(ports: StandingKeysPorts) {
    this.#ports = ports
  }

  async start(): Promise<void> {
    const { log, engine } = this.#ports
    this.#stops.push(
      log.onAppended((records) => this.#note(records)),
      engine.onAdvanced(() => void this.#look.run())
    )
    await this.#read()
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** `undefined` where packs know no such kid of the organisation. */
  of(orgId: string, kid: string): StandingKey | undefined {
    return this.#byOrganisation.get(orgId)?.get(kid)
  }

  /** All of an organisation, in the order of their kids. */
  ofOrganisation(orgId: string): readonly StandingKey[] {
    return [...(this.#byOrganisation.get(orgId)?.values() ?? [])]
  }

  /** The organisations whose packs know the kid. */
  organisationsWith(kid: string): readonly string[] {
    return this.#byKid.get(kid) ?? []
  }

  #note(records: readonly LoggedRecord[]): void {
    for (const record of records)
      if (isPack(record) || (record.scope === 'local' && record.event.type === 'policy'))
        this.#due = record.record.logSeq
  }

  async #readIfDue(): Promise<void> {
    const { state } = this.#ports.engine.instance(TRUST_ANCHORS)
    const isFolded = this.#due > 0 && state.cursor >= this.#due
    if (!isFolded && state.generation === this.#generation) return
    const { cursor } = state
    await this.#read()
    if (cursor >= this.#due) this.#due = 0
  }

  #failed(error: unknown): void {
    // It stays due: the next record that is folded brings it up again. A log that was closed needs nothing more.
    if (!this.#ports.log.closed)
      this.#ports.logger.error({ reason: messageOf(error) }, 'the keys of partners could not be brought up to date')
  }

  async #read(): Promise<void> {
    const { engine, store } = this.#ports
    const { generation } = engine.instance(TRUST_ANCHORS).state
    const byOrganisation = new Map<string, Map<string, StandingKey>>()
    const byKid = new Map<string, string[]>()
    await viewRows(engine, store, TRUST_ANCHORS, async (view) => {
      for await (const [, row] of view.range('')) {
        const { orgId, kid, publicKey, status } = row as unknown as StandingKey
        const keys = byOrganisation.get(orgId) ?? new Map<string, StandingKey>()
        keys.set(kid, { orgId, kid, publicKey, status })
        byOrganisation.set(orgId, keys)
        byKid.set(kid, [...(byKid.get(kid) ?? []), orgId])
      }
    })
    this.#byOrganisation = byOrganisation
    this.#byKid = byKid
    this.#generation = generation
  }
}

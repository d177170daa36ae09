import type { EventLog } from '../log/event-log.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionPage } from '../projections/query.ts'
import { feedbackPage, findingsPage, oneFinding } from './queries.ts'
import type { FeedbackQuery, FindingView, FindingsQuery, QueryPorts } from './queries.ts'
import { carriesTenant } from './tenants.ts'

export interface FindingsReaderPorts extends Omit<QueryPorts, 'epoch'> {
  readonly log: EventLog
  readonly policy: () => PolicyView
}

/** What tenants are shown of their findings. Whether a reader may see a tenant is asked before. */
export class FindingsReader {
  readonly #ports: FindingsReaderPorts

  constructor(ports: FindingsReaderPorts) {
    this.#ports = ports
  }

  /** See `findingsPage`. */
  async page(tenant: string, query: FindingsQuery): Promise<ProjectionPage> {
    return await findingsPage(tenant, query, this.#querying())
  }

  /** See `oneFinding`. */
  async one(
    tenant: string,
    findingId: string,
    moment: Pick<FindingsQuery, 'at' | 'waitFor'>
  ): Promise<FindingView | null> {
    return await oneFinding(tenant, findingId, moment, this.#querying())
  }

  /** See `feedbackPage`. */
  async feedbackPage(tenant: string, query: FeedbackQuery): Promise<ProjectionPage> {
    return await feedbackPage(tenant, query, this.#querying())
  }

  /** Whether a namespace of the tenant is carried, or was when something came for it. */
  async knows(tenant: string): Promise<boolean> {
    if (carriesTenant(tenant, this.#ports.policy())) return true
    return (await this.page(tenant, { limit: 1 })).rows.length > 0
  }

  #querying(): QueryPorts {
    return { ...this.#ports, epoch: this.#ports.log.epoch }
  }
}

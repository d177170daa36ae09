import type { UnverifiedSignature } from '../../protocols/delivery/v1/signed-body.ts'
import { decodeFeedback } from '../../protocols/feedback/v1/feedback.ts'
import type { Feedback } from '../../protocols/feedback/v1/feedback.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { decodeTelemetry, fingerprintOf } from '../../protocols/telemetry/v1/telemetry.ts'
import type { Telemetry } from '../../protocols/telemetry/v1/telemetry.ts'
import type { DecodedTenantRequest } from '../../protocols/telemetry/v1/tenant-request.ts'
import { localEvent } from '../events/local.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import { assureFreeBytes } from '../log/free-room.ts'
import type { Store } from '../log/store.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { RequestFacts } from '../ingest/request-guard.ts'
import { InTurn } from '../platform/in-turn.ts'
import type { PartnerKey } from '../partners/partner-keys.ts'
import { checkSigner } from '../partners/signer-check.ts'
import type { ProvenSigner, SignerCheckPorts } from '../partners/signer-check.ts'
import { checkCrossOrgPolicy } from '../policy/cross-org.ts'
import { tenantMeasurementProblem } from '../policy/effect-rules.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { FeedbackTaken, TelemetryTaken } from '../projections/finding-records.ts'
import { findingKey, isBoundTo } from '../projections/findings.ts'
import type { FindingRow } from '../projections/findings.ts'
import { viewRows } from '../projections/rows-view.ts'
import { FindingsAudit } from './audit.ts'
import type { RequestOrigin } from './audit.ts'
import { refused } from './codes.ts'
import type { FindingsRefusal } from './codes.ts'
import { FindingsBook } from './outcomes.ts'
import type { FindingsKind, FindingsOutcomes } from './outcomes.ts'
import { FindingsReader } from './reader.ts'
import { carriesTenant, speaksFor } from './tenants.ts'

// A turn is two synced writes, some 10 ms on a slow disk: who comes last waits for a second. Each holds a body of up to
// 256 KiB.
export const REQUESTS_WAITING_MAX = 100

// What agents report must not take the room that the log needs (64 MiB), nor that of what is sealed here.
const FINDINGS_FREE_BYTES_MIN = 512 * 1024 * 1024

export interface FindingsPorts extends SignerCheckPorts {
  readonly policy: () => PolicyView
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly audit: CountingTrail
}

/** The answer to telemetry (TM-13). */
export interface TelemetryAnswer {
  readonly reportId: string
  readonly bodyHash: string
  readonly fingerprint: string
  /** How many of the findings are new, and how many were known. */
  readonly findings: number
  readonly known: number
  /** From here on they can be queried. */
  readonly logSeq: number
}

/** The answer to feedback (FB-12). */
export interface FeedbackAnswer {
  readonly feedbackId: string
  readonly bodyHash: string
  readonly findingId: string
  /** From here on it is applied. */
  readonly logSeq: number
}

export type Taken<Answer> = { readonly ok: true; readonly answer: Answer } | FindingsRefusal

/** What came since the start: `telemetry` and `feedback` that was taken, and refusals by code; `failed`: the rest. */
export type FindingsCounts = Readonly<Record<string, number>>

/** Takes what agents report for tenants, and what is said of it (protocols/telemetry/v1, protocols/feedback/v1). */
export class Findings {
  readonly #ports: FindingsPorts
  readonly #audit: FindingsAudit
  readonly #book = new FindingsBook()
  // What is checked against the rows must still be so when it is logged.
  readonly #line = new InTurn()
  #waiting = 0
  /** What became of it. */
  readonly reader: FindingsReader

  constructor(ports: FindingsPorts) {
    this.#ports = ports
    this.reader = new FindingsReader(ports)
    this.#audit = new FindingsAudit(ports.audit, (tenant) => carriesTenant(tenant, ports.policy()))
  }

  get counts(): FindingsCounts {
    return this.#book.summary
  }

  get outcomes(): FindingsOutcomes {
    return this.#book.outcomes
  }

  /**
   * Takes a report for the tenant of the route; it is durable when this resolves. Throws `STORE_FULL`, `STORE_CORRUPT`,
   * `PROJECTION_HALTED`.
   */
  async takeTelemetry(tenant: string, body: Uint8Array, origin: RequestOrigin): Promise<Taken<TelemetryAnswer>> {
    const decoding = decodeTelemetry(body)
    const taken = decoding.ok
      ? await this.#counted('telemetry', this.#telemetry(tenant, decoding.decoded))
      : this.#noted('telemetry', decoding)
    const claimed = decoding.ok ? decoding.decoded.request : null
    this.#audit.tell({ action: 'TELEMETRY_TAKEN', tenant, origin, claimed }, taken)
    return taken
  }

  /** Takes feedback on a finding of the tenant of the route; as `takeTelemetry`. */
  async takeFeedback(tenant: string, body: Uint8Array, origin: RequestOrigin): Promise<Taken<FeedbackAnswer>> {
    const decoding = decodeFeedback(body)
    const taken = decoding.ok
      ? await this.#counted('feedback', this.#feedback(tenant, decoding.decoded))
      : this.#noted('feedback', decoding)
    const claimed = decoding.ok ? decoding.decoded.request : null
    this.#audit.tell({ action: 'FEEDBACK_TAKEN', tenant, origin, claimed }, taken)
    return taken
  }

  /** Waits for what is under way. */
  async idle(): Promise<void> {
    await this.#line.idle()
  }

  async #telemetry(route: string, decoded: DecodedTenantRequest<Telemetry>): Promise<Taken<TelemetryAnswer>> {
    const { request, signature } = decoded
    const { tenant, signer, timestamp: ts } = request
    const facts = { ...request, ts }
    const proven = this.#proven(facts, signature, route)
    if (!proven.ok) return proven
    const policy = this.#ports.policy()
    // [REJECT] TM-11, 6.
    if (!speaksFor(tenant, proven.key, policy)) return foreign(proven.key, tenant)
    // [REJECT] TM-11, 7.
    const named = request.payload.attestationMeasurementHash
    const denied = tenantMeasurementProblem({ tenant, signer, named }, policy)
    if (denied !== null) return refused('ATTESTATION_DENIED', denied)
    return await this.#inTurn(async () => {
      if (!this.#isStillUsed(proven.key)) return takenBack(proven.key)
      if (!speaksFor(tenant, proven.key, this.#ports.policy())) return foreign(proven.key, tenant)
      // [REJECT] TM-11, 8.
      const nonce = await this.#ports.guard.nonce(facts)
      return nonce.ok ? await this.#log(decoded) : nonce
    })
  }

  /** TM-11, 1 to 5. `route`: the tenant that the route names. */
  #proven(
    facts: RequestFacts & { readonly tenant: string },
    signature: UnverifiedSignature,
    route: string
  ): ProvenSigner {
    const { tenant } = facts
    const misplaced = tenant === route ? null : `it is signed for the tenant ${tenant}, and the route is of ${route}`
    return checkSigner(facts, signature, this.#ports, { misplaced, tellsForeignKids: true })
  }

  async #log({ request, id, body }: DecodedTenantRequest<Telemetry>): Promise<Taken<TelemetryAnswer>> {
    const { tenant, signer, kid, timestamp, payload } = request
    const { execution, attestationMeasurementHash } = payload
    const fingerprint = fingerprintOf(request)
    const reported = payload.findings.map(({ findingId, kind, severity, score }) => ({
      findingId,
      kind,
      severity,
      score
    }))
    const rows = await this.#rows(reported.map(({ findingId }) => findingKey(tenant, findingId)))
    // [REJECT] TM-12.
    for (const [index, finding] of reported.entries()) {
      const row = rows[index]
      if (row === undefined) continue
      const { findingId, kind, severity, score } = finding
      if (row.fingerprint !== fingerprint)
        return refused('MAPPING_VIOLATION', `the finding ${findingId} of ${tenant} is of another execution`)
      const same = row.kind === kind && row.reported.severity === severity && row.reported.score === score
      if (!same) return refused('FINDING_EXISTS', `the finding ${findingId} of ${tenant} was reported otherwise`)
    }
    const bodyHash = sha256Hex(body)
    const taken: TelemetryTaken = {
      tenant,
      signer,
      kid,
      bodyHash,
      reportId: id,
      timestamp,
      executionId: execution.id,
      attestationMeasurementHash,
      fingerprint,
      findings: reported
    }
    const logSeq = await this.#keep('telemetry', taken, body)
    const known = rows.filter((row) => row !== undefined).length
    const findings = reported.length - known
    return { ok: true, answer: { reportId: id, bodyHash, fingerprint, findings, known, logSeq } }
  }

  async #feedback(route: string, decoded: DecodedTenantRequest<Feedback>): Promise<Taken<FeedbackAnswer>> {
    const { request, signature, id, body } = decoded
    const facts = { ...request, ts: request.signedAt }
    const proven = this.#proven(facts, signature, route)
    if (!proven.ok) return proven
    const { key } = proven
    return await this.#inTurn(async () => {
      if (!this.#isStillUsed(key)) return takenBack(key)
      // [REJECT] FB-8.
      const nonce = await this.#ports.guard.nonce(facts)
      if (!nonce.ok) return nonce
      const { tenant, signer, kid, signedAt, data } = request
      const { comment: _comment, ...judged } = data
      const [row] = await this.#rows([findingKey(tenant, data.findingId)])
      // [REJECT] FB-9.
      if (!this.#mayJudge(tenant, key, row)) return foreign(key, tenant)
      // [REJECT] FB-10.
      if (row === undefined) return refused('FINDING_UNKNOWN', `${tenant} has no finding ${data.findingId} here`)
      // [REJECT] FB-11.
      if (!isBoundTo(data, row))
        return refused('MAPPING_VIOLATION', 'fingerprint and measurement are not those of the finding')
      const bodyHash = sha256Hex(body)
      const taken: FeedbackTaken = { tenant, signer, kid, bodyHash, feedbackId: id, signedAt, ...judged }
      const logSeq = await this.#keep('feedback', taken, body)
      return { ok: true, answer: { feedbackId: id, bodyHash, findingId: data.findingId, logSeq } }
    })
  }

  /** Whether nobody took the key back, or gave it to another tenant, while the request waited for its turn. */
  #isStillUsed({ did, kid, key, tenant }: PartnerKey): boolean {
    const now = this.#ports.partners.of(did, kid)
    return now.some((one) => one.tenant === tenant && Buffer.compare(one.key.bytes, key.bytes) === 0)
  }

  /** FB-9: a key of the tenant; or one of another organisation, which a rule lets judge what that of the agent found. */
  #mayJudge(tenant: string, key: PartnerKey, row: FindingRow | undefined): boolean {
    const policy = this.#ports.policy()
    if (speaksFor(tenant, key, policy)) return true
    const from = policy.orgOf(key.did)
    const to = row === undefined ? undefined : policy.orgOf(row.signer)
    // Within one organisation a key domain is all that parts its tenants.
    if (from === undefined || to === undefined || from === to) return false
    return checkCrossOrgPolicy(policy.policy, { from, to, operation: 'feedback' }).ok
  }

  /** Rows as everything left them that was logged until now. */
  async #rows(keys: readonly string[]): Promise<readonly (FindingRow | undefined)[]> {
    const { log, engine, store } = this.#ports
    // A write that seemed to fail may have logged something.
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'findings')
    return (await viewRows(engine, store, 'findings', (view) => view.rows(keys))) as (FindingRow | undefined)[]
  }

  /** Writes the body, then the record that names it: one that nobody names harms nobody. */
  async #keep(
    type: 'telemetry' | 'feedback',
    taken: TelemetryTaken | FeedbackTaken,
    body: Uint8Array
  ): Promise<number> {
    const { blobs, log, clock } = this.#ports
    await blobs.put([{ hash: taken.bodyHash, bytes: body }], { sync: true })
    const [logged] = await log.append([{ scope: 'local', event: localEvent(type, clock.now(), taken) }])
    if (logged === undefined) throw new Error('the log took nothing')
    return logged.record.logSeq
  }

  async #inTurn<Answer>(work: () => Promise<Taken<Answer>>): Promise<Taken<Answer>> {
    if (this.#waiting >= REQUESTS_WAITING_MAX) return refused('OVERLOADED', 'as many requests as are taken are waiting')
    this.#waiting += 1
    try {
      // Before anything is used up.
      await assureFreeBytes(this.#ports.store, FINDINGS_FREE_BYTES_MIN, 'findings')
      return await this.#line.run(work)
    } finally {
      this.#waiting -= 1
    }
  }

  async #counted<Answer>(kind: FindingsKind, taking: Promise<Taken<Answer>>): Promise<Taken<Answer>> {
    try {
      return this.#noted(kind, await taking)
    } catch (error) {
      this.#book.add(kind, 'failed')
      throw error
    }
  }

  #noted<Result extends { readonly ok: true } | FindingsRefusal>(kind: FindingsKind, taken: Result): Result {
    this.#book.add(kind, taken.ok ? 'taken' : taken.code)
    return taken
  }
}

function takenBack({ did, kid }: PartnerKey): FindingsRefusal {
  return refused('NODE_UNKNOWN', `the key ${kid} of ${did} is in use here no more`)
}

function foreign({ did, kid, tenant }: PartnerKey, asked: string): FindingsRefusal {
  const domain = tenant === null ? 'no tenant' : `the tenant ${tenant}`
  return refused('MAPPING_VIOLATION', `the key ${kid} of ${did} speaks for ${domain} here, and not for ${asked}`)
}

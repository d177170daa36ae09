import type { Envelope } from '../../../protocols/event/v1/envelope.ts'
import { utf8 } from '../../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey } from '../../../protocols/signature/v1/ed25519.ts'
import type { LoggedEventAnswer } from '../../api/answers.ts'
import type { LogConsistencyAnswer, LogInclusionAnswer } from '../../api/log-proofs.ts'
import type { ProjectionName, RowOf } from '../../api/rows.ts'
import { checkProof } from '../../proofs/check-proof.ts'
import type { ProofReport } from '../../proofs/report.ts'
import { ClientError, verificationFailed } from '../errors.ts'
import { checkEvent } from './events.ts'
import { judgeLog, readSignedCheckpoint, requireIncluded } from './log.ts'
import type { CheckedLog } from './log.ts'
import { checkRow } from './rows.ts'
import type { RowCheck } from './rows.ts'
import { Trust } from './trust.ts'
import type { TrustOptions } from './trust.ts'

/** Where the last good checkpoint of the node's log is kept; a `CursorStore` of its own serves. */
export interface CheckpointStore {
  load(): Promise<string | null>
  save(note: string): Promise<void>
}

/** What an app has its client check, so that it need not trust its node. */
export interface VerifyOptions {
  readonly trust: TrustOptions
  /** Without one the log is held against what it was at the first look of this client. */
  readonly checkpointStore?: CheckpointStore
  /**
   * Whether each row of `query`, `rows` and `subscribe` is held against the events that it names before it is shown, as
   * `verifyRow` does; these are asked for one by one. By default only those of receipts are.
   */
  readonly rows?: boolean
}

/** What checks ask the node for. */
export interface VerifierQueries {
  readonly event: (id: string) => Promise<LoggedEventAnswer | null>
  readonly checkpoint: () => Promise<string>
  readonly consistency: (from: number, to: number) => Promise<LogConsistencyAnswer>
  readonly inclusion: (logSeq: number, size: number) => Promise<LogInclusionAnswer>
}

// Rows of one batch go back to the same few events; a thousand of them are some MiB.
const ENVELOPES_KEPT_MAX = 1_024

/** Checks what a node says by what the app knows. Everything throws `VERIFICATION_FAILED`, its `reason` says why. */
export class Verifier {
  readonly #trust: Trust
  readonly #store: CheckpointStore | undefined
  readonly #checksRows: boolean
  readonly #envelopes = new Map<string, Envelope>()
  #note: string | null = null

  /** Throws `TRUST_INVALID`. */
  constructor({ trust, checkpointStore, rows = false }: VerifyOptions) {
    this.#trust = new Trust(trust)
    this.#store = checkpointStore
    this.#checksRows = rows
  }

  /** Whether rows of a projection are checked before they are shown. */
  checksRowsOf(name: ProjectionName): boolean {
    return this.#checksRows || name === 'receipts'
  }

  /** The DID whose log the app means; undefined where it says nothing. */
  get logOf(): string | undefined {
    return this.#trust.logOf
  }

  /** The keys of a DID by this kid that the app knows. */
  keysOf(did: string, kid: string): readonly CheckedPublicKey[] {
    const found = this.#trust.findKeys(did, kid)
    return found.ok ? found.keys : []
  }

  /** An event as the node shows it. */
  event(logged: LoggedEventAnswer): Envelope {
    const check = checkEvent(logged, this.#trust)
    if (!check.ok) throw verificationFailed(check.code, `event ${logged.id ?? logged.logSeq}: ${check.detail}`)
    return check.envelope
  }

  /** A row, by the signed events that it names. */
  async row<Name extends ProjectionName>(name: Name, row: RowOf<Name>, queries: VerifierQueries): Promise<RowCheck> {
    return await checkRow(name, row, { trust: this.#trust, event: (id) => this.#eventOf(id, queries) })
  }

  /** A proof file. What can't be decided here is undecided in the report; what fails is thrown. */
  async proof(file: string, signal: AbortSignal): Promise<ProofReport> {
    const check = await checkProof(utf8(file), this.#trust, signal)
    if (!check.ok) throw verificationFailed(check.code, check.detail)
    const failed = check.report.steps.find(({ outcome }) => outcome === 'failed')
    if (failed !== undefined) throw verificationFailed(failed.code ?? failed.step, failed.detail)
    return check.report
  }

  /** The node's log: signed, and begun by what it was at the last look. The new state is kept. */
  async log(queries: VerifierQueries): Promise<CheckedLog> {
    const kept = this.#note ?? (await this.#store?.load()) ?? null
    const checked = await judgeLog(await queries.checkpoint(), kept, this.#trust, (from, to) =>
      queries.consistency(from, to)
    )
    if (checked.outcome !== 'same') await this.#store?.save(checked.note)
    this.#note = checked.note
    return checked
  }

  /** That the log of an older checkpoint (of a receipt) is the one that the node shows. */
  async sameLog(note: string, queries: VerifierQueries): Promise<void> {
    const { note: newest } = await this.log(queries)
    await judgeLog(newest, note, this.#trust, (from, to) => queries.consistency(from, to))
  }

  /** That the log under its newest checkpoint holds this event at its place. */
  async inLog(logged: LoggedEventAnswer, queries: VerifierQueries): Promise<CheckedLog> {
    this.event(logged)
    const log = await this.log(queries)
    if (logged.logSeq > log.size)
      throw verificationFailed('NOT_IN_LOG', `the log has ${log.size} records, and none at position ${logged.logSeq}`)
    const inclusion = await queries.inclusion(logged.logSeq, log.size)
    requireIncluded(logged, readSignedCheckpoint(log.note, this.#trust), inclusion)
    return log
  }

  async #eventOf(id: string, { event }: VerifierQueries): Promise<Envelope> {
    const known = this.#envelopes.get(id)
    if (known !== undefined) return known
    const logged = await event(id)
    if (logged === null) throw verificationFailed('EVENT_MISSING', `the node has no event ${id}, which its row names`)
    if (logged.id !== id) throw verificationFailed('EVENT_MISMATCH', `asked for ${id}, the node showed ${logged.id}`)
    const envelope = this.event(logged)
    if (this.#envelopes.size >= ENVELOPES_KEPT_MAX) this.#envelopes.clear()
    this.#envelopes.set(id, envelope)
    return envelope
  }
}

/** The verifier of a client. Throws `NOTHING_TO_VERIFY_WITH`. */
export function requireVerifier(verifier: Verifier | null): Verifier {
  if (verifier !== null) return verifier
  throw new ClientError('NOTHING_TO_VERIFY_WITH', 'the client was made without `verify`', {
    hint: 'Give createClient({ verify: { trust: { … } } }) what you know of the signers’ keys.'
  })
}

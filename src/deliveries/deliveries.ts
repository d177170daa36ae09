import type { SignedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { signReceipt } from '../../protocols/delivery/v1/receipt.ts'
import type { Challenge, DecodedSigned, Delivery } from '../../protocols/delivery/v1/request.ts'
import { decodeChallenge, decodeDelivery } from '../../protocols/delivery/v1/request.ts'
import type { SignedBodyCode } from '../../protocols/delivery/v1/signed-body.ts'
import { originOf } from '../../protocols/checkpoint/v1/note.ts'
import { toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import { localEvent } from '../events/local.ts'
import { RateLimiter, perDay, perMinute } from '../ingest/rate-limiter.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import { assureFreeBytes } from '../log/free-room.ts'
import type { LogRecord } from '../log/record.ts'
import { GENESIS_HASH } from '../log/record.ts'
import type { Store } from '../log/store.ts'
import { NO_BODY_REFUSALS } from '../partners/body-refusals.ts'
import type { Asking, PartnerRefusal, PartnerRefusalCode, PartnerRequests } from '../partners/partner-requests.ts'
import type { PartnerKey } from '../partners/partner-keys.ts'
import type { AuditAction, CountingTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { DeliveryTaken } from '../projections/deliveries.ts'
import type { LogProofOperations } from '../transparency/log-proof-operations.ts'
import type { Signer } from '../trust/signer.ts'
import type { GivenToken } from './challenge-tokens.ts'
import { ChallengeTokens } from './challenge-tokens.ts'

// What is delivered must not take the room that the log needs (64 MiB), nor that of what is sealed here.
const DELIVERY_FREE_BYTES_MIN = 512 * 1024 * 1024
// Each is up to 1 MiB, and as much again while it is read.
const DELIVERIES_AT_ONCE_MAX = 16
// Two for each sender and namespace, of whom there are as many as operators register; about 2 MiB.
const SENDER_BUCKETS_MAX = 20_000
// A signer that is exchanged just now signs the next one.
const RECEIPT_ATTEMPTS = 3

export interface DeliveriesPorts {
  readonly requests: PartnerRequests
  readonly policy: () => PolicyView
  readonly signer: () => Signer
  readonly log: EventLog
  readonly store: Store
  readonly blobs: BlobStore
  readonly proofs: Pick<LogProofOperations, 'logCheckpoint'>
  readonly clock: Clock
  readonly random: Random
  readonly audit: CountingTrail
}

/** Why a challenge or delivery is refused (SPEC DE-1 to DE-14). */
export type DeliveryRefusalCode =
  | SignedBodyCode
  | PartnerRefusalCode
  | 'NAMESPACE_NOT_CARRIED'
  | 'SIGNER_NOT_MEMBER'
  | 'MAPPING_VIOLATION'
  | 'TOKEN_INVALID'
  | 'TOKEN_EXPIRED'
  | 'RATE_LIMITED'

export type Answered<Value> = { readonly ok: true; readonly value: Value } | PartnerRefusal<DeliveryRefusalCode>

/** What became of a challenge or delivery; `failed`: neither taken nor refused, as when the disk is full. */
export type DeliveryOutcome = 'taken' | 'failed' | DeliveryRefusalCode

/** What came since the start, by outcome. */
export interface DeliveryCounts {
  readonly challenges: Counts<DeliveryOutcome>
  readonly deliveries: Counts<DeliveryOutcome>
}

const NO_OUTCOMES: Counts<DeliveryOutcome> = {
  ...NO_BODY_REFUSALS,
  taken: 0,
  failed: 0,
  WRONG_AUDIENCE: 0,
  TIMESTAMP_SKEW: 0,
  NODE_UNKNOWN: 0,
  OVERLOADED: 0,
  NAMESPACE_NOT_CARRIED: 0,
  SIGNER_NOT_MEMBER: 0,
  MAPPING_VIOLATION: 0,
  TOKEN_INVALID: 0,
  TOKEN_EXPIRED: 0,
  RATE_LIMITED: 0
}

/** Gives out tokens, takes deliveries in, and hands out receipts for them (protocols/delivery/v1). */
export class Deliveries {
  readonly #ports: DeliveriesPorts
  readonly #tokens: ChallengeTokens
  readonly #rates: RateLimiter
  readonly #outcomes = { challenges: new Tally(NO_OUTCOMES), deliveries: new Tally(NO_OUTCOMES) }
  #underWay = 0

  constructor(ports: DeliveriesPorts) {
    this.#ports = ports
    this.#tokens = new ChallengeTokens(ports)
    this.#rates = new RateLimiter(ports.clock, SENDER_BUCKETS_MAX)
  }

  get counts(): DeliveryCounts {
    const { challenges, deliveries } = this.#outcomes
    return { challenges: challenges.counts, deliveries: deliveries.counts }
  }

  /** Answers the body of a challenge. Rejects where the store can't be written. */
  async challenge(body: Uint8Array, asking: Asking): Promise<Answered<GivenToken>> {
    return await this.#counted('challenges', this.#challenge(body, asking))
  }

  async #challenge(body: Uint8Array, asking: Asking): Promise<Answered<GivenToken>> {
    const decoding = decodeChallenge(body)
    if (!decoding.ok) return decoding
    const { request, signature } = decoding.decoded
    const { requests } = this.#ports
    const verified = requests.verify(request, signature, asking)
    if (!verified.ok) return verified
    const used = await requests.useNonce(request, asking)
    if (!used.ok) return used
    const value = this.#tokens.give(request.signer)
    return value === null ? refused('OVERLOADED', 'too many tokens are given out') : { ok: true, value }
  }

  /**
   * Answers the body of a delivery: with a receipt once payload and log record are durable. Rejects with `STORE_FULL`,
   * and where the store can't be written or the signer be reached; then the delivery may have been taken in.
   */
  async deliver(body: Uint8Array, asking: Asking): Promise<Answered<SignedReceipt>> {
    return await this.#counted('deliveries', this.#delivery(body, asking))
  }

  async #counted<Value>(what: keyof DeliveryCounts, answering: Promise<Answered<Value>>): Promise<Answered<Value>> {
    const outcomes = this.#outcomes[what]
    try {
      const answered = await answering
      outcomes.add(answered.ok ? 'taken' : answered.code)
      return answered
    } catch (error) {
      outcomes.add('failed')
      throw error
    }
  }

  async #delivery(body: Uint8Array, asking: Asking): Promise<Answered<SignedReceipt>> {
    if (this.#underWay >= DELIVERIES_AT_ONCE_MAX)
      return refused('OVERLOADED', 'as many deliveries as are taken are under way')
    this.#underWay += 1
    try {
      return await this.#deliver(body, asking)
    } finally {
      this.#underWay -= 1
    }
  }

  async #deliver(body: Uint8Array, asking: Asking): Promise<Answered<SignedReceipt>> {
    const decoding = decodeDelivery(body)
    if (!decoding.ok) return decoding
    const { request, signature } = decoding.decoded
    const { requests } = this.#ports
    const verified = requests.verify(request, signature, asking)
    if (!verified.ok) return verified
    // [REJECT] DE-12.
    const mapping = this.#mappingProblem(request, verified.key)
    if (mapping !== null) return this.#refuse('REQUEST_MAPPING_REFUSED', mapping, request)
    // Before anything is used up.
    await assureFreeBytes(this.#ports.store, DELIVERY_FREE_BYTES_MIN, 'deliveries')
    const used = await requests.useNonce(request, asking)
    if (!used.ok) return used
    // [REJECT] DE-14.
    const taken = this.#tokens.take(request.token, request.signer)
    if (taken !== 'taken') {
      const detail = taken === 'TOKEN_EXPIRED' ? 'the token has expired' : `${request.signer} has no such token`
      return this.#refuse('ACCESS_REFUSED', refused(taken, detail), request)
    }
    // Per signer only now, or what somebody else replays would silence it.
    if (!this.#isWithinRate(request)) return refused('RATE_LIMITED', 'it delivers faster than policy allows')
    const record = await this.#store(decoding.decoded)
    return { ok: true, value: await this.#receipt(decoding.decoded, record) }
  }

  #mappingProblem({ namespace, signer }: Delivery, { tenant }: PartnerKey): PartnerRefusal<DeliveryRefusalCode> | null {
    const policy = this.#ports.policy()
    const settings = policy.settings(namespace)
    if (settings === undefined) return refused('NAMESPACE_NOT_CARRIED', `this node does not carry ${namespace}`)
    if (policy.orgOf(signer) !== undefined && !policy.isMember(namespace, signer))
      return refused('SIGNER_NOT_MEMBER', `${signer} is no member of ${namespace}`)
    // A key of no tenant delivers for every one, as it signs events for every one.
    if (tenant !== null && tenant !== settings.tenant)
      return refused('MAPPING_VIOLATION', `the key delivers for the tenant ${tenant}, not to ${namespace}`)
    return null
  }

  #refuse(
    action: AuditAction,
    refusal: PartnerRefusal<DeliveryRefusalCode>,
    { signer, namespace }: Delivery
  ): PartnerRefusal<DeliveryRefusalCode> {
    const { code } = refusal
    // What is not carried is whatever somebody wrote, and counts together.
    const subject = this.#ports.policy().carries(namespace) ? namespace : 'unknown'
    this.#ports.audit.count({ action, actor: signer, subject, outcome: 'refused', code })
    return refusal
  }

  #isWithinRate({ namespace, signer }: Delivery): boolean {
    const { perSigner, dailyCap } = this.#ports.policy().rate(namespace)
    const name = `${namespace}!${signer}`
    return this.#rates.take(perMinute(name, perSigner), perDay(name, dailyCap))
  }

  /** The payload as a blob, then its record in the log, both synced. */
  async #store({ request, canonical, hash }: DecodedSigned<Delivery>): Promise<LogRecord> {
    const { blobs, log, clock, audit } = this.#ports
    const { signer: from, kid, namespace, ts } = request
    const bytes = canonical.length
    // As durable as the log that names it, before it does.
    await blobs.put([{ hash, bytes: canonical }], { sync: true })
    const body: DeliveryTaken = { deliveryHash: hash, from, kid, namespace, bytes, ts }
    const [logged] = await log.append([{ scope: 'local', event: localEvent('delivery', clock.now(), body) }])
    if (logged === undefined) throw new AnchormeshError('INTERNAL', 'a delivery was logged at no position')
    const { record } = logged
    audit.record({
      action: 'DELIVERY_TAKEN',
      actor: from,
      subject: namespace,
      outcome: 'ok',
      code: null,
      detail: { kid, deliveryHash: hash, bytes, logSeq: record.logSeq }
    })
    return record
  }

  async #receipt({ request, hash }: DecodedSigned<Challenge>, record: LogRecord): Promise<SignedReceipt> {
    const { log, signer: current, proofs, clock } = this.#ports
    const { logSeq, recordedAt } = record
    const before = logSeq === 1 ? undefined : await log.read(logSeq - 1)
    for (let attempt = 1; attempt <= RECEIPT_ATTEMPTS; attempt += 1) {
      // A write of somebody else that fails has the tree loaded anew.
      await log.tree.ready()
      const signer = current()
      const { origin, note, size } = await proofs.logCheckpoint()
      if (origin !== originOf({ signer: signer.did, kid: signer.kid }) || size < logSeq) continue
      const receipt = {
        v: 1,
        audience: request.signer,
        signer: signer.did,
        kid: signer.kid,
        deliveryHash: hash,
        logSeq,
        checkpoint: note,
        record: {
          previousHash: toHex(before?.hash ?? GENESIS_HASH),
          recordedAt,
          bytes: toBase64url(record.payload)
        },
        ts: clock.now()
      } as const
      return await signReceipt(receipt, (input) => signer.sign(input))
    }
    throw new AnchormeshError('NOT_YET', 'the delivery is in the log, but no checkpoint could be made over it')
  }
}

function refused<Code extends string>(code: Code, detail: string): PartnerRefusal<Code> {
  return { ok: false, code, detail }
}

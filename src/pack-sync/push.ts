import { decodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import type { AuditTrail } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import type { EffectivePolicy } from '../policy/policy.ts'
import { checkCrossOrgPolicy } from '../policy/cross-org.ts'
import { endOfRefusal } from './refusal.ts'
import type { PackPlace, PackShelf } from './shelf.ts'
import type { PackRefusal, PackTransport } from './transport.ts'

/** What is pushed to whom. */
export interface PushRequest {
  /** Whose packs. */
  readonly orgId: string
  /** The organisation that gives them. */
  readonly from: string
  /** Who is to get them; `*` where nobody knows whose the target is, `null` for a file. */
  readonly to: string | null
  readonly transport: PackTransport
  readonly shelf: PackShelf
  readonly policy: Pick<EffectivePolicy, 'crossOrg'>
  readonly audit?: AuditTrail
  readonly requestId?: string
}

/**
 * `done`: the target has all of them. `refused`: it takes them not, or policy does not let it. `unreachable`: it does
 * not answer. `undecided`: they wait there for something.
 */
export interface PackPushResult {
  readonly target: string
  readonly orgId: string
  readonly outcome: 'done' | 'refused' | 'unreachable' | 'undecided'
  readonly code: string | null
  readonly detail: string | null
  /** The last pack that is here. */
  readonly headPackSeq: number
  /** How many events came to which end. */
  readonly outcomes: Readonly<Partial<Record<PushOutcome['outcome'], number>>>
}

export interface PushRunOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

type End = Pick<PackPushResult, 'outcome' | 'code' | 'detail'>

/**
 * Gives an organisation's packs to a target, those that it lacks, the oldest first, with what stands between them on
 * their chains. Doing it again changes nothing.
 */
export async function pushAnchorPack(
  request: PushRequest,
  { signal = new AbortController().signal, onProgress = () => {} }: PushRunOptions = {}
): Promise<PackPushResult> {
  const { orgId, from, to, transport, shelf, policy } = request
  const places = (await shelf.places(orgId)) ?? []
  const headPackSeq = places.at(-1)?.packSeq ?? 0
  const outcomes: Partial<Record<PushOutcome['outcome'], number>> = {}
  const conclude = (end: End): PackPushResult => {
    const result = { target: transport.name, orgId, ...end, headPackSeq, outcomes }
    audit(request, result)
    return result
  }
  const check = to === null ? { ok: true as const } : checkCrossOrgPolicy(policy, { from, to, operation: 'pack-push' })
  if (!check.ok) return conclude({ outcome: 'refused', code: check.code, detail: check.detail })
  if (headPackSeq === 0)
    return conclude({ outcome: 'refused', code: 'PACK_GAP', detail: `there is no pack of ${orgId} to push` })
  const held = await headOf(orgId, headPackSeq, transport, signal)
  if (typeof held !== 'number') return conclude(endOfRefusal(held))
  const wanted = places.filter(({ packSeq }) => packSeq > held)
  for (const [index, place] of wanted.entries()) {
    const end = await pushPlace(place, places, request, outcomes, signal)
    if (end !== null) return conclude(end)
    onProgress(index + 1, wanted.length)
  }
  if ((outcomes.pending ?? 0) > 0)
    return conclude({ outcome: 'undecided', code: 'PENDING', detail: 'some wait there for a key or a predecessor' })
  return conclude({ outcome: 'done', code: null, detail: null })
}

async function pushPlace(
  place: PackPlace,
  places: readonly PackPlace[],
  { shelf, transport }: PushRequest,
  outcomes: Partial<Record<PushOutcome['outcome'], number>>,
  signal: AbortSignal
): Promise<End | null> {
  for await (const wire of shelf.events(place, places, { links: true, skip: 0 })) {
    const answer = await transport.push(wire, signal)
    signal.throwIfAborted()
    if (!answer.ok) return endOfRefusal(answer)
    const { outcome, code, detail } = answer.outcome
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    if (outcome === 'rejected') return { outcome: 'refused', code, detail }
    if (outcome === 'ignored' && code !== 'SAME_ID_OTHER_BYTES')
      return { outcome: LATER.has(code) ? 'undecided' : 'refused', code, detail }
  }
  return null
}

/** What the target takes when it is asked again. */
const LATER: ReadonlySet<string> = new Set(['RATE_LIMITED', 'OVERLOADED', 'STORE_FULL', 'FUTURE_TIMESTAMP'])

/** The last pack that the target has; one that knows nothing of the organisation, or will not say, has none. */
async function headOf(
  orgId: string,
  headPackSeq: number,
  transport: PackTransport,
  signal: AbortSignal
): Promise<number | PackRefusal> {
  const answer = await transport.pull({ orgId, afterPackSeq: headPackSeq, limit: 1 }, signal)
  signal.throwIfAborted()
  if (answer.ok) {
    const decoding = decodePackPage(answer.page)
    return decoding.ok ? decoding.page.headPackSeq : { ok: false, reason: 'broken', detail: decoding.detail }
  }
  const isNew = answer.reason === 'refused' && (answer.code === 'unknown-organisation' || answer.code === 'denied')
  // A file that is not there yet is made.
  return isNew || (answer.reason === 'unreachable' && transport.name.startsWith('file:')) ? 0 : answer
}

function audit({ audit: trail = NO_AUDIT, orgId, requestId }: PushRequest, result: PackPushResult): void {
  const outcome = result.outcome === 'done' ? 'ok' : result.outcome === 'refused' ? 'refused' : 'failed'
  const detail = { target: result.target, packSeq: result.headPackSeq, accepted: result.outcomes.accepted ?? 0 }
  trail.record({
    action: 'FED_ANCHOR_SYNC_PUSH',
    actor: 'node',
    subject: orgId,
    outcome,
    code: result.code,
    ...(requestId === undefined ? {} : { requestId }),
    detail
  })
}

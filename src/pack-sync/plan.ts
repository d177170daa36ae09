import { TRUST_NAMESPACE } from '../policy/names.ts'
import { checkCrossOrgPolicy } from '../policy/cross-org.ts'
import { getAnchors, getSyncState } from './anchors.ts'
import type { StoredAnchors, SyncState } from './anchors.ts'
import type { AnchorSyncOptions, SyncedOrganisation } from './sync-options.ts'

/** A source that lied is left alone for so long, unless a person names it: long enough that it costs no more work. */
export const LIAR_REST_MS = 60 * 60_000

/** Why nothing is asked of a source, or of anybody. */
export type NotPlanned = 'NO_SOURCE' | 'CROSS_ORG_DENIED' | 'FROZEN' | 'SOURCE_UNKNOWN' | 'SOURCE_REFUSED'

/** One source of one organisation. */
export interface SyncPlanEntry {
  readonly orgId: string
  /** `null` where the organisation has none. */
  readonly source: string | null
  /** The last pack that is known here. */
  readonly afterPackSeq: number
  /** Whether a sync that was interrupted goes on. */
  readonly resumes: boolean
  /** `null` where it is to be asked. */
  readonly reason: NotPlanned | null
  readonly detail: string | null
}

/** What a sync would do. */
export interface SyncPlan {
  readonly entries: readonly SyncPlanEntry[]
}

export interface PlanQuery {
  /** Only this organisation. */
  readonly orgId?: string
  /** This source in the place of the configured ones, whatever it did before. */
  readonly from?: string
}

/** Which organisations' packs to ask for, from which number on, of whom, and why of others not. */
export async function planAnchorSync(options: AnchorSyncOptions, query: PlanQuery = {}): Promise<SyncPlan> {
  const entries: SyncPlanEntry[] = []
  for (const organisation of options.organisations) {
    const { orgId } = organisation.root
    if (query.orgId !== undefined && query.orgId !== orgId) continue
    const name = { namespace: TRUST_NAMESPACE, orgId }
    const known = { anchors: await getAnchors(options.store, name), state: await getSyncState(options.store, name) }
    entries.push(...planOrganisation(organisation, known, options, query.from))
  }
  return { entries }
}

function planOrganisation(
  organisation: SyncedOrganisation,
  { anchors, state }: { readonly anchors: StoredAnchors | null; readonly state: SyncState },
  { orgId: self, policy, transport, clock }: AnchorSyncOptions,
  named: string | undefined
): SyncPlanEntry[] {
  const { orgId } = organisation.root
  const afterPackSeq = anchors?.packSeq ?? 0
  const entry = (
    source: string | null,
    reason: NotPlanned | null = null,
    detail: string | null = null
  ): SyncPlanEntry => ({
    orgId,
    source,
    afterPackSeq,
    resumes: reason === null && source !== null && state.resume?.source === source,
    reason,
    detail
  })
  const sources = named === undefined ? organisation.sources : [named]
  const denied = checkCrossOrgPolicy(policy, { from: self, to: orgId, operation: 'pack-pull' })
  const forkedAt = anchors?.forkedAt ?? null
  const isFrozen = forkedAt !== null && !organisation.root.pins.has(forkedAt)
  if (sources.length === 0) return [entry(null, 'NO_SOURCE', 'no source of it is configured')]
  return sources.map((source) => {
    if (!denied.ok) return entry(source, denied.code, denied.detail)
    if (isFrozen) return entry(source, 'FROZEN', `there are two valid packs at number ${forkedAt}: pin one`)
    if (transport(source) === null) return entry(source, 'SOURCE_UNKNOWN', 'nothing here speaks to such a source')
    const liar = named === undefined ? state.liars[source] : undefined
    const restsUntil = liar === undefined ? 0 : liar.at + LIAR_REST_MS
    if (liar !== undefined && clock.now() < restsUntil)
      return entry(source, 'SOURCE_REFUSED', `${liar.code}: left alone until ${new Date(restsUntil).toISOString()}`)
    return entry(source)
  })
}

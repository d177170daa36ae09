import type { PackKey } from '../../../protocols/event/v1/anchor-pack.ts'
import { packHash, parseAnchorPack } from '../../../protocols/event/v1/anchor-pack.ts'
import { decodeEvent } from '../../../protocols/event/v1/codec.ts'
import { viewPolicy } from '../../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import { organisationRoot } from '../../../src/projections/packs.ts'
import type { PackState } from '../../../src/trust/pack-chain.ts'
import { isSignedAs } from '../../../src/trust/pack-chain.ts'
import type { SignedEvent } from '../../support/events.ts'
import type { ReceivedPack } from '../../support/pack-walk.ts'
import { walkPacks } from '../../support/pack-walk.ts'

/** What packs make of a set of events, worked out from the whole set without a look at the folds. */
export interface KeyModel {
  /** The ids of the events that do not count because of their key (SPEC EV-37). */
  readonly cutOff: ReadonlySet<string>
  /** By organisation, of its last pack in force; none where there is no such pack. */
  readonly validUntil: ReadonlyMap<string, number>
}

export function keyModel(events: readonly SignedEvent[], policy: EffectivePolicy): KeyModel {
  const view = viewPolicy(policy)
  const heads = new Map(
    [...packsOf(events, policy)].map(([orgId, packs]) => [orgId, walkPacks(organisationRoot(orgId, view), packs).head])
  )
  const byId = new Map(events.map((event) => [event.id, event]))
  const counting = new Set<string>()
  for (const { keys } of heads.values()) {
    for (const { key } of keys.values()) for (const id of goodIds(key, byId)) counting.add(`${key.kid} ${id}`)
  }
  const isCutOff = ({ id, envelope: { signer, kid, namespace } }: SignedEvent): boolean => {
    const orgId = view.orgOf(signer)
    const key = orgId === undefined ? undefined : heads.get(orgId)?.keys.get(kid)?.key
    if (key === undefined || namespace === '_trust') return false
    if (!key.uses.includes('event')) return true
    return key.status !== 'ACTIVE' && !counting.has(`${kid} ${id}`)
  }
  const inForce = [...heads].filter(([, { hash }]) => hash !== null)
  return {
    cutOff: new Set(events.filter(isCutOff).map(({ id }) => id)),
    validUntil: new Map(inForce.map(([orgId, { validUntil }]) => [orgId, validUntil]))
  }
}

/** The last good events of the key that are there, and all before them. */
function goodIds({ lastGood = [] }: PackKey, byId: ReadonlyMap<string, SignedEvent>): string[] {
  return lastGood.flatMap(({ id, authorSeq, signer, kid, namespace }) => {
    const named = byId.get(id)
    const fits =
      named?.envelope.authorSeq === authorSeq &&
      named.envelope.signer === signer &&
      named.envelope.kid === kid &&
      named.envelope.namespace === namespace
    const ids: string[] = []
    for (let event = fits ? named : undefined; event !== undefined; event = byId.get(event.envelope.prev ?? ''))
      ids.push(event.id)
    return ids
  })
}

/** The packs of each organisation, each once, however many events carry it. */
function packsOf(events: readonly SignedEvent[], policy: EffectivePolicy): Map<string, ReceivedPack[]> {
  const view = viewPolicy(policy)
  const carriers = events.flatMap((event) => {
    const { type, namespace, body, signer } = event.envelope
    const reading = type === 'anchor-pack' && namespace === '_trust' ? parseAnchorPack(body) : null
    if (reading?.ok !== true || view.orgOf(signer) !== reading.pack.orgId) return []
    return [{ event, pack: reading.pack, hash: packHash(body) }]
  })
  const byHash = Map.groupBy(carriers, ({ pack, hash }) => `${pack.orgId} ${hash}`)
  const packs = [...byHash.values()].flatMap((group): ReceivedPack[] => {
    const [first] = group
    if (first === undefined) return []
    const signed = (before: PackState): boolean => group.some(({ event, pack }) => isCarried(event, before, pack))
    return [{ hash: first.hash, pack: first.pack, ts: 0, signerBelongs: true, signed }]
  })
  return Map.groupBy(packs, ({ pack }) => pack.orgId)
}

function isCarried({ wire }: SignedEvent, before: PackState, pack: ReceivedPack['pack']): boolean {
  const decoded = decodeEvent(wire)
  return decoded.ok && isSignedAs(decoded.event, before, pack)
}

import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import type { AnchorPackReading } from '../../protocols/event/v1/anchor-pack.ts'
import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { OrganisationPins } from '../policy/policy.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { OrganisationRoot, PackState } from '../trust/pack-chain.ts'
import { rootState } from '../trust/pack-chain.ts'
import type { HeadFact, PackFact } from './pack-facts.ts'
import { PACK_FACTS_PREFIX, headKey } from './pack-facts.ts'
import { readState } from './pack-states.ts'

/** Whether a shared record is an anchor pack in its namespace. */
export function isPack(record: LoggedRecord): record is SharedRecord {
  if (record.scope !== 'shared') return false
  const { type, namespace } = record.event.envelope
  return type === ANCHOR_PACK_TYPE && namespace === TRUST_NAMESPACE
}

export function packOf(event: VerifiedEvent): AnchorPackReading {
  return parseAnchorPack(event.envelope.body)
}

/**
 * Whether the pack's signer belongs to the organisation that it speaks for. Others are not even remembered, or any
 * member of the mesh could bury an organisation's packs under its own.
 */
export function isOwnPack(event: VerifiedEvent, orgId: string, policy: PolicyView): boolean {
  return policy.orgOf(event.envelope.signer) === orgId
}

/** Where the packs of an organisation begin under the policy. */
export function organisationRoot(orgId: string, { policy }: PolicyView): OrganisationRoot {
  const pinned = policy.organisations.find((organisation) => organisation.orgId === orgId)
  const peers = policy.peers.filter((peer) => peer.orgId === orgId)
  return {
    orgId,
    threshold: pinned?.threshold ?? 1,
    pins: pinsOf(pinned),
    keys: peers.flatMap(({ keys }) => keys)
  }
}

function pinsOf(pinned: OrganisationPins | undefined): ReadonlyMap<number, string> {
  const pins = new Map(pinned?.pins?.map(({ packSeq, hash }) => [packSeq, hash]))
  if (pinned?.firstPack !== undefined) pins.set(1, pinned.firstPack)
  return pins
}

/** Where the facts of projections are found: the engine. */
export interface FactsSource {
  instance(name: string): { factsWithPrefix(prefix: string): AsyncIterable<[string, JsonObject]> }
}

/** What the next pack of an organisation continues. */
export interface StoredPacks {
  readonly root: OrganisationRoot
  /** After the last pack that counts; the root's before the first. */
  readonly head: PackState
  /** Two valid packs stand at the number after the head. */
  readonly frozen: boolean
}

/** An organisation's packs as they are known now: the head alone is read, however many there are. */
export async function storedPacks(engine: FactsSource, orgId: string, policy: PolicyView): Promise<StoredPacks> {
  const root = organisationRoot(orgId, policy)
  const head = (await storedFact(engine, headKey(orgId))) as HeadFact | undefined
  const frozen = (head?.forkedAt ?? null) !== null
  if (head === undefined || head.hash === null) return { root, head: rootState(root), frozen }
  const state = await readState((key) => storedFact(engine, key), orgId, head.hash)
  if (state === undefined) throw new Error(`the state of pack ${head.hash} of ${orgId} is not among the facts`)
  return { root, head: state, frozen }
}

/** The number at which two valid packs of an organisation stand; `null` while there is none. */
export async function forkedAt(engine: FactsSource, orgId: string): Promise<number | null> {
  const head = (await storedFact(engine, headKey(orgId))) as HeadFact | undefined
  return head?.forkedAt ?? null
}

/** A pack that counts, or would but for a fork, with the event that speaks for it. */
export interface ValidPack {
  readonly packSeq: number
  readonly hash: string
  readonly eventId: string
}

/** All valid packs of an organisation, on both sides of a fork, in no order. One small fact of each is read. */
export async function validPacks(engine: FactsSource, orgId: string): Promise<readonly ValidPack[]> {
  const packs: ValidPack[] = []
  const prefix = `${PACK_FACTS_PREFIX}${orgId}!`
  for await (const [key, fact] of engine.instance('trust-anchors').factsWithPrefix(prefix)) {
    const { packSeq, verdict, spokesman } = fact as PackFact
    if (verdict !== 'valid' || spokesman === null) continue
    packs.push({ packSeq, hash: key.slice(prefix.length), eventId: spokesman.eventId })
  }
  return packs
}

/** The keys after a valid pack, by its hash. Undefined for one that is not valid. */
export async function stateAfter(engine: FactsSource, orgId: string, hash: string): Promise<PackState | undefined> {
  return await readState((key) => storedFact(engine, key), orgId, hash)
}

async function storedFact(engine: FactsSource, key: string): Promise<JsonObject | undefined> {
  for await (const [, fact] of engine.instance('trust-anchors').factsWithPrefix(key)) return fact
  return undefined
}

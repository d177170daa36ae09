import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import type { AnchorPack, AnchorPackReading } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import { sortableNumber } from '../log/keys.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { OrganisationRoot, PackChain, ReceivedPack } from '../trust/pack-chain.ts'
import { walkPacks } from '../trust/pack-chain.ts'
import type { ProjectionEngine } from './engine.ts'
import type { FoldContext } from './projection.ts'

// An organisation that rotates a key each week for fifty years stays below this; what is beyond is not walked.
const PACKS_WALKED_MAX = 4_096

type PackFact = { readonly pack: JsonObject; readonly events: readonly { readonly id: string; readonly signer: string; readonly ts: number }[] }

/** Whether a shared record is an anchor pack in its namespace. */
export function isPack(record: LoggedRecord): record is SharedRecord {
  return record.scope === 'shared' && record.event.envelope.type === ANCHOR_PACK_TYPE && record.event.envelope.namespace === TRUST_NAMESPACE
}

export function packOf(event: VerifiedEvent): AnchorPackReading {
  return parseAnchorPack(event.envelope.body)
}

/** An organisation's packs after one more was remembered, and which events carry each. */
export interface FoldedPacks {
  readonly orgId: string
  readonly chain: PackChain
  /** Event ids by pack hash: one pack may come in several events. */
  readonly carriers: ReadonlyMap<string, readonly string[]>
}

/**
 * Remembers a pack among the facts and walks its organisation's packs anew. `null` for an event whose body is no pack, or one of another
 * organisation. Packs are rare, so each is worth a walk.
 */
export async function foldPack(record: SharedRecord, { facts, policy }: FoldContext): Promise<FoldedPacks | null> {
  const reading = packOf(record.event)
  if (!reading.ok) return null
  const { envelope, id } = record.event
  const { orgId, packSeq } = reading.pack
  if (!isOwnPack(record.event, orgId, policy)) return null
  const key = `pack!${orgId}!${sortableNumber(packSeq)}!${packHash(envelope.body)}`
  const known = (await facts.get(key)) as PackFact | undefined
  const events = [...(known?.events ?? []), { id, signer: envelope.signer, ts: envelope.ts }].sort((left, right) => (left.id < right.id ? -1 : 1))
  facts.put(key, { pack: envelope.body, events })
  const stored = await facts.range(`pack!${orgId}!`, PACKS_WALKED_MAX)
  const received = stored.map(([packKey, fact]) => receivedPack(packKey.slice(-64), fact as PackFact, orgId, policy))
  return {
    orgId,
    chain: walkPacks(organisationRoot(orgId, policy), received),
    carriers: new Map(stored.map(([packKey, fact]) => [packKey.slice(-64), (fact as PackFact).events.map((event) => event.id)]))
  }
}

/**
 * Whether the pack's signer belongs to the organisation that it speaks for. Others are not even remembered, or any member of the mesh could
 * bury an organisation's packs under its own.
 */
export function isOwnPack(event: VerifiedEvent, orgId: string, policy: PolicyView): boolean {
  return policy.orgOf(event.envelope.signer) === orgId
}

/** An organisation's packs as they are known now, and where they begin. */
export async function storedPacks(
  engine: ProjectionEngine,
  orgId: string,
  policy: PolicyView
): Promise<{ readonly root: OrganisationRoot; readonly packs: readonly ReceivedPack[] }> {
  const packs: ReceivedPack[] = []
  for await (const [key, fact] of engine.instance('trust-anchors').factsWithPrefix(`pack!${orgId}!`)) {
    packs.push(receivedPack(key.slice(-64), fact as PackFact, orgId, policy))
  }
  return { root: organisationRoot(orgId, policy), packs }
}

function receivedPack(hash: string, fact: PackFact, orgId: string, policy: PolicyView): ReceivedPack {
  const members = fact.events.filter(({ signer }) => policy.orgOf(signer) === orgId)
  // The smallest event id among those that count speaks for the pack's time, in whatever order they came.
  const spokesman = members[0] ?? fact.events[0]
  return { hash, pack: fact.pack as unknown as AnchorPack, ts: spokesman?.ts ?? 0, signerBelongs: members.length > 0 }
}

function organisationRoot(orgId: string, policy: PolicyView): OrganisationRoot {
  const pinned = policy.policy.organisations.find((organisation) => organisation.orgId === orgId)
  const peers = policy.policy.peers.filter((peer) => peer.orgId === orgId)
  return {
    orgId,
    threshold: pinned?.threshold ?? 1,
    firstPack: pinned?.firstPack,
    keys: peers.flatMap(({ keys }) => keys)
  }
}

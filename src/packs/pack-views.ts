import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { provePackKey } from '../../protocols/event/v1/pack-proof.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { CarriedPack, KnownPack } from '../projections/pack-history.ts'
import { carriedPack, packStateOf, packsAt } from '../projections/pack-history.ts'
import { storedPacks } from '../projections/packs.ts'
import type { PackState } from '../trust/pack-chain.ts'
import type { JudgePorts } from './judge-draft.ts'
import { missingKids } from './pack-draft.ts'
import type { ReadDraft } from './pack-draft.ts'
import type { PackChange, PackQuery, PackView, TrustProof } from './pack-operations.ts'
import { unknownSigner } from './refusals.ts'

export interface ViewPorts extends JudgePorts {
  readonly clock: Clock
}

/** The packs of an organisation at a number. Throws `PACK_UNKNOWN`. */
export async function viewPacks(ports: ViewPorts, query: PackQuery): Promise<readonly PackView[]> {
  const view = ports.policy()
  const orgId = query.orgId ?? view.self.orgId
  const { head, frozen } = await storedPacks(ports.engine, orgId, view)
  const packSeq = query.packSeq ?? head.packSeq
  const known = packSeq === 0 ? [] : await packsAt(ports.engine, orgId, packSeq)
  if (known.length === 0) throw unknownPack(orgId, packSeq)
  const views = known.map(async (pack) => await viewPack(ports, orgId, pack, { head, isFrozen: frozen }))
  return await Promise.all(views)
}

/** A draft, and what it would change. */
export async function viewDraft(ports: ViewPorts, draft: ReadDraft): Promise<PackView> {
  const { pack, hash, envelope, id } = draft
  const before = await packStateOf(ports.engine, pack.orgId, pack.prevPack, ports.policy())
  const missing = missingKids(draft)
  return {
    ...described(ports, pack, before, null),
    hash,
    state: 'draft',
    code: null,
    signers: pack.signingKids.map((kid) => ({ kid, hasSigned: !missing.includes(kid) })),
    eventId: id,
    signer: envelope.signer,
    ts: envelope.ts
  }
}

/** Proves that a key is in the last pack of an organisation. Throws `PACK_UNKNOWN`, `SIGNER_UNKNOWN`. */
export async function proveKey(
  ports: ViewPorts,
  { orgId: asked, kid }: { readonly orgId?: string | undefined; readonly kid: string }
): Promise<TrustProof> {
  const view = ports.policy()
  const orgId = asked ?? view.self.orgId
  const { head } = await storedPacks(ports.engine, orgId, view)
  const carried = head.hash === null ? undefined : await carriedPack(ports, orgId, head.hash)
  if (head.hash === null || carried === undefined) throw unknownPack(orgId, head.packSeq)
  const { threshold, validUntil, packSeq, hash: packHash } = head
  const keys = [...head.keys.values()].map(({ key }) => key)
  const proof = provePackKey({ orgId, threshold, keys }, kid)
  if (proof === null) throw unknownSigner(kid, orgId)
  const { event, pack } = carried
  return { ...proof, orgId, packSeq, packHash, root: pack.root, threshold, validUntil, event: toBase64url(event.wire) }
}

async function viewPack(
  ports: ViewPorts,
  orgId: string,
  known: KnownPack,
  now: { readonly head: PackState; readonly isFrozen: boolean }
): Promise<PackView> {
  const { hash, packSeq } = known
  const standing = standingOf(known, now)
  const carried = await carriedPack(ports, orgId, hash)
  if (carried === undefined) return { ...NOTHING_KNOWN, orgId, packSeq, hash, ...standing }
  const { pack, event } = carried
  const { engine } = ports
  const before = await packStateOf(engine, orgId, pack.prevPack, ports.policy())
  const after = known.verdict === 'valid' ? await packStateOf(engine, orgId, hash, ports.policy()) : undefined
  return {
    ...described(ports, pack, before, after ?? null),
    hash,
    ...standing,
    signers: pack.signingKids.map((kid) => ({ kid, hasSigned: true })),
    ...carrierOf({ pack, event })
  }
}

/** What is said of a pack of which only the judgement is remembered. */
const NOTHING_KNOWN = {
  kind: null,
  prevPack: null,
  threshold: null,
  thresholdBefore: null,
  validUntil: null,
  isStale: false,
  root: null,
  signers: [],
  eventId: null,
  signer: null,
  ts: null,
  keys: [],
  changes: []
} as const

function carrierOf({ event }: CarriedPack): Pick<PackView, 'eventId' | 'signer' | 'ts'> {
  return { eventId: event.id, signer: event.envelope.signer, ts: event.envelope.ts }
}

function standingOf(
  { packSeq, verdict }: KnownPack,
  { head, isFrozen }: { readonly head: PackState; readonly isFrozen: boolean }
): Pick<PackView, 'state' | 'code'> {
  if (verdict === 'waiting')
    return { state: 'waiting', code: packSeq > head.packSeq + 1 ? 'PACK_GAP' : 'PACK_PREV_MISMATCH' }
  if (verdict === 'unsigned') return { state: 'refused', code: 'PACK_SIGNER_FOREIGN' }
  if (verdict === 'weak') return { state: 'refused', code: 'BODY_INVALID' }
  if (verdict !== 'valid') return { state: 'refused', code: verdict }
  return isFrozen && packSeq > head.packSeq ? { state: 'frozen', code: 'PACK_FORK' } : { state: 'valid', code: null }
}

function described(
  { clock }: ViewPorts,
  pack: AnchorPack,
  before: PackState | undefined,
  after: PackState | null
): Omit<PackView, 'hash' | 'state' | 'code' | 'signers' | 'eventId' | 'signer' | 'ts'> {
  const { orgId, packSeq, kind, prevPack, threshold, validUntil, root } = pack
  return {
    orgId,
    packSeq,
    kind,
    prevPack,
    threshold,
    thresholdBefore: before?.threshold ?? null,
    validUntil,
    isStale: validUntil < clock.now(),
    root,
    keys: after === null ? pack.keys : [...after.keys.values()].map(({ key }) => key),
    changes: before === undefined ? [] : changesOf(before, pack.keys)
  }
}

function changesOf(before: PackState, keys: readonly PackKey[]): readonly PackChange[] {
  return keys.flatMap((key) => {
    const known = before.keys.get(key.kid)?.key
    const members = changedMembers(known, key)
    if (members.length === 0) return []
    return [{ kid: key.kid, before: known?.status ?? null, after: key.status, members }]
  })
}

function changedMembers(known: PackKey | undefined, key: PackKey): readonly string[] {
  const [was, is] = [known ?? {}, key] as readonly Readonly<Record<string, unknown>>[]
  const names = new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])
  const textOf = (value: unknown): string => (value === undefined ? '' : encodeCanonical(value))
  return [...names].filter((name) => textOf(was?.[name]) !== textOf(is?.[name])).sort()
}

function unknownPack(orgId: string, packSeq: number): AnchormeshError {
  const which = packSeq === 0 ? `no pack of ${orgId} counts here` : `this node knows no pack ${packSeq} of ${orgId}`
  return new AnchormeshError('PACK_UNKNOWN', which, {
    hint: 'anchormesh query sequences --namespace _trust shows how far the packs of each organisation are known.'
  })
}

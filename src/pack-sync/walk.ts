import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { HashedPack, OrganisationRoot, PackEffect, PackState } from '../trust/pack-chain.ts'
import { hasGoodKeys, isSignedAs, judgePack } from '../trust/pack-chain.ts'

/** An organisation as it is known before its packs. */
export interface AnchorOrganisation {
  readonly root: OrganisationRoot
  /** Those whose signatures speak for it. */
  readonly dids: readonly string[]
}

/** How far a walk along an organisation's packs has come. */
export interface Walk {
  readonly state: PackState
  /** Before the last pack; `null` where it is not known. */
  readonly previous: PackState | null
  /** Two valid packs stand at this number, and the walk is over; `state` is that before it. */
  readonly forkedAt: number | null
  /**
   * Packs that a pin rules out, and those that follow one, with their numbers: an honest source that does not know of the
   * pin has them, too. Only those of the last two numbers, because packs come in the order of their numbers.
   */
  readonly ruledOut: ReadonlyMap<string, number>
}

// A fork has two sides, or a few; of more than these the rest is forgotten, and what follows that is refused.
const RULED_OUT_MAX = 64

/** Before the first pack that a walk takes. */
export function walkOf(state: PackState, previous: PackState | null = null, forkedAt: number | null = null): Walk {
  return { state, previous, forkedAt, ruledOut: new Map() }
}

export type WalkCode = PackEffect | 'SIGNATURE_INVALID' | 'KEY_WEAK'

/** What one more pack does to a walk. `known`: it is among those behind it. `ruled-out`: it is on a side that a pin rules out. */
export type Step =
  | { readonly ok: true; readonly kind: 'applied' | 'known' | 'ruled-out' | 'forked'; readonly walk: Walk }
  | {
      readonly ok: false
      readonly code: WalkCode
      readonly detail: string
      /** It stands where the walk has another pack: one of the two sources is wrong. */
      readonly disagrees: boolean
    }

/** Whether the event is a pack by its type and namespace; what it says is for `takePack` to judge. */
export function isPackEvent({ envelope: { type, namespace } }: DecodedEvent): boolean {
  return type === ANCHOR_PACK_TYPE && namespace === TRUST_NAMESPACE
}

/**
 * Judges the next pack of an organisation by the rules of packs alone (EV-40 and following): the first under the keys
 * that this side binds to the organisation or by its pinned hash, each further one under those of the pack before it.
 */
export function takePack(walk: Walk, event: DecodedEvent, { root, dids }: AnchorOrganisation): Step {
  const reading = parseAnchorPack(event.envelope.body)
  if (!reading.ok) return refused('BODY_INVALID', reading.detail)
  const hashed = { hash: packHash(event.envelope.body), pack: reading.pack }
  const { orgId, packSeq } = hashed.pack
  if (orgId !== root.orgId) return refused('PACK_SIGNER_FOREIGN', `it is a pack of ${orgId}`)
  const { signer } = event.envelope
  if (!dids.includes(signer)) return refused('PACK_SIGNER_FOREIGN', `${signer} does not speak for ${orgId}`)
  const { state, previous } = walk
  if (packSeq === state.packSeq && hashed.hash === state.hash) return { ok: true, kind: 'known', walk }
  if (isRuledOut(root, walk, hashed)) return { ok: true, kind: 'ruled-out', walk: rulingOut(walk, hashed) }
  if (packSeq < state.packSeq) return { ok: true, kind: 'known', walk }
  if (packSeq > state.packSeq + 1) return refused('PACK_GAP', `pack ${packSeq} comes after pack ${state.packSeq}`)
  const next = packSeq === state.packSeq + 1
  const before = next ? state : previous
  if (before === null) return refused('PACK_PREV_MISMATCH', `pack ${packSeq} is another one here`, true)
  const judged = judge(root, before, hashed, event)
  if (!judged.ok) return { ...judged, disagrees: !next || judged.code === 'PACK_PREV_MISMATCH' }
  if (next) return { ok: true, kind: 'applied', walk: { ...walk, state: judged.state, previous: state } }
  return { ok: true, kind: 'forked', walk: walkOf(before, null, packSeq) }
}

/** Whether a pin says that the pack, or one that it follows, does not count. */
function isRuledOut({ pins }: OrganisationRoot, { ruledOut }: Walk, { hash, pack }: HashedPack): boolean {
  const { packSeq, prevPack } = pack
  if ((pins.get(packSeq) ?? hash) !== hash) return true
  if (prevPack === null) return false
  return (pins.get(packSeq - 1) ?? prevPack) !== prevPack || ruledOut.get(prevPack) === packSeq - 1
}

function rulingOut(walk: Walk, { hash, pack: { packSeq } }: HashedPack): Walk {
  const recent = [...walk.ruledOut].filter(([, number]) => number >= packSeq - 1)
  if (recent.length >= RULED_OUT_MAX) return walk
  return { ...walk, ruledOut: new Map([...recent, [hash, packSeq]]) }
}

function judge(
  root: OrganisationRoot,
  before: PackState,
  hashed: HashedPack,
  event: DecodedEvent
):
  | { readonly ok: true; readonly state: PackState }
  | { readonly ok: false; readonly code: WalkCode; readonly detail: string } {
  const { pack } = hashed
  const judged = judgePack(root, before, hashed)
  if (!judged.ok) return { ok: false, code: judged.effect, detail: `pack ${pack.packSeq}: ${DETAILS[judged.effect]}` }
  if (!isSignedAs(event, before, pack))
    return { ok: false, code: 'SIGNATURE_INVALID', detail: `a signature of pack ${pack.packSeq} is not good` }
  if (!hasGoodKeys(pack)) return { ok: false, code: 'KEY_WEAK', detail: `pack ${pack.packSeq} gives ${weakKid(pack)}` }
  return { ok: true, state: judged.state }
}

const DETAILS: Readonly<Record<PackEffect, string>> = {
  BODY_INVALID: 'its keys contradict those before it, or are too many',
  PACK_GAP: 'the one before it is missing',
  PACK_PREV_MISMATCH: 'it follows another pack than the one here',
  PACK_ROOT_MISMATCH: 'its root is not that of the keys that result',
  PACK_STATUS_BACKWARD: 'it takes a key back to an earlier status, or leaves one out',
  PACK_THRESHOLD: 'too few keys signed it',
  PACK_SIGNER_REVOKED: 'a revoked key signed it',
  PACK_SIGNER_FOREIGN: 'a key signed it that is none of the organisation',
  PACK_FORK: 'there are two valid packs at its number'
}

function weakKid({ keys }: AnchorPack): string {
  return `a key that can't be used, among ${keys.length}`
}

function refused(code: WalkCode, detail: string, disagrees: boolean = false): Extract<Step, { ok: false }> {
  return { ok: false, code, detail, disagrees }
}

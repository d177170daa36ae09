import type { AnchorPack, KeyStatus, LastGood, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { PACK_KEYS_BYTES_MAX, packKeysBytes, packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { signingInput } from '../../protocols/signature/v1/jws.ts'
import { checkKeyOnce } from './checked-keys.ts'

/** Why a pack has no effect (CONTRACT, section 6). */
export type PackEffect =
  | 'BODY_INVALID'
  | 'PACK_GAP'
  | 'PACK_PREV_MISMATCH'
  | 'PACK_ROOT_MISMATCH'
  | 'PACK_STATUS_BACKWARD'
  | 'PACK_THRESHOLD'
  | 'PACK_SIGNER_REVOKED'
  | 'PACK_SIGNER_FOREIGN'
  | 'PACK_FORK'

/** A pack and its hash (EV-35). */
export interface HashedPack {
  readonly hash: string
  readonly pack: AnchorPack
}

/** Where an organisation's packs begin: the packs that operators pin, or the keys that configuration binds to its members. */
export interface OrganisationRoot {
  readonly orgId: string
  readonly threshold: number
  /**
   * By number, the hash that the pack there must have; the threshold before it is not asked for. Where pack 1 is not
   * among them, it must be signed by `threshold` of `keys`.
   */
  readonly pins: ReadonlyMap<number, string>
  readonly keys: readonly { readonly kid: string; readonly publicKey: string }[]
}

/** The organisation's keys after a valid pack. It follows from the packs alone, whoever carries them and whenever. */
export interface PackState {
  readonly packSeq: number
  /** `null` before the first pack. */
  readonly hash: string | null
  readonly threshold: number
  readonly validUntil: number
  readonly keys: ReadonlyMap<string, AnchoredKey>
}

/** A key as the packs up to a state give it, with number and hash of the pack that last changed it. */
export interface AnchoredKey {
  readonly key: PackKey
  readonly packSeq: number
  readonly changedBy: string
}

/** What becomes of a pack on the state that it continues. */
export type JudgedPack =
  { readonly ok: true; readonly state: PackState } | { readonly ok: false; readonly effect: PackEffect }

/** How far an organisation has come. */
export interface PackHead {
  /** The last pack up to which there is exactly one valid one at each number; 0 and `null` before the first. */
  readonly packSeq: number
  readonly hash: string | null
  /** The first number with two valid packs: nothing goes on until operators pin one. `null` while there is none. */
  readonly forkedAt: number | null
}

export const NO_PACKS: PackHead = { packSeq: 0, hash: null, forkedAt: null }

const STATUS_ORDER: Record<KeyStatus, number> = { ACTIVE: 0, RETIRED: 1, REVOKED: 2 }

/** The state that an organisation's first pack continues. */
export function rootState(root: OrganisationRoot): PackState {
  return { packSeq: 0, hash: null, threshold: root.threshold, validUntil: 0, keys: new Map() }
}

/**
 * Judges what a pack says on the valid one that it names as its predecessor (pack 1: on the root). "A higher number
 * wins" would let one stolen key rewrite everything, so a pack counts only in its place in the chain; and what it is
 * worth there follows from the two alone, so that it is judged once, whatever else comes and in whatever order.
 *
 * It takes `signingKids` at its word. So a pack that passes is valid only once an event carries it that `isSignedAs`
 * it says, and if it `hasGoodKeys`.
 */
export function judgePack(root: OrganisationRoot, before: PackState, { hash, pack }: HashedPack): JudgedPack {
  if (pack.packSeq !== before.packSeq + 1 || pack.prevPack !== before.hash) return refused('PACK_PREV_MISMATCH')
  if ((root.pins.get(pack.packSeq) ?? hash) !== hash)
    return refused(pack.packSeq === 1 ? 'PACK_PREV_MISMATCH' : 'PACK_FORK')
  const keys = applyKeys(before, { hash, pack })
  if (typeof keys === 'string') return refused(keys)
  const resulting = [...keys.values()].map(({ key }) => key)
  if (packKeysBytes(resulting) > PACK_KEYS_BYTES_MAX) return refused('BODY_INVALID')
  if (pack.root !== packRoot({ orgId: pack.orgId, threshold: pack.threshold, keys: resulting })) {
    return refused('PACK_ROOT_MISMATCH')
  }
  const signatures = judgeSigners(root, before, pack, keys)
  if (signatures !== null) return refused(signatures)
  const { packSeq, threshold, validUntil } = pack
  return { ok: true, state: { packSeq, hash, threshold, validUntil, keys } }
}

/**
 * Whether each signature of an event that carries the pack is good under the one key that its kid has before the pack
 * and after it; for a pack that `judgePack` passed on `before`. The door is not so strict: it takes what is good under
 * any key that a kid ever had, of configuration or on any side of a fork, and who holds one of those must not speak
 * for the one that counts here.
 */
export function isSignedAs(event: DecodedEvent, before: PackState, pack: AnchorPack): boolean {
  const known = signedAs.get(event)
  if (known !== undefined && known.before === before.hash) return known.isSigned
  const isSigned = areSignedAs(event, before, pack)
  signedAs.set(event, { before: before.hash, isSigned })
  return isSigned
}

/** Several projections ask about the same event; the hash of the pack before it says which keys it is held against. */
const signedAs = new WeakMap<DecodedEvent, { readonly before: string | null; readonly isSigned: boolean }>()

function areSignedAs(event: DecodedEvent, before: PackState, pack: AnchorPack): boolean {
  const given = new Map(pack.keys.map(({ kid, publicKey }) => [kid, publicKey]))
  return event.signatures.every(({ kid, protected: header, signature }) => {
    const publicKey = before.keys.get(kid)?.key.publicKey ?? given.get(kid)
    if (publicKey === undefined) return false
    const checked = checkKeyOnce(publicKey)
    return checked.ok && verifyEd25519(checked.key, signingInput(header, event.canonical), signature)
  })
}

/** Whether each key that the pack gives is a good one. Asked last, because it costs most: only true signers can. */
export function hasGoodKeys(pack: AnchorPack): boolean {
  return pack.keys.every(({ publicKey }) => checkKeyOnce(publicKey).ok)
}

/**
 * The head after one more valid pack, when `others` valid ones stand at its number already: whichever of them came
 * first, the head is the last before the first number with two.
 */
export function headAfter(head: PackHead, { hash, pack: { packSeq, prevPack } }: HashedPack, others: number): PackHead {
  if (head.forkedAt !== null && packSeq >= head.forkedAt) return head
  if (others > 0) return { packSeq: packSeq - 1, hash: prevPack, forkedAt: packSeq }
  return { packSeq, hash, forkedAt: head.forkedAt }
}

/** Why a valid pack at this number has no effect all the same. */
export function effectOfValid({ forkedAt }: PackHead, packSeq: number): PackEffect | null {
  return forkedAt !== null && packSeq >= forkedAt ? 'PACK_FORK' : null
}

/**
 * Why a pack has no effect whose predecessor is no valid pack, by how many valid ones stand at the number before its
 * own.
 */
export function effectOfWaiting(validBefore: number): PackEffect {
  return validBefore === 0 ? 'PACK_GAP' : 'PACK_PREV_MISMATCH'
}

function refused(effect: PackEffect): JudgedPack {
  return { ok: false, effect }
}

/** The keys that result. A kid keeps its key for ever, a status only goes forward, and no key disappears. */
function applyKeys(before: PackState, { hash, pack }: HashedPack): Map<string, AnchoredKey> | PackEffect {
  const keys = new Map(before.keys)
  for (const key of pack.keys) {
    const known = before.keys.get(key.kid)
    if (known !== undefined && known.key.publicKey !== key.publicKey) return 'BODY_INVALID'
    if (known !== undefined && goesBack(known.key, key)) return 'PACK_STATUS_BACKWARD'
    const unchanged = known !== undefined && JSON.stringify(known.key) === JSON.stringify(key)
    keys.set(key.kid, unchanged ? known : { key, packSeq: pack.packSeq, changedBy: hash })
  }
  if (pack.kind === 'full' && keys.size > pack.keys.length) return 'PACK_STATUS_BACKWARD'
  return keys
}

/**
 * Whether a key would become worth more than it was, or what its events are worth could change again and again: nodes
 * fold the log anew for that.
 */
function goesBack(before: PackKey, after: PackKey): boolean {
  if (STATUS_ORDER[after.status] < STATUS_ORDER[before.status]) return true
  if (after.uses.includes('event') && !before.uses.includes('event')) return true
  if (after.status !== before.status || after.status === 'ACTIVE') return false
  const kept = new Set(before.lastGood?.map(nameOfLastGood))
  return after.lastGood?.some((lastGood) => !kept.has(nameOfLastGood(lastGood))) ?? false
}

function nameOfLastGood({ signer, kid, namespace, authorSeq, id }: LastGood): string {
  return JSON.stringify([signer, kid, namespace, authorSeq, id])
}

/**
 * The threshold of the old set and of the new must be among `signingKids`; a revoked or foreign key among them spoils
 * the pack.
 */
function judgeSigners(
  root: OrganisationRoot,
  before: PackState,
  pack: AnchorPack,
  after: ReadonlyMap<string, AnchoredKey>
): PackEffect | null {
  const first = before.packSeq === 0
  // Two members can have the same kid: each key that policy binds counts, and as the one that the pack gives the kid.
  const rooted = new Set(root.keys.map(({ kid, publicKey }) => `${kid} ${publicKey}`))
  let old = 0
  let fresh = 0
  for (const kid of pack.signingKids) {
    const was = before.keys.get(kid)?.key
    const is = after.get(kid)?.key
    if (was?.status === 'REVOKED') return 'PACK_SIGNER_REVOKED'
    if (is === undefined) return 'PACK_SIGNER_FOREIGN'
    if (first ? rooted.has(`${kid} ${is.publicKey}`) : was !== undefined && maySignPacks(was)) old += 1
    if (maySignPacks(is)) fresh += 1
  }
  const oldEnough = root.pins.has(pack.packSeq) || old >= before.threshold
  return oldEnough && fresh >= pack.threshold ? null : 'PACK_THRESHOLD'
}

function maySignPacks(key: PackKey): boolean {
  return key.status === 'ACTIVE' && key.uses.includes('pack')
}

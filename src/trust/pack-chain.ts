import type { AnchorPack, KeyStatus, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { BoundedMap } from '../platform/bounded-map.ts'

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

/** A pack that was admitted: its hash, content, and when its author says it was made. */
export interface ReceivedPack {
  readonly hash: string
  readonly pack: AnchorPack
  readonly ts: number
  /** Whether the event's signer belongs to the organisation of the pack. */
  readonly signerBelongs: boolean
}

/** Where an organisation's packs begin: the pinned first pack, or the keys that configuration binds to its members. */
export interface OrganisationRoot {
  readonly orgId: string
  readonly threshold: number
  /** The hash that pack 1 must have; without it pack 1 must be signed by `threshold` of `keys`. */
  readonly firstPack: string | undefined
  readonly keys: readonly { readonly kid: string; readonly publicKey: string }[]
}

/** The organisation's keys after a pack. */
export interface PackState {
  readonly packSeq: number
  /** `null` before the first pack. */
  readonly hash: string | null
  readonly threshold: number
  readonly validUntil: number
  readonly keys: ReadonlyMap<string, AnchoredKey>
}

/** A key as the packs up to a state give it, with the pack that last changed it. */
export interface AnchoredKey {
  readonly key: PackKey
  readonly packSeq: number
  readonly updatedAt: number
}

export interface PackChain {
  /** Where the walk stopped: the last pack with exactly one valid one at its number. */
  readonly head: PackState
  /** Two valid packs at the number after the head: nothing goes on until operators pin one. */
  readonly frozen: boolean
  /** Effect of each pack by hash; `null` for those that count. */
  readonly effects: ReadonlyMap<string, PackEffect | null>
  /** Every key that any valid branch ever bound, frozen or not: admission asks for these, and only grows. */
  readonly everBound: readonly { readonly kid: string; readonly publicKey: string }[]
}

const STATUS_ORDER: Record<KeyStatus, number> = { ACTIVE: 0, RETIRED: 1, REVOKED: 2 }

/**
 * Folds the set of an organisation's packs, in whatever order they came: from the root onward while there is exactly one valid successor.
 * "A higher number wins" would let one stolen key rewrite everything, so a pack counts only in its place in the chain.
 */
export function walkPacks(root: OrganisationRoot, packs: readonly ReceivedPack[]): PackChain {
  const bySeq = Map.groupBy(packs.filter(({ signerBelongs }) => signerBelongs), ({ pack }) => pack.packSeq)
  // EV-40 comes before EV-41: what foreigners carry is foreign above a gap too. Of the rest, what the walk does not reach is above a gap.
  const effects = new Map<string, PackEffect | null>(packs.map(({ hash, signerBelongs }) => [hash, signerBelongs ? 'PACK_GAP' : 'PACK_SIGNER_FOREIGN']))
  const everBound = new Map<string, { kid: string; publicKey: string }>()
  let head: PackState = { packSeq: 0, hash: null, threshold: root.threshold, validUntil: 0, keys: new Map() }
  let branches: readonly PackState[] = [head]
  let frozen = false
  for (let packSeq = 1; branches.length > 0; packSeq += 1) {
    const next: PackState[] = []
    for (const received of bySeq.get(packSeq) ?? []) {
      const judged = judge(root, branches, received)
      if ('effect' in judged) {
        effects.set(received.hash, judged.effect)
        continue
      }
      next.push(judged)
      effects.set(received.hash, null)
      for (const { key } of judged.keys.values()) everBound.set(`${key.kid}\n${key.publicKey}`, { kid: key.kid, publicKey: key.publicKey })
    }
    const [only] = next
    if (next.length > 1) frozen = true
    if (frozen) for (const state of next) effects.set(state.hash ?? '', 'PACK_FORK')
    else if (only !== undefined) head = only
    branches = next
  }
  return { head, frozen, effects, everBound: [...everBound.values()] }
}

/** The state after the pack on the branch that it continues, or why it has none. */
function judge(root: OrganisationRoot, branches: readonly PackState[], received: ReceivedPack): PackState | { readonly effect: PackEffect } {
  const { pack } = received
  const before = branches.find(({ hash }) => hash === pack.prevPack)
  if (before === undefined) return { effect: 'PACK_PREV_MISMATCH' }
  if (pack.packSeq === 1 && root.firstPack !== undefined && root.firstPack !== received.hash) return { effect: 'PACK_PREV_MISMATCH' }
  const keys = applyKeys(before, received)
  if (typeof keys === 'string') return { effect: keys }
  const resulting = [...keys.values()].map(({ key }) => key)
  if (pack.root !== packRoot({ orgId: pack.orgId, threshold: pack.threshold, keys: resulting })) return { effect: 'PACK_ROOT_MISMATCH' }
  const signatures = judgeSigners(root, before, pack, keys)
  if (signatures !== null) return { effect: signatures }
  // Last, because it costs most: only those who may sign packs can make a node do it.
  if (!pack.keys.every(({ publicKey }) => isGoodKey(publicKey))) return { effect: 'BODY_INVALID' }
  return { packSeq: pack.packSeq, hash: received.hash, threshold: pack.threshold, validUntil: pack.validUntil, keys }
}

/** The keys that result. A kid keeps its key for ever, a status only goes forward, and no key disappears. */
function applyKeys(before: PackState, { pack, ts }: ReceivedPack): Map<string, AnchoredKey> | PackEffect {
  const keys = new Map(before.keys)
  for (const key of pack.keys) {
    const known = before.keys.get(key.kid)
    if (known !== undefined && known.key.publicKey !== key.publicKey) return 'BODY_INVALID'
    if (known !== undefined && STATUS_ORDER[key.status] < STATUS_ORDER[known.key.status]) return 'PACK_STATUS_BACKWARD'
    const unchanged = known !== undefined && JSON.stringify(known.key) === JSON.stringify(key)
    keys.set(key.kid, unchanged ? known : { key, packSeq: pack.packSeq, updatedAt: ts })
  }
  if (pack.kind === 'full' && keys.size > pack.keys.length) return 'PACK_STATUS_BACKWARD'
  return keys
}

/** The threshold of the old set and of the new must have signed; a revoked or foreign key among the signers spoils the pack. */
function judgeSigners(root: OrganisationRoot, before: PackState, pack: AnchorPack, after: ReadonlyMap<string, AnchoredKey>): PackEffect | null {
  const first = before.packSeq === 0
  const rooted = new Map(root.keys.map(({ kid, publicKey }) => [kid, publicKey]))
  let old = 0
  let fresh = 0
  for (const kid of pack.signingKids) {
    const was = before.keys.get(kid)?.key
    const is = after.get(kid)?.key
    if (was?.status === 'REVOKED') return 'PACK_SIGNER_REVOKED'
    if (is === undefined) return 'PACK_SIGNER_FOREIGN'
    if (first ? rooted.get(kid) === is.publicKey : was !== undefined && maySignPacks(was)) old += 1
    if (maySignPacks(is)) fresh += 1
  }
  const oldEnough = first && root.firstPack !== undefined ? true : old >= before.threshold
  return oldEnough && fresh >= pack.threshold ? null : 'PACK_THRESHOLD'
}

// Each pack of an organisation is walked again with every new one; a key costs milliseconds once, then nothing.
const KEYS_REMEMBERED_MAX = 8_192
const checkedKeys = new BoundedMap<string, boolean>(KEYS_REMEMBERED_MAX)

function isGoodKey(publicKey: string): boolean {
  const known = checkedKeys.get(publicKey)
  if (known !== undefined) return known
  const bytes = fromBase64url(publicKey)
  const good = bytes !== null && checkPublicKey(bytes).ok
  checkedKeys.set(publicKey, good)
  return good
}

function maySignPacks(key: PackKey): boolean {
  return key.status === 'ACTIVE' && key.uses.includes('pack')
}

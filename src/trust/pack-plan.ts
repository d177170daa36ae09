import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { AnchorPack, KeyStatus, LastGood, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import type { OrganisationRoot, PackState } from './pack-chain.ts'
import type { IntendedKey, SignerPlan } from './signer-registry.ts'

const STATUS_ORDER: Record<KeyStatus, number> = { ACTIVE: 0, RETIRED: 1, REVOKED: 2 }

/** Whether a decision still counts: no pack has changed the key since, and it does not lead backward. */
export function stillCounts(intended: IntendedKey, head: PackState): boolean {
  const known = head.keys.get(intended.kid)
  if (known === undefined) return true
  return known.packSeq <= intended.after && STATUS_ORDER[intended.status] >= STATUS_ORDER[known.key.status]
}

/** The plan without what packs have fulfilled or overtaken. */
export function openPlan(plan: SignerPlan, head: PackState): SignerPlan {
  return {
    ...plan,
    threshold: plan.threshold !== null && plan.threshold.instead === head.threshold ? plan.threshold : null,
    keys: plan.keys.filter((intended) => stillCounts(intended, head))
  }
}

/** The plan with `intended` in the place of what it said of the key before. */
export function withIntended(plan: SignerPlan, intended: IntendedKey): SignerPlan {
  const others = plan.keys.filter(({ kid }) => kid !== intended.kid)
  return { ...plan, keys: [...others, intended].toSorted((left, right) => (left.kid < right.kid ? -1 : 1)) }
}

/** The keys that result when the open part of a plan is carried out, ascending by kid. */
export function plannedKeys(
  head: PackState,
  plan: SignerPlan,
  tipsOf: (kid: string) => readonly LastGood[]
): readonly PackKey[] {
  const keys = new Map([...head.keys].map(([kid, { key }]) => [kid, key]))
  for (const intended of openPlan(plan, head).keys) {
    keys.set(intended.kid, packKeyOf(intended, tipsOf))
  }
  return [...keys.values()].toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
}

/** A key as a pack says it. */
function packKeyOf(intended: IntendedKey, tipsOf: (kid: string) => readonly LastGood[]): PackKey {
  const { kid, publicKey, status, uses, notBefore, notAfter, retiredAt, revokedAt, reason, lastGood } = intended
  const plain = { kid, publicKey, status, uses, notBefore, ...(notAfter === undefined ? {} : { notAfter }) }
  if (status === 'ACTIVE') return plain
  return {
    ...plain,
    ...(retiredAt === undefined ? {} : { retiredAt }),
    ...(status === 'REVOKED' && revokedAt !== undefined ? { revokedAt } : {}),
    ...(reason === undefined ? {} : { reason }),
    lastGood: lastGood === 'tips' ? tipsOf(kid) : (lastGood ?? [])
  }
}

export interface NextPack {
  readonly head: PackState
  readonly orgId: string
  /** All that result, ascending by kid. */
  readonly keys: readonly PackKey[]
  readonly threshold: number
  readonly validUntil: number
  readonly isDelta: boolean
  /** Ascending. */
  readonly signingKids: readonly string[]
}

/** The body of the next pack: full or delta, with the same root. The first pack is always full. */
export function nextPackBody(next: NextPack): AnchorPack {
  const { head, orgId, keys, threshold, validUntil, signingKids } = next
  const isDelta = next.isDelta && head.hash !== null
  return {
    orgId,
    packSeq: head.packSeq + 1,
    prevPack: head.hash,
    kind: isDelta ? 'delta' : 'full',
    keys: isDelta ? keys.filter((key) => !isSame(head.keys.get(key.kid)?.key, key)) : keys,
    threshold,
    validUntil,
    root: packRoot({ orgId, threshold, keys }),
    signingKids
  }
}

function isSame(known: PackKey | undefined, key: PackKey): boolean {
  return known !== undefined && encodeCanonical(known) === encodeCanonical(key)
}

/** Whose signatures a pack can count, and how many of them it needs. */
export interface SignerCount {
  /** Kids whose signature counts for the old set. */
  readonly old: ReadonlySet<string>
  readonly oldNeeded: number
  /** Kids whose signature counts for the new set. */
  readonly fresh: ReadonlySet<string>
  readonly freshNeeded: number
}

/**
 * What EV-44 asks of the signers of a pack that leads from `before` to `keys`. For choosing signers: whether the pack
 * is good is for `judgePack` to say.
 */
export function signerCount(
  root: OrganisationRoot,
  before: PackState,
  keys: readonly PackKey[],
  threshold: number
): SignerCount {
  const first = before.packSeq === 0
  const rooted = new Set(root.keys.map(({ kid, publicKey }) => `${kid} ${publicKey}`))
  const old = keys.filter((key) => {
    if (first) return rooted.has(`${key.kid} ${key.publicKey}`)
    const was = before.keys.get(key.kid)?.key
    return was !== undefined && maySignPacks(was)
  })
  const pinned = root.pins.has(before.packSeq + 1)
  return {
    old: new Set(old.map(({ kid }) => kid)),
    oldNeeded: pinned ? 0 : before.threshold,
    fresh: new Set(keys.filter(maySignPacks).map(({ kid }) => kid)),
    freshNeeded: threshold
  }
}

/** How many signatures these signers leave open, of the old set and of the new. */
export function shortfall(
  count: SignerCount,
  kids: Iterable<string>
): { readonly old: number; readonly fresh: number } {
  const signing = [...kids]
  const has = (set: ReadonlySet<string>): number => signing.filter((kid) => set.has(kid)).length
  return {
    old: Math.max(0, count.oldNeeded - has(count.old)),
    fresh: Math.max(0, count.freshNeeded - has(count.fresh))
  }
}

function maySignPacks({ status, uses }: PackKey): boolean {
  return status === 'ACTIVE' && uses.includes('pack')
}

import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import type { OrganisationRoot, PackEffect, PackState } from '../../src/trust/pack-chain.ts'
import { hasGoodKeys, judgePack, rootState } from '../../src/trust/pack-chain.ts'

/** A pack that was admitted: its hash, content, and when its author says it was made. */
export interface ReceivedPack {
  readonly hash: string
  readonly pack: AnchorPack
  readonly ts: number
  /** Whether the event's signer belongs to the organisation of the pack. */
  readonly signerBelongs: boolean
  /** Whether an event carries it that is signed under exactly the keys that count. */
  readonly signed: boolean | ((before: PackState) => boolean)
}

/** What an organisation's packs come to. */
export interface PackChain {
  readonly head: Omit<PackState, 'keys'> & {
    readonly keys: ReadonlyMap<string, { readonly key: PackKey; readonly packSeq: number; readonly updatedAt: number }>
  }
  readonly frozen: boolean
  /** Effect of each pack by hash; `null` for those that count. */
  readonly effects: ReadonlyMap<string, PackEffect | null>
  /** Hashes of those that an event can carry or not, by its signatures: whatever comes before those is in order. */
  readonly wellJudged: ReadonlySet<string>
  /** Every key that any valid branch ever bound. */
  readonly everBound: readonly { readonly kid: string; readonly publicKey: string }[]
}

/**
 * The plain way, over the whole set: from the root onward while there is a valid pack, number by number. The
 * projections fold one pack after the other and must come to the same.
 */
export function walkPacks(root: OrganisationRoot, packs: readonly ReceivedPack[]): PackChain {
  const own = packs.filter(({ signerBelongs }) => signerBelongs)
  const bySeq = Map.groupBy(own, ({ pack }) => pack.packSeq)
  const tsOf = new Map(own.map(({ hash, ts }) => [hash, ts]))
  // EV-40 comes before EV-41. Of the own ones, what the walk does not reach is above a gap.
  const effects = new Map<string, PackEffect | null>(
    packs.map(({ hash, signerBelongs }) => [hash, signerBelongs ? 'PACK_GAP' : 'PACK_SIGNER_FOREIGN'])
  )
  const wellJudged = new Set<string>()
  const everBound = new Map<string, { kid: string; publicKey: string }>()
  let head = rootState(root)
  let branches: readonly PackState[] = [head]
  let frozen = false
  for (let packSeq = 1; branches.length > 0; packSeq += 1) {
    const next: PackState[] = []
    for (const received of bySeq.get(packSeq) ?? []) {
      const before = branches.find(({ hash }) => hash === received.pack.prevPack)
      if (before === undefined) effects.set(received.hash, 'PACK_PREV_MISMATCH')
      const judged = before === undefined ? undefined : judgePack(root, before, received)
      if (judged?.ok === false) effects.set(received.hash, judged.effect)
      if (judged?.ok !== true) continue
      wellJudged.add(received.hash)
      const signed = typeof received.signed === 'boolean' ? received.signed : received.signed(before ?? head)
      const good = signed && hasGoodKeys(received.pack)
      if (!good) effects.set(received.hash, signed ? 'BODY_INVALID' : 'PACK_SIGNER_FOREIGN')
      if (!good) continue
      next.push(judged.state)
      effects.set(received.hash, null)
      for (const { key } of judged.state.keys.values()) {
        everBound.set(`${key.kid}\n${key.publicKey}`, { kid: key.kid, publicKey: key.publicKey })
      }
    }
    const [only] = next
    if (next.length > 1) frozen = true
    if (frozen) for (const { hash } of next) effects.set(hash ?? '', 'PACK_FORK')
    else if (only !== undefined) head = only
    branches = next
  }
  const anchored = [...head.keys].map(([kid, { key, packSeq, changedBy }]) => {
    return [kid, { key, packSeq, updatedAt: tsOf.get(changedBy) ?? 0 }] as const
  })
  const keys = new Map(anchored)
  return { head: { ...head, keys }, frozen, effects, wellJudged, everBound: [...everBound.values()] }
}

import { TRUST_NAMESPACE } from '../../src/policy/names.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'

/** What an author does next in a namespace. */
export interface Deed {
  readonly author: TestMember
  readonly namespace: string
  /** `fork`: an event at the place of the last one. `pack`: the next pack, in `_trust`. */
  readonly kind: 'announce' | 'unknown' | 'fork' | 'pack'
}

/** The events of these deeds, in order. */
export async function eventsOf(deeds: readonly Deed[]): Promise<readonly SignedEvent[]> {
  const tips = new Map<string, { readonly last: SignedEvent; readonly before: SignedEvent | null }>()
  const packs = new Map<string, AnchorPack>()
  const events: SignedEvent[] = []
  for (const [index, { author, namespace, kind }] of deeds.entries()) {
    const chain = `${author.orgId} ${namespace}`
    const tip = tips.get(chain)
    const isFork = kind === 'fork' && tip !== undefined
    const before = (isFork ? tip.before : tip?.last) ?? null
    const last = await eventAfter(before, { author, namespace, kind }, index, packs)
    tips.set(chain, { last, before })
    events.push(last)
  }
  return events
}

async function eventAfter(
  before: SignedEvent | null,
  { author, namespace, kind }: Deed,
  index: number,
  packs: Map<string, AnchorPack>
): Promise<SignedEvent> {
  if (kind === 'pack' && namespace === TRUST_NAMESPACE) {
    const { orgId, signer } = author
    const pack = makePack({ orgId, before: packs.get(orgId) ?? null, keys: [packKey(signer)], signers: [signer] })
    packs.set(orgId, pack)
    return await packEvent(signer, [signer], pack, before)
  }
  const type = kind === 'announce' && namespace !== TRUST_NAMESPACE ? 'announce' : 'newer-type'
  // Two of a batch's announcers give it two rows' worth of announcements.
  return await next(author, before, announceBody(`batch-${index % 4}`, { rootOf: String(index) }), { namespace, type })
}

import type { AnchorPack, LastGood, PackKey } from '../../../protocols/event/v1/anchor-pack.ts'
import type { SignedEvent } from '../../support/events.ts'
import { next } from '../../support/events.ts'
import type { TestMember } from '../../support/identities.ts'
import { makePack, packEvent, packKey } from '../../support/packs.ts'
import { BERTA, packKeySigner } from './world.ts'

/** A machine of Berta's organisation whose key packs retire or revoke, and another one of the same DID. */
export const OLD: TestMember = { orgId: BERTA.orgId, signer: packKeySigner(BERTA, 0, 0) }
export const NEW: TestMember = { orgId: BERTA.orgId, signer: packKeySigner(BERTA, 1, 0) }

/** A last good event as packs name it. */
export function goodOf({ id, envelope: { signer, kid, namespace, authorSeq } }: SignedEvent): LastGood {
  return { signer, kid, namespace, authorSeq, id }
}

/** The packs of Berta's organisation one after the other, each made with what happens to the key of `OLD`. */
export class Packs {
  #before: AnchorPack | null = null
  #event: SignedEvent | null = null

  /** Two made of the same one are a fork. */
  fork(): Packs {
    const other = new Packs()
    other.#before = this.#before
    other.#event = this.#event
    return other
  }

  get last(): AnchorPack {
    if (this.#before === null) throw new Error('there is no pack yet')
    return this.#before
  }

  async next(old: Partial<PackKey> = {}, changes: Partial<AnchorPack> = {}): Promise<SignedEvent> {
    const keys = [packKey(BERTA.signer), packKey(OLD.signer, old), packKey(NEW.signer)]
    this.#before = makePack({ orgId: BERTA.orgId, before: this.#before, keys, signers: [BERTA.signer], changes })
    this.#event = await packEvent(BERTA.signer, [BERTA.signer], this.#before, this.#event)
    return this.#event
  }
}

/** So many events of a machine, one after the other. */
export async function chainOf(
  by: TestMember,
  bodies: readonly Parameters<typeof next>[2][],
  options: Parameters<typeof next>[3] = {}
): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (const body of bodies) events.push(await next(by, events.at(-1) ?? null, body, options))
  return events
}

export const retired = (...lastGood: readonly SignedEvent[]): Partial<PackKey> => ({
  status: 'RETIRED',
  retiredAt: 1_700_000_000_000,
  lastGood: lastGood.map(goodOf)
})

export const revoked = (...lastGood: readonly SignedEvent[]): Partial<PackKey> => ({
  status: 'REVOKED',
  revokedAt: 1_700_000_000_000,
  lastGood: lastGood.map(goodOf)
})

import { expect, test } from 'vitest'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, packKeysBytes } from '../../protocols/event/v1/anchor-pack.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { effects } from '../../src/projections/effects.ts'
import type { Projection, Table } from '../../src/projections/projection.ts'
import { sequences } from '../../src/projections/sequences.ts'
import { trustAnchors } from '../../src/projections/trust-anchors.ts'
import type { SignedEvent } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import { carrierOf, makePack, packKey, signedCarrierOf } from '../support/packs.ts'
import { allRows, openLedger } from './support/ledger.ts'

const ORG = 'org-ada'
const self = member('self')
const honest = member('honest', ORG)
const stolen = member('stolen', ORG)
const mallory = member('mallory', ORG)
const policy = policyOf(self, [self, honest, stolen, mallory], { organisations: [{ orgId: ORG, threshold: 1 }] })

const keys = [packKey(honest.signer), packKey(stolen.signer)]
const one = makePack({ orgId: ORG, keys, signers: [honest.signer] })
const two = makePack({
  orgId: ORG,
  before: one,
  keys: [packKey(honest.signer), packKey(stolen.signer, { status: 'REVOKED', revokedAt: 1 })],
  signers: [honest.signer]
})

type Place = Pick<AnchorPack, 'packSeq' | 'prevPack'>

const PACKS = 6_000
const NOBODY = '0'.repeat(64)

/** The least that has the form of a pack: `root` tells one from another, and is never right. */
function garbage(place: (index: number) => Place): SignedEvent[] {
  const signers = [mallory.signer]
  const events: SignedEvent[] = []
  for (let index = 0; index < PACKS; index += 1) {
    const changes: Partial<AnchorPack> = { kind: 'delta', root: sha256Hex(`garbage ${index}`), ...place(index) }
    const pack = makePack({ orgId: ORG, before: one, keys: [], signers, changes })
    events.push(carrierOf(mallory.signer.did, pack, 1_700_000_000_000, events.at(-1)))
  }
  return events
}

/** Where a member's garbage stands: all over, or where it is in the way most. */
const FLOODS: readonly { name: string; place: (index: number) => Place; comes: 'before' | 'after' }[] = [
  {
    name: 'wait at many numbers',
    place: (index) => ({ packSeq: 2 + (index % 3_000), prevPack: NOBODY }),
    comes: 'before'
  },
  { name: 'wait at the number of the revocation', place: () => ({ packSeq: 2, prevPack: NOBODY }), comes: 'before' },
  { name: 'name the true predecessor', place: () => ({ packSeq: 2, prevPack: packHash(one) }), comes: 'before' },
  { name: 'name the revocation', place: () => ({ packSeq: 3, prevPack: packHash(two) }), comes: 'after' }
]

// Per projection: remembered and linked, shown as a gap, then as a mismatch, read back and judged, shown as that. Steps
// are counted, which do not depend on the machine; a walk over the others would take thousands.
const STEPS_OF_A_PACK_MAX = 3 * 20

interface Steps {
  count: number
}

/** The projection, with every entry counted that its fold reads, writes or gets out of a range. */
function countingSteps(projection: Projection, steps: Steps): Projection {
  const counting = (table: Table): Table => ({
    get: (key) => ((steps.count += 1), table.get(key)),
    at: (key) => ((steps.count += 1), table.at(key)),
    isAtHand: (key) => table.isAtHand(key),
    put: (key, value) => ((steps.count += 1), table.put(key, value)),
    del: (key) => ((steps.count += 1), table.del(key)),
    async range(prefix, limit) {
      const entries = await table.range(prefix, limit)
      steps.count += 1 + entries.length
      return entries
    }
  })
  return {
    ...projection,
    fold(record, context) {
      return projection.fold(record, { ...context, rows: counting(context.rows), facts: counting(context.facts) })
    }
  }
}

test.each(FLOODS)('6,000 packs that $name, $comes the first, hide nothing, at the same cost each', async (flooding) => {
  const { place, comes } = flooding
  const steps: Steps = { count: 0 }
  const projections = [trustAnchors, effects, sequences].map((projection) => countingSteps(projection, steps))
  const ledger = await openLedger({ policy, projections })
  const flood = garbage(place)
  const first = await signedCarrierOf(honest.signer.did, one, 1_700_000_000_000, [honest.signer])
  if (comes === 'after') await ledger.append(first)
  for (let from = 0; from < flood.length; from += 500) await ledger.append(...flood.slice(from, from + 500))
  if (comes === 'before') await ledger.append(first)
  await ledger.append(await signedCarrierOf(honest.signer.did, two, 1_700_000_000_000, [honest.signer], first))
  await ledger.caughtUp()
  const statuses = new Map((await allRows(ledger, 'trust-anchors')).map(({ kid, status }) => [kid, status]))
  expect(statuses).toEqual(
    new Map([
      [honest.signer.kid, 'ACTIVE'],
      [stolen.signer.kid, 'REVOKED']
    ])
  )
  const [head] = await allRows(ledger, 'sequences')
  expect(head).toMatchObject({ orgId: ORG, packSeq: 2, packHash: packHash(two), frozen: false })
  expect(await allRows(ledger, 'effects', { limit: 500 })).toHaveLength(PACKS)
  expect(steps.count).toBeLessThan(PACKS * STEPS_OF_A_PACK_MAX)
  await ledger.close()
})

/** The projection, with the bytes counted of what its fold remembers. */
function countingBytes(projection: Projection, bytes: Steps): Projection {
  return {
    ...projection,
    fold(record, context) {
      const { facts } = context
      const counting: Table = {
        get: (key) => facts.get(key),
        at: (key) => facts.at(key),
        isAtHand: (key) => facts.isAtHand(key),
        del: (key) => facts.del(key),
        range: (prefix, limit) => facts.range(prefix, limit),
        put(key, value) {
          bytes.count += JSON.stringify(value).length
          facts.put(key, value)
        }
      }
      return projection.fold(record, { ...context, facts: counting })
    }
  }
}

test('small packs on many bytes of keys do not have all of them written for each', async () => {
  const lastGood = Array.from({ length: 64 }, (_, index) => {
    return { authorSeq: 1 + index, id: NOBODY, kid: 'x'.repeat(128), namespace: 'dao:test', signer: honest.signer.did }
  })
  const fat = ['fat-1', 'fat-2'].map((kid) => {
    return packKey({ ...member(kid).signer, kid }, { status: 'RETIRED', retiredAt: 1, lastGood })
  })
  const resulting = [...keys, ...fat]
  const sign = (pack: AnchorPack, before: SignedEvent | null): Promise<SignedEvent> =>
    signedCarrierOf(honest.signer.did, pack, 1_700_000_000_000, [honest.signer], before)
  let before = makePack({ orgId: ORG, keys: resulting, signers: [honest.signer] })
  const events = [await sign(before, null)]
  const small = 200
  for (let index = 0; index < small; index += 1) {
    const last = index === small - 1 ? [packKey(stolen.signer, { status: 'REVOKED', revokedAt: 1 })] : []
    before = makePack({
      orgId: ORG,
      before,
      keys: last,
      resulting: [packKey(honest.signer), ...(last.length === 0 ? keys.slice(1) : last), ...fat],
      signers: [honest.signer],
      changes: { kind: 'delta', validUntil: 1_800_000_000_000 + index }
    })
    events.push(await sign(before, events.at(-1) ?? null))
  }
  const bytes: Steps = { count: 0 }
  const ledger = await openLedger({ policy, projections: [countingBytes(trustAnchors, bytes)] })
  await ledger.append(...events)
  await ledger.caughtUp()
  expect(packKeysBytes(resulting)).toBeGreaterThan(40_000)
  // A full set for each 16 of them.
  expect(bytes.count).toBeLessThan((small * packKeysBytes(resulting)) / 10)
  const shown = (await allRows(ledger, 'trust-anchors')).map(({ kid, status, packSeq }) => [kid, status, packSeq])
  expect(new Map(shown.map(([kid, ...rest]) => [kid, rest]))).toEqual(
    new Map<unknown, unknown>([
      [honest.signer.kid, ['ACTIVE', 1]],
      [stolen.signer.kid, ['REVOKED', 1 + small]],
      ['fat-1', ['RETIRED', 1]],
      ['fat-2', ['RETIRED', 1]]
    ])
  )
  expect((await ledger.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
  await ledger.close()
})

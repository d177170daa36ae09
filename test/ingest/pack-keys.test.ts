import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { Outcome } from '../../src/events/outcome.ts'
import { outcomeName } from '../../src/events/outcome.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { KeyRange } from '../../src/log/store.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { UNLOGGED_KEYS_PREFIX } from '../../src/projections/trust-anchors.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'
import { WrappedStore } from '../support/stores.ts'
import { until } from '../support/until.ts'
import { garbageSignature } from './wires.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const everybody = [self, ada, bob]

/** Another key of ada's DID. */
function machine(kid: string, seed: string = kid): Signer {
  return localSigner(sha256(`machine ${seed}`), { did: ada.signer.did, kid })
}

/** Can't read a range of keys for a while. */
class FailingReads extends WrappedStore {
  failing: string | null = null

  override range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    const fails = this.failing !== null && range.gte?.includes(this.failing) === true
    if (fails) throw new AnchormeshError('STORE_FULL', 'the store could not be opened again after a failed write')
    return super.range(range)
  }
}

const second = machine('machine-2')
const third = machine('machine-3')
const ofSecond: TestMember = { ...ada, signer: second }

function packOne(
  keys: readonly Signer[] = [ada.signer, second],
  signers: readonly Signer[] = [ada.signer],
  changes: Partial<AnchorPack> = {}
): AnchorPack {
  return makePack({ orgId: ada.orgId, keys: keys.map((key) => packKey(key)), signers, changes })
}

async function submit(ingest: Ingest, event: SignedEvent): Promise<string> {
  const outcome: Outcome = await ingest.door.submit(event.wire, { via: 'gossip', peer: 'peer-1' })
  return outcomeName(outcome)
}

/** Resolves once the event is in the log. */
async function logged(ingest: Ingest, { id }: SignedEvent): Promise<void> {
  await until('the event is in', () => (ingest.log.peek(id)?.logSeq ?? 0) > 0)
}

/** Resolves once so many keys stand under the kid of ada's organisation. */
async function keysOf(ingest: Ingest, kid: string, count: number): Promise<void> {
  await until(`${count} keys of ${kid} are bound`, () => {
    const found = ingest.keyring.find(ada.signer.did, kid, ada.orgId)
    return found.ok && found.keys.length === count
  })
}

async function effects(ingest: Ingest): Promise<JsonObject[]> {
  return await ingest.rows('effects')
}

test('an event under an unknown key waits for the pack that binds it, with those that follow it', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await next(ofSecond, null, announceBody('batch-1'))
  const after = await next(ofSecond, first, announceBody('batch-2'))
  expect(await submit(ingest, after)).toBe('pending(KEY_UNKNOWN)')
  expect(await submit(ingest, first)).toBe('pending(KEY_UNKNOWN)')
  expect(ingest.door.status().signaturesVerified).toBe(0)
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne()))).toBe('accepted')
  await logged(ingest, after)
  expect(ingest.door.status()).toMatchObject({ signaturesVerified: 3, pending: { events: 0 } })
  expect(await effects(ingest)).toEqual([])
})

test.each([
  [
    'when projections move on',
    async (ingest: Ingest) => void (await submit(ingest, await next(bob, null, announceBody('batch-2'))))
  ],
  ['after a second', async (ingest: Ingest) => await ingest.clock.advance(1_000)]
])('keys that could not be read just now are bound %s', async (_, goOn) => {
  const store = new FailingReads(await openMemoryStore())
  const ingest = await openIngest(self, everybody, { store })
  const waiting = await next(ofSecond, null, announceBody('batch-1'))
  expect(await submit(ingest, waiting)).toBe('pending(KEY_UNKNOWN)')
  store.failing = UNLOGGED_KEYS_PREFIX
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne()))).toBe('accepted')
  const failed = 'keyring could not be brought up to date'
  await until('reading failed', () => ingest.lines.some(({ message }) => message.includes(failed)))
  store.failing = null
  await goOn(ingest)
  await logged(ingest, waiting)
})

test('a pack without effect binds nothing', async () => {
  const ingest = await openIngest(self, everybody)
  const foreign = makePack({ orgId: ada.orgId, keys: [packKey(bob.signer), packKey(second)], signers: [bob.signer] })
  expect(await submit(ingest, await packEvent(bob.signer, [bob.signer], foreign))).toBe('accepted')
  expect(await effects(ingest)).toMatchObject([{ effect: 'PACK_SIGNER_FOREIGN' }])
  expect(await submit(ingest, await next(ofSecond, null, announceBody('batch-1')))).toBe('pending(KEY_UNKNOWN)')
})

test('a pack of its organisation binds nothing to a signer of another one', async () => {
  const ingest = await openIngest(self, everybody)
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne()))).toBe('accepted')
  await keysOf(ingest, 'machine-2', 1)
  const borrowed: TestMember = { ...bob, signer: { ...second, did: bob.signer.did } }
  expect(await submit(ingest, await next(borrowed, null, announceBody('batch-1')))).toBe('pending(KEY_UNKNOWN)')
})

test('a key that a pack revokes still gets its events admitted: effect is for the folds', async () => {
  const ingest = await openIngest(self, everybody)
  const one = packOne()
  const two = makePack({
    orgId: ada.orgId,
    before: one,
    keys: [packKey(ada.signer), packKey(second, { status: 'REVOKED', revokedAt: 1 })],
    signers: [ada.signer]
  })
  const firstEvent = await packEvent(ada.signer, [ada.signer], one)
  expect(await submit(ingest, firstEvent)).toBe('accepted')
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], two, firstEvent))).toBe('accepted')
  await keysOf(ingest, 'machine-2', 1)
  expect(await ingest.rows('trust-anchors')).toMatchObject([
    { kid: 'machine-2', status: 'REVOKED' },
    { kid: ada.signer.kid, status: 'ACTIVE' }
  ])
  expect(await submit(ingest, await next(ofSecond, null, announceBody('batch-1')))).toBe('accepted')
})

test('co-signers: a new key signs the pack that introduces it', async () => {
  const ingest = await openIngest(self, everybody)
  const pack = packOne([ada.signer, second], [ada.signer, second], { threshold: 2 })
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer, second], pack))).toBe('accepted')
  expect(ingest.door.status().signaturesVerified).toBe(2)
  expect(await effects(ingest)).toEqual([])
  expect(await ingest.rows('trust-anchors')).toHaveLength(2)
})

test.each([
  [
    'a named co-signer who did not sign',
    'rejected(SIGNER_MISMATCH)',
    async () => await packEvent(ada.signer, [ada.signer], packOne([ada.signer, second], [ada.signer, second]))
  ],
  [
    'a co-signer who is not named',
    'rejected(SIGNER_MISMATCH)',
    async () => await packEvent(ada.signer, [ada.signer, second], packOne())
  ],
  [
    'signing kids that are out of order',
    'rejected(SIGNER_MISMATCH)',
    async () =>
      await packEvent(
        ada.signer,
        [ada.signer, second],
        packOne(undefined, undefined, { signingKids: [second.kid, ada.signer.kid].sort().reverse() })
      )
  ],
  [
    'signing kids without the author',
    'rejected(SIGNER_MISMATCH)',
    async () => await packEvent(ada.signer, [second], packOne(undefined, [second]))
  ],
  [
    'a co-signature by another key',
    'rejected(SIGNATURE_INVALID)',
    async () =>
      await packEvent(
        ada.signer,
        [ada.signer, machine('machine-2', 'impostor')],
        packOne(undefined, [ada.signer, second])
      )
  ],
  [
    'garbage for all signatures',
    'rejected(SIGNATURE_INVALID)',
    async () => {
      const event = await packEvent(ada.signer, [ada.signer, second], packOne(undefined, [ada.signer, second]))
      return { ...event, wire: garbageSignature(event.wire) }
    }
  ],
  [
    'a weak key of a co-signer',
    'rejected(KEY_WEAK)',
    async () => {
      const weak = { ...second, publicKey: new Uint8Array(32) }
      return await packEvent(ada.signer, [ada.signer, weak], packOne([ada.signer, weak], [ada.signer, weak]))
    }
  ],
  [
    'a co-signer that nothing binds',
    'pending(KEY_UNKNOWN)',
    async () => await packEvent(ada.signer, [ada.signer, third], packOne(undefined, [ada.signer, third]))
  ]
])('a pack with %s: %s', async (_, expected, make) => {
  const ingest = await openIngest(self, everybody)
  const before = await ingest.fingerprint()
  expect(await submit(ingest, await make())).toBe(expected)
  expect(await ingest.fingerprint()).toEqual(before)
})

test('a delta pack co-signed by a key of the pack before waits for that one', async () => {
  const ingest = await openIngest(self, everybody)
  const one = packOne()
  const two = makePack({
    orgId: ada.orgId,
    before: one,
    keys: [packKey(third)],
    resulting: [ada.signer, second, third].map((key) => packKey(key)),
    signers: [ada.signer, second],
    changes: { kind: 'delta', threshold: 2 }
  })
  const firstEvent = await packEvent(ada.signer, [ada.signer], one)
  const secondEvent = await packEvent(ada.signer, [ada.signer, second], two, firstEvent)
  expect(await submit(ingest, secondEvent)).toBe('pending(KEY_UNKNOWN)')
  expect(await submit(ingest, firstEvent)).toBe('accepted')
  await logged(ingest, secondEvent)
  expect(await effects(ingest)).toEqual([])
  expect(await ingest.rows('trust-anchors')).toHaveLength(3)
})

test('a fork of packs that binds one kid to two keys: events under both are admitted, whichever came first', async () => {
  const impostor = machine('machine-2', 'impostor')
  const left = packOne([ada.signer, second])
  const right = packOne([ada.signer, impostor])
  const leftEvent = await packEvent(ada.signer, [ada.signer], left)
  const rightEvent = await packEvent(ada.signer, [ada.signer], right)
  const mine = await next(ofSecond, null, announceBody('mine'))
  const stolen = await next({ ...ada, signer: impostor }, null, announceBody('stolen'))
  const found: unknown[] = []
  for (const packs of [
    [leftEvent, rightEvent],
    [rightEvent, leftEvent]
  ]) {
    const ingest = await openIngest(self, everybody)
    for (const [index, pack] of packs.entries()) {
      expect(await submit(ingest, pack)).toBe('accepted')
      await keysOf(ingest, 'machine-2', index + 1)
    }
    expect(await effects(ingest)).toMatchObject([{ effect: 'PACK_FORK' }, { effect: 'PACK_FORK' }])
    expect([await submit(ingest, mine), await submit(ingest, stolen)]).toEqual(['accepted', 'accepted'])
    const { digests } = (await ingest.fingerprint()) as { digests: { events: string; state: string }[] }
    found.push(digests.map(({ events, state }) => ({ events, state })))
  }
  expect(found[0]).toEqual(found[1])
})

test('what fits none of the keys so far is taken in once the pack comes that brings its key', async () => {
  const ingest = await openIngest(self, everybody)
  const impostor = machine('machine-2', 'impostor')
  const stolen = await next({ ...ada, signer: impostor }, null, announceBody('stolen'))
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne()))).toBe('accepted')
  await keysOf(ingest, 'machine-2', 1)
  expect(await submit(ingest, stolen)).toBe('pending(KEY_UNKNOWN)')
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne([ada.signer, impostor])))).toBe(
    'accepted'
  )
  await logged(ingest, stolen)
})

test('an honest peer that knows both sides of a fork pays nothing at a node that knows one', async () => {
  const impostor = machine('machine-2', 'impostor')
  const ingest = await openIngest(self, everybody)
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne()))).toBe('accepted')
  await keysOf(ingest, 'machine-2', 1)
  const held = await next(ofSecond, null, announceBody('one event under two keys'))
  const other = await next({ ...ada, signer: impostor }, null, announceBody('one event under two keys'))
  expect(other.id).toBe(held.id)
  expect(await submit(ingest, held)).toBe('accepted')
  expect(await submit(ingest, other)).toBe('ignored(SAME_ID_OTHER_BYTES)')
})

test('under a kid that packs bound, what fits none of its keys waits: a fork may bring one more', async () => {
  const ingest = await openIngest(self, everybody)
  const other = await next({ ...ada, signer: machine('machine-2', 'one more') }, null, announceBody('other'))
  expect(await submit(ingest, await packEvent(ada.signer, [ada.signer], packOne()))).toBe('accepted')
  await keysOf(ingest, 'machine-2', 1)
  const before = ingest.door.status().signaturesVerified
  for (let copy = 0; copy < 3; copy += 1) expect(await submit(ingest, other)).toBe('pending(KEY_UNKNOWN)')
  expect(ingest.door.status().signaturesVerified).toBe(before + 1)
})

test('a pack in another namespace is admitted, has no effect, and needs its co-signers all the same', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await packEvent(ada.signer, [ada.signer], packOne())
  const elsewhere = await next(ada, null, event.envelope.body, { type: 'anchor-pack' })
  expect(await submit(ingest, elsewhere)).toBe('accepted')
  expect(await effects(ingest)).toMatchObject([{ effect: 'TYPE_UNKNOWN' }])
  expect(await ingest.rows('trust-anchors')).toEqual([])
})

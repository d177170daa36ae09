import { expect, test } from 'vitest'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { LocalEvent } from '../../src/events/local.ts'
import { localEvent } from '../../src/events/local.ts'
import { RECORD_PREFIX } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { parseRecord } from '../../src/log/log-reader.ts'
import type { KeyRange } from '../../src/log/store.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { KeyBinding } from '../../src/projections/trust-anchors.ts'
import { UNLOGGED_KEYS_PREFIX } from '../../src/projections/trust-anchors.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { collect } from '../support/collect.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'
import { settled } from '../support/settled.ts'
import { FailingStore, WrappedStore } from '../support/stores.ts'
import { until } from '../support/until.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const everybody = [self, ada, bob]
const second = localSigner(sha256('machine machine-2'), { did: ada.signer.did, kid: 'machine-2' })
const ofSecond: TestMember = { ...ada, signer: second }

/** A policy under which ada's packs do not count: they begin with another one. */
const pinned = policyOf(self, everybody, {
  organisations: [{ orgId: ada.orgId, threshold: 1, firstPack: 'f'.repeat(64) }]
})

const pack = makePack({ orgId: ada.orgId, keys: [packKey(ada.signer), packKey(second)], signers: [ada.signer] })

async function submitted(ingest: Ingest, event: SignedEvent): Promise<string> {
  return (await ingest.door.submit(event.wire, { via: 'gossip', peer: 'peer-1' })).outcome
}

const nameOf = ({ holder, kid }: KeyBinding): string => `${holder} ${kid}`

/** The keys that the log names as bound by packs. */
async function keysInLog({ log }: Ingest): Promise<string[]> {
  const records = (await collect(log.records(0, log.head.logSeq))).map((record) => parseRecord(record))
  const events = records.flatMap((logged): LocalEvent[] => (logged.scope === 'local' ? [logged.event] : []))
  return events.flatMap(({ type, body }) => (type === 'key-bound' ? [nameOf(body as KeyBinding)] : []))
}

const expectedKeys = [`${ada.orgId} ${second.kid}`, `${ada.orgId} ${ada.signer.kid}`]

const isBound = (ingest: Ingest): boolean => ingest.keyring.find(ada.signer.did, second.kid, ada.orgId).ok

async function appendPolicy({ log, clock }: Ingest, policy: EffectivePolicy): Promise<void> {
  await log.append([{ scope: 'local', event: localEvent('policy', clock.now(), policy) }])
}

/** The store outlives the ingest that works on it. */
class LentStore extends WrappedStore {
  looks = 0

  override range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    if (range.gte?.includes(UNLOGGED_KEYS_PREFIX) === true) this.looks += 1
    return super.range(range)
  }

  override async close(): Promise<void> {}
}

test('what a pack bound stays bound when policy lets the pack count no more, also after a restart', async () => {
  const store = new LentStore(await openMemoryStore())
  const first = await openIngest(self, everybody, { store })
  await submitted(first, await packEvent(ada.signer, [ada.signer], pack))
  await until('the key is bound', () => isBound(first))
  const before = await next(ofSecond, null, announceBody('batch-1'))
  expect(await submitted(first, before)).toBe('accepted')
  await appendPolicy(first, pinned)
  expect(await first.rows('trust-anchors')).toEqual([])
  await first.close()

  const again = await openIngest(self, everybody, { store })
  expect(isBound(again)).toBe(true)
  expect(await submitted(again, await next(ofSecond, before, announceBody('batch-2')))).toBe('accepted')
  expect((await again.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
  expect(await again.rows('effects')).toMatchObject([{ effect: 'PACK_PREV_MISMATCH' }])
  expect(await keysInLog(again)).toEqual(expectedKeys)
})

test('a key is logged once, whatever else comes', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await packEvent(ada.signer, [ada.signer], pack)
  await submitted(ingest, event)
  await until('the key is bound', () => isBound(ingest))
  const two = makePack({ orgId: ada.orgId, before: pack, keys: pack.keys, signers: [ada.signer] })
  await submitted(ingest, await packEvent(ada.signer, [ada.signer], two, event))
  await appendPolicy(ingest, pinned)
  await appendPolicy(ingest, policyOf(self, everybody))
  await ingest.rows('trust-anchors')
  for (let turn = 0; turn < 20; turn += 1) await settled()
  expect(await keysInLog(ingest)).toEqual(expectedKeys)
  expect(await collect(ingest.engine.instance('trust-anchors').factsWithPrefix(UNLOGGED_KEYS_PREFIX))).toEqual([])
})

test('what the last run bound and could not log is logged by the next, and counts only then', async () => {
  const store = new FailingStore(new LentStore(await openMemoryStore()))
  const first = await openIngest(self, everybody, { store })
  const [signing, packed] = [first.log.head.logSeq, await packEvent(ada.signer, [ada.signer], pack)]
  // The disk has room for the pack and for no record after it.
  const last = `${RECORD_PREFIX}${(signing + 1).toString(16).padStart(16, '0')}`
  store.full = (key) => key.startsWith(RECORD_PREFIX) && key > last
  expect(await submitted(first, packed)).toBe('accepted')
  const failed = 'keyring could not be brought up to date'
  await until('logging failed', () => first.lines.some(({ message }) => message.includes(failed)))
  expect(isBound(first)).toBe(false)
  await first.close()

  const again = await openIngest(self, everybody, { store: store.inner })
  await until('the key is bound', () => isBound(again))
  expect(await keysInLog(again)).toEqual(expectedKeys)
})

test('a fold that halted is looked at once where it stands, and again when it was folded anew', async () => {
  const store = new LentStore(await openMemoryStore())
  const ingest = await openIngest(self, everybody, { store })
  await until('the first look is over', () => store.looks === 1)
  ingest.engine.instance('trust-anchors').halted = 'stopped by hand'
  await submitted(ingest, await packEvent(ada.signer, [ada.signer], pack))
  const waiting = await next(ofSecond, null, announceBody('batch-1'))
  expect(await submitted(ingest, waiting)).toBe('pending')
  let before: SignedEvent | null = null
  for (let batch = 0; batch < 20; batch += 1) {
    before = await next(bob, before, announceBody(`batch-${batch}`))
    await submitted(ingest, before)
    await ingest.rows('effects')
  }
  expect(isBound(ingest)).toBe(false)
  expect(store.looks).toBeLessThan(4)
  await ingest.engine.rebuild()
  await until('what waited is in', () => (ingest.log.peek(waiting.id)?.logSeq ?? 0) > 0)
  expect(await keysInLog(ingest)).toEqual(expectedKeys)
})

test('a key whose logging seemed to fail, but reached the disk, is bound once the store is back', async () => {
  const disk = new FailingStore(await openMemoryStore())
  const ingest = await openIngest(self, everybody, { store: disk })
  const waiting = await next(ofSecond, null, announceBody('batch-1'))
  expect(await submitted(ingest, waiting)).toBe('pending')
  disk.mode = 'kept'
  let records = 0
  // The pack's own record is written, that of its keys fails.
  disk.full = (key) => key.startsWith(RECORD_PREFIX) && (records += 1) > 1
  expect(await submitted(ingest, await packEvent(ada.signer, [ada.signer], pack))).toBe('accepted')
  await until('the write has failed', () => ingest.log.fault)
  disk.full = () => false
  await until('the key is bound', () => {
    void ingest.clock.advance(1_000)
    return isBound(ingest)
  })
  await until('what waited for it is in', () => ingest.door.status().pending.events === 0)
  expect(await keysInLog(ingest)).toEqual(expectedKeys)
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NONCES_OF_SIGNER_MAX, NonceBook } from '../../src/ingest/nonce-book.ts'
import type { RequestFacts } from '../../src/ingest/request-guard.ts'
import { RequestGuard } from '../../src/ingest/request-guard.ts'
import { nonceKey } from '../../src/log/keys.ts'
import { openLevelStore, openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'

const SKEW_MS = 300_000
const SELF = 'did:web:self.example'
const ADA = 'did:web:ada.example'

function guardOn(store: Store, clock: HandClock, skewMs = SKEW_MS): RequestGuard {
  const nonces = new NonceBook({ store, write: (operations, options) => store.write(operations, options), clock })
  return new RequestGuard({ nonces, clock, self: () => SELF, skewMs: () => skewMs })
}

function request(clock: HandClock, changes: Partial<RequestFacts> = {}): RequestFacts {
  return { audience: SELF, signer: ADA, nonce: 'one', ts: clock.now(), ...changes }
}

async function codeOf(guard: RequestGuard, facts: RequestFacts): Promise<string> {
  for (const check of [guard.audience(facts), guard.time(facts)]) if (!check.ok) return check.code
  const taken = await guard.nonce(facts)
  return taken.ok ? 'ok' : taken.code
}

async function levelStore(): Promise<{ store: Store; reopened: () => Promise<Store> }> {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  let store = await openLevelStore(join(folder, 'store'), { create: true })
  onTestFinished(() => store.close())
  return {
    store,
    async reopened() {
      await store.close()
      store = await openLevelStore(join(folder, 'store'), { create: false })
      return store
    }
  }
}

test('a request is for this node, of about now, and answered once', async () => {
  const clock = createHandClock()
  const guard = guardOn(await openMemoryStore(), clock)
  const now = clock.now()
  expect(await codeOf(guard, request(clock, { audience: ADA }))).toBe('WRONG_AUDIENCE')
  expect(await codeOf(guard, request(clock, { ts: now - SKEW_MS - 1 }))).toBe('TIMESTAMP_SKEW')
  expect(await codeOf(guard, request(clock, { ts: now + SKEW_MS + 1 }))).toBe('TIMESTAMP_SKEW')
  expect(await codeOf(guard, request(clock, { ts: now - SKEW_MS }))).toBe('ok')
  expect(await codeOf(guard, request(clock, { ts: now + SKEW_MS }))).toBe('REPLAY')
  expect(await codeOf(guard, request(clock, { nonce: 'two' }))).toBe('ok')
  expect(await codeOf(guard, request(clock, { signer: 'did:web:bob.example' }))).toBe('ok')
})

test('two of the same at once: one is answered', async () => {
  const clock = createHandClock()
  const guard = guardOn(await openMemoryStore(), clock)
  const codes = await Promise.all([1, 2, 3].map(() => codeOf(guard, request(clock))))
  expect(codes.toSorted()).toEqual(['REPLAY', 'REPLAY', 'ok'])
})

test('what was answered before a restart is a replay after it, for as long as its time lets it in', async () => {
  const clock = createHandClock()
  const { store, reopened } = await levelStore()
  const asked = request(clock, { ts: clock.now() + SKEW_MS })
  expect(await codeOf(guardOn(store, clock), asked)).toBe('ok')
  const again = guardOn(await reopened(), clock)
  expect(await codeOf(again, asked)).toBe('REPLAY')
  for (let minute = 0; minute < 20; minute += 1) {
    await clock.advance(60_000)
    // So that the book looks what it may forget.
    expect(await codeOf(again, request(clock, { nonce: `minute ${minute}` }))).toBe('ok')
    expect(await codeOf(again, asked)).toBe(minute < 10 ? 'REPLAY' : 'TIMESTAMP_SKEW')
  }
})

test.each([
  ['by less than the skew', SKEW_MS - 1],
  ['by an hour', 3_600_000],
  ['by a day', 86_400_000]
])('a clock that ran ahead and is set back %s lets nothing in again, also over a restart', async (_, aheadMs) => {
  const clock = createHandClock()
  const { store, reopened } = await levelStore()
  const first = guardOn(store, clock)
  const now = clock.now()
  const asked = request(clock)
  expect(await codeOf(first, asked)).toBe('ok')
  clock.setNow(now + aheadMs)
  await clock.advance(60_000)
  // Whoever asks by the wrong clock, too, has the book forget what is past by it.
  expect(await codeOf(first, request(clock, { nonce: 'ahead' }))).toBe('ok')
  clock.setNow(now + 1_000)
  expect(await codeOf(first, asked)).toMatch(/^(?:REPLAY|TIMESTAMP_SKEW)$/)
  const again = guardOn(await reopened(), clock)
  expect(await codeOf(again, asked)).toMatch(/^(?:REPLAY|TIMESTAMP_SKEW)$/)
  // What was signed since is answered.
  expect(await codeOf(again, request(clock, { nonce: 'since' }))).toBe('ok')
})

test('a skew that is set wider lets nothing in that was forgotten under the narrow one', async () => {
  const clock = createHandClock()
  const { store, reopened } = await levelStore()
  const narrow = guardOn(store, clock, 1_000)
  const asked = request(clock)
  expect(await codeOf(narrow, asked)).toBe('ok')
  await clock.advance(120_000)
  expect(await codeOf(narrow, request(clock, { nonce: 'later' }))).toBe('ok')
  const wide = guardOn(await reopened(), clock, 3_600_000)
  expect(await codeOf(wide, asked)).toBe('TIMESTAMP_SKEW')
  expect(await codeOf(wide, request(clock, { nonce: 'new' }))).toBe('ok')
})

test('what an earlier release wrote down is known', async () => {
  const clock = createHandClock()
  const store = await openMemoryStore()
  const other = guardOn(store, clock)
  expect(await codeOf(other, request(clock))).toBe('ok')
  const [entry] = await entriesOf(store)
  if (entry === undefined) throw new Error('nothing was written')
  await store.write([{ type: 'put', key: entry, value: ADA }], { sync: true })
  expect(await codeOf(guardOn(store, clock), request(clock))).toBe('REPLAY')
})

test('a signer has room for so many, and takes none of it from others', async () => {
  const clock = createHandClock()
  const store = await openMemoryStore()
  const expiresAt = clock.now() + 2 * SKEW_MS
  const full = Array.from({ length: NONCES_OF_SIGNER_MAX }, (_, index) => ({
    type: 'put' as const,
    key: nonceKey(expiresAt, index.toString(16).padStart(64, '0')),
    value: `${clock.now()} ${ADA}`
  }))
  await store.write(full, { sync: false })
  const guard = guardOn(store, clock)
  expect(await codeOf(guard, request(clock))).toBe('OVERLOADED')
  expect(await codeOf(guard, request(clock, { signer: 'did:web:bob.example' }))).toBe('ok')
})

async function entriesOf(store: Store): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.range({ gte: 'q!', lt: 'q!~' })) keys.push(key)
  return keys
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AUDIT_GENESIS, decodeAuditRecord, sealAuditRecord } from '../../protocols/audit/v1/record.ts'
import type { AuditRecord } from '../../protocols/audit/v1/record.ts'
import { syslogMessage } from '../../protocols/audit/v1/syslog.ts'
import { contentOf } from '../../src/audit/content.ts'
import { GROUP_RECORDS_MAX, QUEUED_RECORDS_MAX, RETENTION_EVERY_MS } from '../../src/audit/limits.ts'
import { listRecords } from '../../src/audit/list-records.ts'
import { AUDIT_HEAD_KEY, auditRecordKey } from '../../src/log/keys.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { FailingStore, WatchedStore } from '../support/stores.ts'
import { entryOf, expectIntact, openTestAudit, recordsOf, subjectsOf } from './support.ts'

const numbered = (count: number, from = 1): string[] => Array.from({ length: count }, (_, index) => `s${from + index}`)

describe('records', () => {
  test('are chained in their order, with time, request id and detail', async () => {
    const opened = await openTestAudit()
    const { audit, clock } = opened
    audit.record(entryOf('one', { requestId: 'r-1', detail: { count: 2, why: 'so' } }))
    await clock.advance(10)
    audit.record(entryOf('two', { outcome: 'refused', code: 'KEY_UNKNOWN' }))
    await audit.flushed()
    const [one, two] = await recordsOf(opened)
    expect(one).toMatchObject({ seq: 1, at: clock.now() - 10, requestId: 'r-1', detail: { count: 2, why: 'so' } })
    expect(two).toMatchObject({ seq: 2, at: clock.now(), outcome: 'refused', code: 'KEY_UNKNOWN', prev: one?.hash })
    expect(two?.requestId).toMatch(/^[0-9a-f]{16}$/)
    expect(audit.status()).toMatchObject({ records: 2, oldest: one?.at, newest: two?.at, queue: 0, lost: 0 })
  })

  test('that come at the same time share one synced batch', async () => {
    const store = new WatchedStore(await openMemoryStore())
    const { audit } = await openTestAudit({ store })
    const before = store.writes.length
    for (const subject of numbered(GROUP_RECORDS_MAX + 1)) audit.record(entryOf(subject))
    await audit.flushed()
    const writes = store.writes.slice(before)
    expect(writes.map(({ keys, sync }) => [keys.length, sync])).toEqual([
      [GROUP_RECORDS_MAX + 1, true],
      [2, true]
    ])
    await expectIntact(store)
  })

  test('go on behind the last one when the log is opened again', async () => {
    const opened = await openTestAudit()
    opened.audit.record(entryOf('one'))
    await opened.audit.close()
    const again = await openTestAudit(opened)
    again.audit.record(entryOf('two'))
    await again.audit.flushed()
    expect(await subjectsOf(again)).toEqual(['one', 'two'])
    await expectIntact(opened.store)
  })

  test('whatever an entry holds, the record is one, and its message no longer than a collector takes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.constantFrom('"'.repeat(600), '\\]"'.repeat(300), 'ä€𝄞'.repeat(200), '\u0007\u2028'.repeat(300), '\ud800')
    )
    const value = fc.oneof(text, fc.double(), fc.boolean(), fc.constant(null))
    const entry = fc.record({
      action: text,
      actor: text,
      subject: text,
      requestId: text,
      outcome: fc.constantFrom('ok', 'refused', 'failed'),
      code: fc.option(text),
      detail: fc.dictionary(fc.oneof(text, fc.constantFrom('a', 'count', 'why')), value, { maxKeys: 40 })
    })
    const check = (drawn: object, at: number): void => {
      const content = contentOf(drawn as AuditEntry, at, 'drawn')
      const { record, line } = sealAuditRecord({ ...content, seq: Number.MAX_SAFE_INTEGER, prev: AUDIT_GENESIS })
      expect(decodeAuditRecord(Buffer.from(line))).toEqual({ ok: true, record })
      expect(syslogMessage(record, 'h'.repeat(300)).length).toBeLessThanOrEqual(8_192)
    }
    fc.assert(fc.property(entry, fc.maxSafeNat(), check), { numRuns: 100 })
  })
})

describe('a queue that is full', () => {
  test('counts what it can’t take, and the count is a record in its place', async () => {
    const opened = await openTestAudit()
    const { audit } = opened
    for (const subject of numbered(QUEUED_RECORDS_MAX + 3)) audit.record(entryOf(subject))
    audit.record(entryOf('other', { action: 'KEY_ADDED' }))
    await audit.flushed()
    audit.record(entryOf('later'))
    await audit.close()
    const records = await recordsOf(opened)
    expect(records.slice(0, QUEUED_RECORDS_MAX).map(({ subject }) => subject)).toEqual(numbered(QUEUED_RECORDS_MAX))
    expect(records.slice(QUEUED_RECORDS_MAX)).toMatchObject([
      { action: 'AUDIT_LOST', outcome: 'failed', detail: { count: 4, actions: 'ADMIN_CALL 3, KEY_ADDED 1' } },
      { subject: 'later' }
    ])
    expect(audit.status().lost).toBe(4)
    await expectIntact(opened.store)
  })
})

describe('a store that can’t be written', () => {
  test.each(['lost', 'kept'] as const)('records wait, are told of, and come once and in order (%s)', async (mode) => {
    const store = new FailingStore(await openMemoryStore())
    store.mode = mode
    const opened = await openTestAudit({ store })
    const { audit, clock } = opened
    audit.record(entryOf('s1'))
    await audit.flushed()
    store.full = (key) => key.startsWith('u!')
    audit.record(entryOf('s2'))
    audit.record(entryOf('s3'))
    await expect(audit.flushed()).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(audit.status()).toMatchObject({ queue: 2, fault: expect.stringContaining('no space left') as string })
    audit.record(entryOf('s4'))
    store.full = () => false
    await clock.advance(3_000)
    await audit.flushed()
    expect(audit.status()).toMatchObject({ queue: 0, fault: null })
    expect(await subjectsOf(opened)).toEqual(numbered(4))
    await expectIntact(store)
  })

  test('a disk without room stops nothing else, and what waits is named at the end', async () => {
    const store = new FailingStore(await openMemoryStore())
    const { audit, log, clock, lines } = await openTestAudit({ store })
    await clock.advance(1_500)
    store.free = 1
    audit.record(entryOf('s1'))
    await expect(audit.flushed()).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(log.fault).toBeNull()
    await audit.close()
    expect(lines.map(({ message }) => message)).toContain('audit records could not be written before the end')
  })

  test('whatever fails when, no record is missing, twice or out of order', async () => {
    const plan = fc.array(fc.record({ records: fc.nat(20), fails: fc.boolean(), kept: fc.boolean() }), {
      maxLength: 12
    })
    const check = async (steps: readonly { records: number; fails: boolean; kept: boolean }[]): Promise<void> => {
      const store = new FailingStore(await openMemoryStore())
      const opened = await openTestAudit({ store })
      const { audit, clock } = opened
      let next = 1
      for (const { records, fails, kept } of steps) {
        store.mode = kept ? 'kept' : 'lost'
        store.full = (key) => fails && key.startsWith('u!r!')
        for (const subject of numbered(records, next)) audit.record(entryOf(subject))
        next += records
        await clock.advance(1_100)
      }
      store.full = () => false
      await clock.advance(5_000)
      await audit.flushed()
      expect(await subjectsOf(opened)).toEqual(numbered(next - 1))
      await expectIntact(store)
    }
    await fc.assert(fc.asyncProperty(plan, check), { numRuns: 30 })
  })
})

describe('retention', () => {
  test('by number keeps the newest, and the chain behind its base', async () => {
    const opened = await openTestAudit({ retention: { retentionMs: 1e12, maxRecords: 1_000 } })
    const { audit, store } = opened
    for (const subject of numbered(2_500)) audit.record(entryOf(subject))
    await audit.flushed()
    // What is written together is there before the oldest of it can go.
    audit.record(entryOf('s2501'))
    await audit.close()
    expect(await subjectsOf(opened)).toEqual(numbered(1_000, 1_502))
    expect(await verifyAudit(store)).toMatchObject({ ok: true, records: 1_000, baseSeq: 1_501, headSeq: 2_501 })
    const again = await openTestAudit({ store })
    expect(again.audit.status()).toMatchObject({ records: 1_000, damage: null })
  })

  test('by age drops what is older, also while nothing is recorded', async () => {
    const opened = await openTestAudit({ retention: { retentionMs: 10 * RETENTION_EVERY_MS, maxRecords: 1_000 } })
    const { audit, clock, store } = opened
    audit.record(entryOf('old'))
    await clock.advance(8 * RETENTION_EVERY_MS)
    audit.record(entryOf('young'))
    await clock.advance(4 * RETENTION_EVERY_MS)
    expect(await subjectsOf(opened)).toEqual(['young'])
    await clock.advance(8 * RETENTION_EVERY_MS)
    expect(await subjectsOf(opened)).toEqual([])
    expect(audit.status()).toMatchObject({ records: 0, oldest: null, newest: null })
    audit.record(entryOf('new'))
    await audit.flushed()
    expect(await recordsOf(opened)).toMatchObject([{ seq: 3, subject: 'new' }])
    await expectIntact(store)
  })
})

describe('damage', () => {
  const three = async (): Promise<Awaited<ReturnType<typeof openTestAudit>>> => {
    const opened = await openTestAudit()
    for (const subject of numbered(3)) opened.audit.record(entryOf(subject))
    await opened.audit.close()
    return opened
  }
  const altered = (record: AuditRecord): string => JSON.stringify({ ...record, actor: 'nobody' })

  test.each([
    ['a record in the middle is altered', 2, 'alter', /^record 2: RECORD_ALTERED/],
    ['the last record is altered', 3, 'alter', /^record 3: RECORD_ALTERED/],
    ['a record in the middle is missing', 2, 'drop', /^record 2: missing, up to 2$/],
    ['the last record is missing', 3, 'drop', /^record 3: missing, up to 3$/],
    ['the first record is missing', 1, 'drop', /^record 1: missing, up to 1$/]
  ] as const)('%s: told with its position, recorded, and the chain goes on', async (_what, seq, how, problem) => {
    const opened = await three()
    const { store } = opened
    const record = (await recordsOf(opened))[seq - 1] as AuditRecord
    const key = auditRecordKey(seq)
    if (how === 'drop') await store.write([{ type: 'del', key }], { sync: true })
    else await store.write([{ type: 'put', key, value: altered(record) }], { sync: true })
    const found = await verifyAudit(store)
    expect(found.ok).toBe(false)
    expect(found.problems[0]).toMatchObject({ seq })
    const again = await openTestAudit({ store })
    expect(again.audit.status().damage).toMatch(problem)
    await again.audit.flushed()
    expect((await recordsOf(again)).at(-1)).toMatchObject({ seq: 4, action: 'AUDIT_DAMAGED', outcome: 'failed' })
    await again.audit.close()
    // It stays visible, and what came after it is chained.
    expect((await verifyAudit(store)).problems.map((of) => of.seq)).toEqual(found.problems.map((of) => of.seq))
    expect((await openTestAudit({ store })).audit.status().damage).toBeNull()
  })

  test('the end was taken away with what was noted of it: nothing but a copy can tell', async () => {
    const { store } = await three()
    await store.write(
      [
        { type: 'del', key: auditRecordKey(3) },
        { type: 'del', key: AUDIT_HEAD_KEY }
      ],
      { sync: true }
    )
    expect((await verifyAudit(store)).problems).toEqual([
      { seq: 3, problem: 'what was noted of the last record is missing' }
    ])
  })

  test('a record that can’t be read is passed over in a list', async () => {
    const opened = await three()
    await opened.store.write([{ type: 'put', key: auditRecordKey(2), value: 'x' }], { sync: true })
    expect(await subjectsOf(opened)).toEqual(['s1', 's3'])
  })
})

describe('lists', () => {
  test('are filtered, and followed until the signal aborts', async () => {
    const { audit, store, clock } = await openTestAudit()
    const ports = { log: audit, store, logger: silentLogger }
    audit.record(entryOf('a'))
    await clock.advance(100)
    audit.record(entryOf('b', { actor: 'node' }))
    audit.record(entryOf('c', { action: 'KEY_ADDED', outcome: 'failed' }))
    await audit.flushed()
    const list = async (query: object): Promise<string[]> =>
      (await Array.fromAsync(listRecords(ports, query))).map(({ subject }) => subject)
    expect(await list({ since: clock.now() })).toEqual(['b', 'c'])
    expect(await list({ actor: 'node' })).toEqual(['b'])
    expect(await list({ action: 'KEY_ADDED' })).toEqual(['c'])
    expect(await list({ outcome: 'failed' })).toEqual(['c'])
    expect(await list({ after: 1, limit: 1 })).toEqual(['b'])
    const ending = new AbortController()
    const followed: string[] = []
    for await (const { subject } of listRecords(ports, { follow: true, after: 2 }, ending.signal)) {
      followed.push(subject)
      if (subject === 'e') ending.abort()
      else audit.record(entryOf(subject === 'c' ? 'd' : 'e'))
    }
    expect(followed).toEqual(['c', 'd', 'e'])
  })

  test('that are followed end with the log', async () => {
    const { audit, store } = await openTestAudit()
    const following = Array.fromAsync(listRecords({ log: audit, store, logger: silentLogger }, { follow: true }))
    audit.record(entryOf('last'))
    await audit.close()
    expect((await following).map(({ subject }) => subject)).toEqual(['last'])
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LocalEvent } from '../../src/events/local.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { encodeCursor } from '../../src/projections/cursor.ts'
import { PAGE_ENTRIES_MAX } from '../../src/projections/page.ts'
import { codeOf } from '../support/code-of.ts'
import { announceBody, next } from '../support/events.ts'
import { policyOf } from '../support/identities.ts'
import { counted, countedRows, countingProjection } from './support/counting.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger } from './support/ledger.ts'
import { pastIsKept } from './support/properties.ts'
import { isFold, watchedStore, writeGate } from './support/stores.ts'
import { ALICE, BERTA, EVERYBODY } from './support/world.ts'

const policy = policyOf(ALICE, EVERYBODY)

async function counting(...events: readonly LocalEvent[]): Promise<Ledger> {
  const ledger = await openLedger({ policy, projections: [countingProjection()] })
  if (events.length > 0) await ledger.appendLocal(...events)
  await ledger.caughtUp()
  return ledger
}

const names = (rows: readonly JsonObject[]): unknown[] => rows.map(({ name }) => name)

test('paging is stable under writes: in key order, nothing twice, and nothing left out that was there all the time', async () => {
  const step = fc.record({ name: fc.nat(60), remove: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(60), { maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 12 }),
      async (first, limit, writes) => {
        const nameOf = (index: number): string => `name-${String(index).padStart(3, '0')}`
        const ledger = await counting(...first.map((index) => counted(nameOf(index))))
        const steady = new Set(first.map(nameOf))
        const seen: string[] = []
        let cursor: string | null | undefined
        for (let page = 0; cursor !== null; page += 1) {
          const answer = await ledger.query('counting', { limit, ...(cursor === undefined ? {} : { cursor }) })
          expect(answer.rows.length).toBeLessThanOrEqual(limit)
          seen.push(...(names(answer.rows) as string[]))
          cursor = answer.nextCursor
          const events = (writes[page] ?? []).map(({ name, remove }) => counted(nameOf(name), { remove }))
          for (const { body } of events) if (body['remove'] === true) steady.delete(body['name'] as string)
          if (events.length > 0) await ledger.appendLocal(...events)
          await ledger.caughtUp()
        }
        expect(seen).toEqual([...new Set(seen)].sort())
        expect([...steady].filter((name) => !seen.includes(name))).toEqual([])
        await ledger.close()
      }
    ),
    { numRuns: 40 }
  )
})

test('a page has 100 rows unless it is told otherwise, 500 at most', async () => {
  const ledger = await counting(...Array.from({ length: 510 }, (_, index) => counted(`name-${index}`)))
  expect((await ledger.query('counting')).rows).toHaveLength(100)
  expect((await ledger.query('counting', { limit: 500 })).rows).toHaveLength(500)
  expect((await ledger.query('counting', { limit: 1 })).rows).toHaveLength(1)
  for (const limit of [0, -1, 501, 1.5, Number.NaN, Infinity]) {
    await expect(ledger.query('counting', { limit }), String(limit)).rejects.toMatchObject({ code: 'QUERY_INVALID' })
  }
})

test('a page that ends with the last row has no cursor; an answer says what it is of', async () => {
  const ledger = await counting(counted('a'), counted('b'))
  const page = await ledger.query('counting', { limit: 2 })
  expect(page).toEqual({
    projection: 'counting',
    version: 1,
    epoch: ledger.log.epoch,
    logSeq: 3,
    rows: [...countedRows([counted('a'), counted('b')], 2).values()],
    nextCursor: null
  })
})

test('a page looks at a bounded number of rows, however few match; following its cursor finds every match', async () => {
  const reads = { now: 0 }
  const store = watchedStore(await openMemoryStore(), { onRead: () => void (reads.now += 1) })
  const ledger = await openLedger({ store, policy, projections: [countingProjection()] })
  const nameOf = (index: number): string => `name-${String(index).padStart(5, '0')}`
  const count = 2 * PAGE_ENTRIES_MAX + 500
  for (let from = 0; from < count; from += 500) {
    await ledger.appendLocal(...Array.from({ length: 500 }, (_, index) => counted(nameOf(from + index))))
  }
  const wanted = [0, 1, PAGE_ENTRIES_MAX - 1, PAGE_ENTRIES_MAX, count - 1].map(nameOf)
  await ledger.appendLocal(...wanted.map((name) => counted(name)))
  await ledger.caughtUp()

  reads.now = 0
  const page = await ledger.query('counting', { signer: 'nobody' })
  expect([page.rows, typeof page.nextCursor]).toEqual([[], 'string'])
  expect(reads.now).toBeLessThan(PAGE_ENTRIES_MAX + 10)
  expect(names(await allRows(ledger, 'counting', { status: 'even' }))).toEqual(wanted)
  expect(names(await allRows(ledger, 'counting', { status: 'even', limit: 2 }))).toEqual(wanted)
  expect(await allRows(ledger, 'counting')).toHaveLength(count)
  const before = { at: count + 1 }
  expect(await allRows(ledger, 'counting', { ...before, status: 'even' })).toEqual([])
  let pages = 0
  for (let cursor: string | null | undefined; cursor !== null; pages += 1) {
    cursor = (await ledger.query('counting', { signer: 'nobody', ...(cursor === undefined ? {} : { cursor }) }))
      .nextCursor
  }
  expect(pages).toBe(3)
})

test('filters choose rows; a filter or namespace that a projection does not know is refused', async () => {
  const ledger = await counting(counted('a'), counted('b'), counted('a'), counted('dao:test2!c'), counted('dao:tes!d'))
  expect(names((await ledger.query('counting', { namespace: 'dao:test' })).rows)).toEqual(['a', 'b'])
  expect(names((await ledger.query('counting', { namespace: 'dao:tes' })).rows)).toEqual(['dao:tes!d'])
  expect(names((await ledger.query('counting', { status: 'even' })).rows)).toEqual(['a'])
  expect(names((await ledger.query('counting', { status: 'odd', signer: 'b', namespace: 'dao:test' })).rows)).toEqual([
    'b'
  ])
  expect((await ledger.query('counting', { namespace: 'dao:unknown' })).rows).toEqual([])
  await expect(ledger.query('counting', { batchId: 'x' })).rejects.toMatchObject({
    code: 'QUERY_INVALID',
    hint: 'it knows: namespace, status, signer'
  })
  await expect(ledger.query('unknown')).rejects.toMatchObject({ code: 'UNKNOWN_PROJECTION' })

  const real = await openLedger({ policy })
  await expect(real.query('trust-anchors', { namespace: 'dao:test' })).rejects.toMatchObject({ code: 'QUERY_INVALID' })
  for (const { name, filters } of PROJECTIONS) {
    for (const filter of ['batchId', 'signer', 'status', 'fromTs', 'toTs'] as const) {
      const asked = real.query(name, { [filter]: 'x' }).then(() => 'answered', codeOf)
      expect(await asked, `${name} by ${filter}`).toBe(filters[filter] === undefined ? 'QUERY_INVALID' : 'answered')
    }
  }
})

test('the filters of the projections find what they are asked for', async () => {
  const ledger = await openLedger({ policy })
  const owned = await next(ALICE, null, announceBody('batch-1'))
  const foreign = await next(BERTA, null, announceBody('batch-2', { owner: 'org-alice' }))
  await ledger.append(owned, foreign)
  await ledger.caughtUp()
  const found = async (name: string, query: JsonObject) => (await ledger.query(name, query)).rows.length
  expect(await found('batches', { batchId: 'batch-1' })).toBe(1)
  expect(await found('batches', { signer: BERTA.signer.did })).toBe(1)
  expect(await found('timestamp-anchors', { status: 'unverified' })).toBe(2)
  expect(await found('timestamp-anchors', { status: 'verified' })).toBe(0)
  expect(await found('winners', { status: 'proposed' })).toBe(1)
  expect(await found('sequences', { signer: ALICE.signer.did })).toBe(1)
})

test('a cursor of another log or projection is foreign, of another use or no cursor at all is invalid', async () => {
  const ledger = await counting(counted('a'), counted('b'))
  const { epoch } = ledger.log
  const code = async (cursor: string): Promise<unknown> =>
    await ledger.query('counting', { cursor }).then(() => 'answered', codeOf)
  expect(await code(encodeCursor({ kind: 'page', epoch, projection: 'counting', after: 'dao:test!a' }))).toBe(
    'answered'
  )
  expect(await code(encodeCursor({ kind: 'page', epoch, projection: 'batches', after: 'x' }))).toBe('CURSOR_FOREIGN')
  expect(
    await code(encodeCursor({ kind: 'page', epoch: '0000000000000000', projection: 'counting', after: 'x' }))
  ).toBe('CURSOR_FOREIGN')
  const changes = await ledger.changes('counting').next()
  expect(changes.done).toBe(false)
  const whole = await ledger.query('counting', { limit: 1 })
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.base64String(),
        fc.json().map((text) => Buffer.from(text).toString('base64url'))
      ),
      async (text) => {
        expect(await code(text)).toBe('QUERY_INVALID')
      }
    ),
    { numRuns: 100 }
  )
  await fc.assert(
    fc.asyncProperty(fc.nat((whole.nextCursor ?? '').length - 1), fc.nat(63), async (index, letter) => {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const cursor = whole.nextCursor ?? ''
      const changed = cursor.slice(0, index) + (alphabet[letter] ?? 'A') + cursor.slice(index + 1)
      expect(['answered', 'QUERY_INVALID', 'CURSOR_FOREIGN']).toContain(await code(changed))
    }),
    { numRuns: 100 }
  )
})

test('`at` gives the rows exactly as they were at that position, whatever the groups and policies in between', async () => {
  await pastIsKept(10)
})

test('the last 1,000 positions at least can be asked for; what is older is said to be outdated, with the oldest that is not', async () => {
  const ledger = await counting()
  const events = Array.from({ length: 9_500 }, (_, index) =>
    counted(`name-${(index * index) % 97}`, { remove: index % 11 === 0 })
  )
  for (let from = 0; from < events.length; from += 700) await ledger.appendLocal(...events.slice(from, from + 700))
  await ledger.caughtUp()
  const head = ledger.log.head.logSeq
  const error: unknown = await ledger.query('counting', { at: 1 }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'STATE_OUTDATED' })
  const { oldest } = (error as { detail: { oldest: number } }).detail
  expect(oldest).toBeGreaterThan(1)
  expect(oldest).toBeLessThanOrEqual(head - 1_000)
  await expect(ledger.query('counting', { at: oldest - 1 })).rejects.toMatchObject({ code: 'STATE_OUTDATED' })
  for (const at of [oldest, oldest + 1, head - 4_000, head - 1_000, head - 701, head - 700, head - 1, head]) {
    expect(await allRows(ledger, 'counting', { at }), String(at)).toEqual([
      ...countedRows(events.slice(0, at - 1), 2).values()
    ])
  }
})

test('positions that are none are refused', async () => {
  const ledger = await counting(counted('a'))
  for (const position of [-1, 1.5, Number.NaN, Infinity, 2 ** 53]) {
    await expect(ledger.query('counting', { at: position }), `at ${position}`).rejects.toMatchObject({
      code: 'QUERY_INVALID'
    })
    await expect(ledger.query('counting', { waitFor: position }), `waitFor ${position}`).rejects.toMatchObject({
      code: 'QUERY_INVALID'
    })
  }
})

test('who waits for a position gets the rows there, or NOT_YET after five seconds', async () => {
  const ledger = await counting(counted('a'))
  const waiting = ledger.query('counting', { waitFor: 3 })
  await ledger.appendLocal(counted('b'))
  expect(names((await waiting).rows)).toEqual(['a', 'b'])
  const at = ledger.query('counting', { at: 4 })
  await ledger.appendLocal(counted('c'), counted('d'))
  const answer = await at
  expect([answer.logSeq, names(answer.rows)]).toEqual([4, ['a', 'b', 'c']])

  for (const query of [{ waitFor: 99 }, { at: 99 }]) {
    const outcome = ledger.query('counting', query).catch((error: unknown) => error)
    let ended = false
    void outcome.then(() => (ended = true))
    await ledger.clock.advance(4_999)
    expect(ended).toBe(false)
    await ledger.clock.advance(1)
    expect(await outcome).toMatchObject({ code: 'NOT_YET' })
  }
  expect(ledger.engine.status()).toHaveLength(1)
})

test('rows and position belong together, also while the disk is ahead of what the node knows', async () => {
  const gate = writeGate()
  const store = watchedStore(await openMemoryStore(), gate.hooks)
  const ledger = await openLedger({ store, policy, projections: [countingProjection()] })
  await ledger.appendLocal(counted('a'))
  await ledger.caughtUp()
  gate.hold(isFold, 'after')
  await ledger.appendLocal(counted('a'))
  await gate.held()
  const page = await ledger.query('counting')
  expect(page.rows).toEqual([
    ...countedRows(page.logSeq === 2 ? [counted('a')] : [counted('a'), counted('a')], 2).values()
  ])
  const at = await ledger.query('counting', { at: 2 })
  expect(at.rows).toEqual([...countedRows([counted('a')], 2).values()])
  gate.release()
  await ledger.caughtUp()
})

test('a projection that was folded anew after a halt does not make up the positions that it never showed', async () => {
  let failing = true
  const projections = [countingProjection({ fails: ({ record }) => failing && record.logSeq === 4 })]
  const ledger = await openLedger({ policy, projections })
  const events = ['a', 'b', 'c', 'd', 'e'].map((name) => counted(name))
  for (const event of events.slice(0, 2)) {
    await ledger.appendLocal(event)
    await ledger.caughtUp()
  }
  await ledger.appendLocal(...events.slice(2))
  await expect(ledger.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
  failing = false
  await ledger.engine.rebuild()
  for (let at = 2; at <= 6; at += 1) {
    const rows = await allRows(ledger, 'counting', { at }).catch(codeOf)
    if (rows !== 'STATE_OUTDATED')
      expect(rows, String(at)).toEqual([...countedRows(events.slice(0, at - 1), 2).values()])
  }
  expect((await ledger.query('counting', { at: 6 })).rows).toHaveLength(5)
})

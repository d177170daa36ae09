import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { SEES_ALL } from '../../src/policy/read-scope.ts'
import { encodePlace } from '../../src/subscriptions/place.ts'
import type { PlaceContext } from '../../src/subscriptions/place.ts'
import { counted, countingProjection } from '../projections/support/counting.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { ALICE, EVERYBODY } from '../projections/support/world.ts'
import { policyOf } from '../support/identities.ts'
import { Line, TINY_LIMITS, connect, hubOf, quietly, scopeOf } from './support.ts'

const POLICY = policyOf(ALICE, EVERYBODY)

async function counting(names: readonly string[]): Promise<Ledger> {
  const ledger = await openLedger({ policy: POLICY, projections: [countingProjection()] })
  await ledger.appendLocal(...names.map((name) => counted(name)))
  await ledger.caughtUp()
  return ledger
}

test('each cursor that can not be used is refused by its own name', async () => {
  const ledger = await counting(['dao:a!1'])
  const other = await openLedger({
    policy: POLICY,
    projections: [countingProjection(), countingProjection({ name: 'more' })]
  })
  const hub = hubOf(ledger)
  // As after a restore, and as of another node.
  const others = hubOf(other, { epoch: 'another' })
  const line = connect(hub, new Line('events'))
  await quietly()
  const cursor = line.cursor ?? ''
  const refused = (open: () => unknown): unknown => {
    try {
      open()
      return 'open'
    } catch (error) {
      return error instanceof AnchormeshError ? [error.code, error.detail] : error
    }
  }
  const ask = (text: string, on = hub, projection = 'counting', namespace?: string): unknown =>
    refused(() =>
      on.open({
        projection,
        scope: SEES_ALL,
        address: '',
        cursor: text,
        ...(namespace === undefined ? {} : { namespace })
      })
    )
  expect(ask(cursor)).toBe('open')
  expect(ask('garbage')).toMatchObject(['QUERY_INVALID', undefined])
  const page = await ledger.query('counting', { limit: 1 })
  expect(page.nextCursor).toBeNull()
  expect(ask(cursor, hub, 'counting', 'dao:a')).toEqual(['CURSOR_FOREIGN', { epoch: ledger.log.epoch, oldest: 0 }])
  expect(ask(cursor, others)).toEqual(['CURSOR_FOREIGN', { epoch: 'another', oldest: 0 }])
  expect(ask(cursor, others, 'more')).toMatchObject(['CURSOR_FOREIGN', { epoch: 'another' }])
  const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
  const altered = (index: number, value: unknown): string =>
    Buffer.from(JSON.stringify(parts.with(index, value))).toString('base64url')
  expect(ask(altered(4, ledger.log.head.logSeq + 1))).toEqual(['CURSOR_FUTURE', { oldest: 0 }])
  for (const value of [-1, 1.5, '1', null, 2 ** 53])
    expect(ask(altered(4, value))).toMatchObject(['QUERY_INVALID', undefined])
  await ledger.appendLocal(...Array.from({ length: 9_000 }, () => counted('dao:a!1')))
  await ledger.caughtUp()
  const { journalFrom: oldest } = ledger.engine.instance('counting').state
  expect(oldest).toBeGreaterThan(0)
  expect(ask(cursor)).toEqual(['CURSOR_TOO_OLD', { oldest }])
  expect(ask(cursor, hub, 'counting', 'dao:a')).toMatchObject(['CURSOR_FOREIGN', { oldest }])
  expect(ask(altered(4, ledger.log.head.logSeq + 1))).toEqual(['CURSOR_FUTURE', { oldest }])
  await hub.stop()
})

test('a forged cursor is refused or harmless: nobody sees what is not his, and nothing breaks', async () => {
  const ledger = await counting(['dao:a!1', 'dao:b!1', 'dao:b!2', 'dao:c!1', 'dao:c!2'])
  const hub = hubOf(ledger, { limits: TINY_LIMITS })
  const scope = scopeOf('dao:b', 'dao:c')
  const line = connect(hub, new Line('events'), { scope })
  await quietly()
  const [, epoch = '', projection = '', view = ''] = JSON.parse(
    Buffer.from(line.cursor ?? '', 'base64url').toString()
  ) as string[]
  const context: PlaceContext = { epoch, projection, view }
  const forged = fc.record({
    logSeq: fc.nat(8),
    generation: fc.oneof(fc.nat(3), fc.maxSafeNat()),
    after: fc.oneof(
      fc.constantFrom(
        '',
        'dao:',
        'dao:a',
        'dao:a!',
        'dao:b!',
        'dao:b!1',
        'dao:c!2',
        'dao:z',
        '\u007f',
        '\uffff',
        '\ud800',
        null
      ),
      fc.string()
    )
  })
  const texts = fc.oneof(
    { weight: 4, arbitrary: forged.map((place) => encodePlace(context, place)) },
    { weight: 1, arbitrary: fc.string() },
    { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text).toString('base64url')) }
  )
  await fc.assert(
    fc.asyncProperty(texts, async (cursor) => {
      const reader = new Line('messages', { hasCursor: true })
      try {
        connect(hub, reader, { scope, cursor })
      } catch (error) {
        expect(error).toBeInstanceOf(AnchormeshError)
        return
      }
      await quietly()
      expect(reader.failures).toEqual([])
      expect(reader.frames.filter((frame) => 'key' in frame && frame.key.startsWith('dao:a'))).toEqual([])
      expect(['caught-up', 'cursor-too-old']).toContain(reader.last?.frame)
      reader.cut()
    }),
    { numRuns: 50 }
  )
  expect(hub.stats().subscribers).toBe(1)
  await hub.stop()
})

test('who is cut off in a long snapshot goes on where it was', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `dao:a!${String(index).padStart(2, '0')}`)
  const ledger = await counting(names)
  const hub = hubOf(ledger, { limits: TINY_LIMITS })
  const first: Line = new Line('events', {
    onFrame: () => {
      if (first.frames.length === 15) first.cut()
    }
  })
  connect(hub, first)
  await quietly()
  const { cursor } = first
  expect(first.frames).toHaveLength(15)
  await ledger.appendLocal(counted('dao:a!03'), counted('dao:a!30'), counted('dao:a!10', { remove: true }))
  await ledger.caughtUp()
  const second = connect(hub, new Line('events', { hasCursor: true }), { cursor: cursor ?? '' })
  for (let turn = 0; turn < 5; turn += 1) await quietly()
  expect(second.failures).toEqual([])
  const told = second.frames.map((frame) => [frame.frame, 'key' in frame ? frame.key : ''])
  expect(told.slice(0, 3)).toEqual([
    ['change', 'dao:a!03'],
    ['change', 'dao:a!10'],
    ['snapshot', names[15]]
  ])
  expect(told.slice(2)).toEqual([...names.slice(15).map((name) => ['snapshot', name]), ['caught-up', '']])
  await hub.stop()
})

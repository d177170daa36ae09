import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WriteOperation } from '../../../src/log/store.ts'
import { idKey } from '../../../src/log/keys.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { collect } from '../../support/collect.ts'
import { handDisk } from './support.ts'
import type { HandDisk } from './support.ts'

const put = (key: string, value: string): WriteOperation => ({ type: 'put', key, value })
const CHECKPOINT = { formatVersion: 2, epoch: '0'.repeat(16), head: { logSeq: 1, hash: '0'.repeat(64) } }

/** How many of the writes 0, 1, … are there; throws unless they are the first ones. */
async function writesIn({ disk }: HandDisk): Promise<number> {
  const keys = (await collect(disk.stored.range({}))).map(([key]) => Number(key.slice(1)))
  expect(keys.toSorted((left, right) => left - right)).toEqual(keys.map((_, index) => index))
  return keys.length
}

test('a crash keeps the first writes: all that were acknowledged, with its power all that were synced', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ sync: fc.boolean(), waits: fc.boolean() }), { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      fc.nat(),
      async (writes, power, seed) => {
        const hand = handDisk(`crash ${seed}`)
        const { store } = hand.open()
        let [acknowledged, durable] = [0, 0]
        for (const [index, { sync, waits }] of writes.entries()) {
          const name = `w${String(index).padStart(3, '0')}`
          const writing = store.write([put(name, 'x')], { sync }).then(() => {
            acknowledged = Math.max(acknowledged, index + 1)
            if (sync) durable = index + 1
          })
          void writing
          if (waits) await hand.sync()
          await Promise.resolve()
        }
        hand.disk.crash({ power })
        const left = await writesIn(hand)
        expect(left).toBeGreaterThanOrEqual(power ? durable : acknowledged)
        hand.open()
        hand.disk.crash({ power: true })
        expect(await writesIn(hand)).toBe(left)
      }
    ),
    { numRuns: 200 }
  )
})

test('of what was not synced some is lost with the power and some is not, and nothing without it', async () => {
  const left = new Set<number>()
  for (let seed = 0; seed < 40; seed += 1) {
    const hand = handDisk(`unsynced ${seed}`)
    const { store } = hand.open()
    for (let index = 0; index < 3; index += 1) await store.write([put(`w${index}`, 'x')], { sync: false })
    if (seed === 0) {
      hand.disk.crash({ power: false })
      expect(await writesIn(hand)).toBe(3)
    } else {
      hand.disk.crash({ power: true })
      left.add(await writesIn(hand))
    }
  }
  expect([...left].sort((one, other) => one - other)).toEqual([0, 1, 2, 3])
})

test('a write under way at a crash is there as a whole, or not at all', async () => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 30; seed += 1) {
    const hand = handDisk(`torn ${seed}`)
    const { store, checkpoint } = hand.open()
    void store.write([put('a', '1'), put(idKey('e1'), ''), put('b', '2')], { sync: true })
    void checkpoint.write(CHECKPOINT)
    expect(await store.get('a')).toBeUndefined()
    hand.disk.crash({ power: true })
    const keys = (await collect(hand.disk.stored.range({}))).map(([key]) => key)
    const isKnown = (await hand.disk.checkpoint.read()) !== null
    expect(hand.safe).toEqual(keys.length > 0 ? ['e1'] : [])
    outcomes.add(`${keys.join()} ${isKnown}`)
  }
  expect([...outcomes].sort()).toEqual([' false', ' true', 'a,b,i!e1 false', 'a,b,i!e1 true'])
})

test('an event is safe once the batch that has it is synced', async () => {
  const hand = handDisk('safe')
  const { store } = hand.open()
  const writing = store.write([put(idKey('e1'), '')], { sync: true })
  await Promise.resolve()
  expect(hand.safe).toEqual([])
  await hand.sync()
  await writing
  expect(hand.safe).toEqual(['e1'])
})

describe('a full disk', () => {
  test('refuses every write until there is room and the store was opened anew', async () => {
    const hand = handDisk('full', { syncMs: () => 0, torn: 1 })
    const { store, checkpoint } = hand.open()
    await store.write([put('a', '1')], { sync: true })
    hand.disk.setFull(true)
    expect(await store.freeBytes()).toBe(0)
    const refused = { code: 'STORE_FULL' }
    await expect(store.write([put('b', '1')], { sync: true })).rejects.toMatchObject(refused)
    await expect(checkpoint.write(CHECKPOINT)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await store.get('a')).toBeDefined()
    hand.disk.setFull(false)
    await expect(store.write([put('b', '1')], { sync: true })).rejects.toMatchObject(refused)
    await store.reopen()
    await store.write([put('b', '1')], { sync: true })
    expect((await collect(store.range({}))).map(([key]) => key)).toEqual(['a', 'b'])
  })

  test('can not be opened anew, and then not be read either', async () => {
    const hand = handDisk('full', { syncMs: () => 0 })
    const { store } = hand.open()
    hand.disk.setFull(true)
    await expect(store.write([put('a', '1')], { sync: true })).rejects.toMatchObject({ code: 'STORE_FULL' })
    await expect(store.reopen()).rejects.toMatchObject({ code: 'STORE_FULL' })
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_FULL' })
    hand.disk.setFull(false)
    await store.reopen()
    await store.write([put('a', '1')], { sync: true })
  })

  test('may hold what a failed write was given: it shows when the store is opened', async () => {
    const hand = handDisk('kept', { syncMs: () => 0, torn: 0 })
    const { store } = hand.open()
    hand.disk.setFull(true)
    await expect(store.write([put('a', '1')], { sync: true })).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(await store.get('a')).toBeUndefined()
    hand.disk.setFull(false)
    await store.reopen()
    expect(await store.get('a')).toBeDefined()
  })
})

test('values come back as they were, whatever is in them and however large, and are nobody else’s', async () => {
  const hand = handDisk('values', { syncMs: () => 0 })
  const { store } = hand.open()
  const random = seededRandom('values')
  const values = [0, 1, 41, 300, 4_096, 4_097, 20_000].map((length) => random.bytes(length))
  for (const prefix of ['r!', 'v!'])
    await store.write(
      values.map((value, index) => ({ type: 'put', key: `${prefix}${index}`, value })),
      { sync: true }
    )
  await store.write([put('text', 'größer als 日本'), put('long', 'ä'.repeat(5_000))], { sync: true })
  for (const prefix of ['r!', 'v!'])
    for (const [index, value] of values.entries()) {
      const read = await store.get(`${prefix}${index}`)
      expect(Buffer.compare(read ?? Buffer.from('none'), value)).toBe(0)
      read?.fill(7)
      expect(Buffer.compare((await store.get(`${prefix}${index}`)) ?? Buffer.from('none'), value)).toBe(0)
    }
  expect(Buffer.from((await store.get('text')) ?? []).toString('utf8')).toBe('größer als 日本')
  expect(Buffer.from((await store.get('long')) ?? []).toString('utf8')).toBe('ä'.repeat(5_000))
})

test('a lost disk is an empty one', async () => {
  const hand = handDisk('lost', { syncMs: () => 0 })
  const { store, checkpoint } = hand.open()
  await store.write([put('a', '1')], { sync: true })
  await checkpoint.write(CHECKPOINT)
  hand.disk.crash({ power: true })
  hand.disk.lose()
  expect(await collect(hand.open().store.range({}))).toEqual([])
  expect(await hand.disk.checkpoint.read()).toBeNull()
})

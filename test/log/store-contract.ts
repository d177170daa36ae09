import { expect, test } from 'vitest'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import type { Store, WriteOperation } from '../../src/log/store.ts'
import { prefixRange } from '../../src/log/store.ts'
import { collect } from '../support/collect.ts'

const put = (key: string, value: string): WriteOperation => ({ type: 'put', key, value: utf8(value) })
const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')

/** What every store has to do. `isOnDisk`: whether it takes room of a real one. */
export function storeContract(opened: () => Promise<Store>, isOnDisk: boolean): void {
  test('keeps what it is given, in key order, and gives ranges either way', async () => {
    const store = await opened()
    await store.write([put('b', '2'), put('a', '1'), put('c', '3'), { type: 'put', key: 'd', value: 'text' }], {
      sync: true
    })
    await store.write([{ type: 'del', key: 'c' }], { sync: false })
    expect((await store.getMany(['a', 'c', 'd', 'b'])).map(textOf)).toEqual(['1', undefined, 'text', '2'])
    expect(textOf(await store.get('b'))).toBe('2')
    expect(await store.get('nothing')).toBeUndefined()
    expect((await collect(store.range({}))).map(([key]) => key)).toEqual(['a', 'b', 'd'])
    expect((await collect(store.range({ gt: 'a', lte: 'd', reverse: true, limit: 2 }))).map(([key]) => key)).toEqual([
      'd',
      'b'
    ])
    expect(await store.getMany([])).toEqual([])
    await store.close()
  })

  test('a prefix range holds just what begins with it', async () => {
    const store = await opened()
    await store.write(
      ['a', 'a!', 'a!0', 'a!~', 'b', 'a"', 'aa'].map((key) => put(key, '')),
      { sync: true }
    )
    expect((await collect(store.range(prefixRange('a!')))).map(([key]) => key)).toEqual(['a!', 'a!0', 'a!~'])
    await store.close()
  })

  test('a snapshot and a range that has begun see one moment', async () => {
    const store = await opened()
    await store.write([put('a', '1'), put('b', '1')], { sync: true })
    const snapshot = await store.snapshot()
    const seen: string[] = []
    for await (const [key, bytes] of store.range({})) {
      if (key === 'a') await store.write([put('b', '2'), put('c', '2')], { sync: true })
      seen.push(`${key}${textOf(bytes)}`)
    }
    expect(seen).toEqual(['a1', 'b1'])
    expect([
      textOf(await snapshot.get('b')),
      textOf((await snapshot.getMany(['c']))[0]),
      (await collect(snapshot.range({}))).length
    ]).toEqual(['1', undefined, 2])
    await snapshot.close()
    expect(textOf(await store.get('b'))).toBe('2')
    await store.close()
  })

  test('whoever reads or writes while it is opened anew waits, and nothing is lost', async () => {
    const store = await opened()
    await store.write(
      Array.from({ length: 200 }, (_, index) => put(`k${index}`, 'before')),
      { sync: true }
    )
    for (let round = 0; round < 5; round += 1) {
      const reopening = store.reopen()
      const work = [
        store.get('k1').then(textOf),
        store.getMany(['k2', 'k3']).then((values) => values.map(textOf).join()),
        collect(store.range({ limit: 200 })).then((entries) => entries.length),
        store.write([put(`new${round}`, 'x')], { sync: true })
      ]
      await reopening
      expect(await Promise.all(work)).toEqual(['before', 'before,before', 200, undefined])
      expect(textOf(await store.get(`new${round}`))).toBe('x')
    }
    await store.close()
  })

  test('a snapshot that is asked for while it is opened anew waits, as a read does', async () => {
    const store = await opened()
    await store.write([put('k', 'v')], { sync: true })
    const reopening = store.reopen()
    const snapshot = await store.snapshot()
    await reopening
    expect(Buffer.from((await snapshot.get('k')) ?? []).toString()).toBe('v')
    await snapshot.close()
    await store.close()
  })

  test('what was under way when it was opened anew ends well, or with STORE_FULL', async () => {
    const store = await opened()
    await store.write(
      Array.from({ length: 5_000 }, (_, index) => put(`k${index}`, 'x'.repeat(100))),
      { sync: true }
    )
    for (let round = 0; round < 5; round += 1) {
      const snapshot = await store.snapshot()
      const work = Promise.allSettled([
        ...Array.from({ length: 20 }, (_, index) => store.get(`k${index}`)),
        store.getMany(['k1', 'k2']),
        collect(store.range({})),
        collect(snapshot.range({})),
        store.write([put(`new${round}`, 'y')], { sync: true })
      ])
      await store.reopen()
      for (const settled of await work)
        if (settled.status === 'rejected')
          expect(settled.reason).toMatchObject({ name: 'AnchormeshError', code: 'STORE_FULL' })
      await snapshot.close()
    }
    expect(await collect(store.range({ gte: 'k', lt: 'l' }))).toHaveLength(5_000)
    await store.close()
  })

  test('says how large it is and how much room there is', async () => {
    const store = await opened()
    await store.write([put('a', 'x'.repeat(10_000))], { sync: true })
    expect(await store.sizeBytes()).toSatisfy((bytes: number) => (isOnDisk ? bytes > 10_000 : bytes === 0))
    expect(await store.freeBytes()).toSatisfy((bytes: number) =>
      isOnDisk ? bytes > 0 && bytes < Infinity : bytes === Infinity
    )
    await store.close()
  })

  test('a use after the end is a defect, and no full disk', async () => {
    const store = await opened()
    await store.close()
    await expect(store.get('a')).rejects.not.toMatchObject({ code: 'STORE_FULL' })
    await expect(store.write([put('a', '')], { sync: true })).rejects.not.toMatchObject({ code: 'STORE_FULL' })
  })
}

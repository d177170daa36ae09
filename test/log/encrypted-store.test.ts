import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { EncryptedStore } from '../../src/log/encrypted-store.ts'
import { ENCRYPTION_KEY } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { beginChange, changeValues, endChange, verifyValues } from '../../src/log/rekey-store.ts'
import { cipherOf, encryptionWrite, readEncryption, targetOf } from '../../src/log/store-encryption.ts'
import type { Store } from '../../src/log/store.ts'
import { OVERHEAD_BYTES, ValueCipher } from '../../src/log/value-cipher.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { collect } from '../support/collect.ts'
import { namedRandom } from '../policy/support.ts'

const keyOf = (name: string, id = 1): { id: number; key: Uint8Array } => ({ id, key: namedRandom(name).bytes(32) })
const cipher = (name = 'key', id = 1): ValueCipher => new ValueCipher(keyOf(name, id), 'store', systemRandom)
const text = (bytes: Uint8Array | null | undefined): string | undefined =>
  bytes === null || bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')

describe('an encrypted value', () => {
  test('opens only with its key, at its place, as it is', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 200 }), fc.nat(), (place, plain, at) => {
        const sealed = cipher().seal(place, plain)
        expect(sealed.length).toBe(plain.length + OVERHEAD_BYTES)
        expect([...(cipher().open(place, sealed) ?? [1])]).toEqual([...plain])
        expect(cipher().open(`${place}x`, sealed)).toBeNull()
        expect(cipher('other').open(place, sealed)).toBeNull()
        expect(new ValueCipher(keyOf('key'), 'blobs', systemRandom).open(place, sealed)).toBeNull()
        const damaged = Uint8Array.from(sealed)
        damaged[at % sealed.length] = (damaged[at % sealed.length] ?? 0) ^ (1 << (at % 8))
        expect(cipher().open(place, damaged)).toBeNull()
        expect(cipher().open(place, sealed.subarray(0, at % sealed.length))).toBeNull()
      })
    )
  })

  test('never has the nonce of another one', () => {
    const ciphers = [cipher(), cipher()]
    const nonces = new Set<string>()
    for (let round = 0; round < 1_000; round += 1) {
      for (const one of ciphers) nonces.add(Buffer.from(one.seal('k', 'v').subarray(1, 13)).toString('hex'))
    }
    expect(nonces.size).toBe(2_000)
  })
})

describe('an encrypted store', () => {
  test('lets nothing through in clear but keys', async () => {
    const inner = await openMemoryStore()
    const store = new EncryptedStore(inner, cipher())
    await store.write(
      [
        { type: 'put', key: 'a', value: 'a secret' },
        { type: 'put', key: 'b', value: utf8('a secret') },
        { type: 'put', key: 'c', value: '' }
      ],
      { sync: true }
    )
    expect((await collect(store.range({}))).map(([key, value]) => [key, text(value)])).toEqual([
      ['a', 'a secret'],
      ['b', 'a secret'],
      ['c', '']
    ])
    for (const [, value] of await collect(inner.range({}))) expect(text(value)).not.toContain('secret')
    expect(text(await inner.get('a'))).not.toEqual(text(await inner.get('b')))
  })

  test('shows nothing of its own description, in ranges either way and with any bounds', async () => {
    const inner = await openMemoryStore()
    await inner.write([encryptionWrite({ v: 1, current: targetOf(cipher()), change: null })], { sync: true })
    const store = new EncryptedStore(inner, cipher())
    await store.write([{ type: 'put', key: 'a', value: '' }], { sync: true })
    const ranges = [{}, { limit: 1 }, { reverse: true }, { gte: '' }, { gte: ENCRYPTION_KEY }, { gt: '!' }, { lt: 'b' }]
    for (const range of ranges) expect((await collect(store.range(range))).map(([key]) => key)).toEqual(['a'])
    expect(await store.get(ENCRYPTION_KEY)).toBeUndefined()
    expect(await store.getMany([ENCRYPTION_KEY, 'b'])).toEqual([undefined, undefined])
    await expect(store.write([{ type: 'put', key: ENCRYPTION_KEY, value: '' }], { sync: true })).rejects.toThrow()
  })

  test('a value that was exchanged for another, or damaged, is STORE_CORRUPT and never an empty one', async () => {
    const inner = await openMemoryStore()
    const store = new EncryptedStore(inner, cipher())
    await store.write(
      ['a', 'b'].map((key) => ({ type: 'put', key, value: key })),
      { sync: true }
    )
    const value = (await inner.get('a')) ?? new Uint8Array()
    await inner.write([{ type: 'put', key: 'b', value }], { sync: true })
    await expect(store.get('b')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(store.getMany(['a', 'b'])).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(collect(store.range({}))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    const snapshot = await store.snapshot()
    await expect(snapshot.get('b')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await snapshot.close()
  })
})

describe('what a store says of its encryption', () => {
  const target = targetOf(cipher('right', 7))

  test('opens with the right key alone', () => {
    expect(cipherOf(target, [keyOf('other'), keyOf('right', 7)], 'store', systemRandom)?.id).toBe(7)
    expect(cipherOf(null, [], 'store', systemRandom)).toBeNull()
  })

  test.each([
    ['none', []],
    ['one of another number', [keyOf('right', 8)]],
    ['another of this number', [keyOf('wrong', 7)]]
  ])('with %s it is STORE_KEY_MISSING', (_name, keys) => {
    expect(() => cipherOf(target, keys, 'store', systemRandom)).toThrow(
      expect.objectContaining({ code: 'STORE_KEY_MISSING' }) as Error
    )
  })

  test.each(['', '{}', '{"v":2,"current":null,"change":null}'])('%o is STORE_CORRUPT', async (value) => {
    const store = await openMemoryStore()
    await store.write([{ type: 'put', key: ENCRYPTION_KEY, value }], { sync: true })
    await expect(readEncryption(store)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })
})

describe('a change of encryption', () => {
  const ciphers = fc.constantFrom<readonly [string, number] | null>(null, ['first', 1], ['second', 2])
  const made = (named: readonly [string, number] | null): ValueCipher | null =>
    named === null ? null : cipher(...named)
  const seen = (store: Store, of: ValueCipher | null): Promise<[string, Uint8Array][]> =>
    collect((of === null ? store : new EncryptedStore(store, of)).range({}))

  test('from any to any, broken off after any batch, gives the same entries', async () => {
    await fc.assert(
      fc.asyncProperty(ciphers, ciphers, fc.array(fc.nat(6), { maxLength: 3 }), async (before, after, stops) => {
        const store = await openMemoryStore()
        const from = made(before)
        const entries = Array.from({ length: 2_500 }, (_, at) => ({ key: `k${at}`, value: `v${at}` }))
        const first = from === null ? store : new EncryptedStore(store, from)
        await first.write(
          entries.map((entry) => ({ type: 'put', ...entry })),
          { sync: true }
        )
        if (from !== null) {
          await store.write([encryptionWrite({ v: 1, current: targetOf(from), change: null })], { sync: true })
        }
        const wanted = await seen(store, from)
        await beginChange(store, made(after))
        for (const stop of stops) {
          let batches = 0
          const stopping = changeValues(store, { from, to: made(after) }, () => {
            batches += 1
            if (batches > stop) throw new Error('stopped')
          })
          await stopping.catch(() => {})
          await beginChange(store, made(after))
        }
        await changeValues(store, { from, to: made(after) }, () => {})
        const to = made(after)
        expect(await verifyValues(store, to, () => {})).toBe(entries.length)
        await endChange(store)
        const said = await readEncryption(store)
        expect([said.current?.keyId ?? null, said.change]).toEqual([to?.id ?? null, null])
        expect(await seen(store, to)).toEqual(wanted)
      }),
      { numRuns: 30 }
    )
  })
})

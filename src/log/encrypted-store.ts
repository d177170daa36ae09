import { AnchormeshError } from '../platform/errors.ts'
import { DAMAGE_HINT } from './damage-hint.ts'
import { ENCRYPTION_KEY } from './keys.ts'
import type { KeyRange, Store, StoreReader, StoreSnapshot, WriteOperation } from './store.ts'
import type { ValueCipher } from './value-cipher.ts'

/**
 * A store whose values are encrypted before they reach another one, by `ValueCipher`; keys stay in clear. It shows
 * nothing of how it is encrypted (`store-encryption.ts`). A value that does not open is `STORE_CORRUPT`.
 */
export class EncryptedStore implements Store {
  readonly #inner: Store
  readonly #cipher: ValueCipher
  readonly #reader: StoreReader

  constructor(inner: Store, cipher: ValueCipher) {
    this.#inner = inner
    this.#cipher = cipher
    this.#reader = decrypting(inner, cipher)
  }

  get getNow(): StoreReader['getNow'] {
    return this.#reader.getNow
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#reader.get(key)
  }

  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#reader.getMany(keys)
  }

  range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    return this.#reader.range(range)
  }

  async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    const sealed = operations.map((operation): WriteOperation => {
      if (operation.key === ENCRYPTION_KEY) throw new RangeError(`${ENCRYPTION_KEY} is not for values`)
      if (operation.type === 'del') return operation
      const { type, key, value } = operation
      return { type, key, value: this.#cipher.seal(key, value) }
    })
    await this.#inner.write(sealed, options)
  }

  async snapshot(): Promise<StoreSnapshot> {
    const snapshot = await this.#inner.snapshot()
    return { ...decrypting(snapshot, this.#cipher), close: () => snapshot.close() }
  }

  reopen(): Promise<void> {
    return this.#inner.reopen()
  }

  sizeBytes(): Promise<number> {
    return this.#inner.sizeBytes()
  }

  freeBytes(): Promise<number> {
    return this.#inner.freeBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

function decrypting(inner: StoreReader, cipher: ValueCipher): StoreReader {
  const open = (key: string, value: Uint8Array): Uint8Array => {
    const plain = cipher.open(key, value)
    if (plain !== null) return plain
    throw new AnchormeshError('STORE_CORRUPT', `the value at ${key} does not open: it was damaged or exchanged`, {
      hint: DAMAGE_HINT
    })
  }
  return {
    get: async (key) => {
      const value = key === ENCRYPTION_KEY ? undefined : await inner.get(key)
      return value === undefined ? undefined : open(key, value)
    },
    get getNow() {
      const { getNow } = inner
      if (getNow === undefined) return undefined
      return (key: string) => {
        const value = key === ENCRYPTION_KEY ? undefined : getNow(key)
        return value === undefined ? undefined : open(key, value)
      }
    },
    getMany: async (keys) =>
      (await inner.getMany(keys)).map((value, at) => {
        const key = keys[at] ?? ''
        return value === undefined || key === ENCRYPTION_KEY ? undefined : open(key, value)
      }),
    range: (range) => ({
      [Symbol.asyncIterator]: () => {
        const entries = inner.range(afterDescription(range))[Symbol.asyncIterator]()
        const opened = (result: IteratorResult<[string, Uint8Array], unknown>): typeof result =>
          result.done === true ? result : { value: [result.value[0], open(...result.value)] }
        return {
          next: async () => opened(await entries.next()),
          return: async () => (await entries.return?.()) ?? { done: true, value: undefined }
        }
      }
    })
  }
}

/** The store's description of itself comes before all keys. */
export function afterDescription(range: KeyRange): KeyRange {
  const { gt, gte, ...rest } = range
  const isBeyond = (gt !== undefined && gt >= ENCRYPTION_KEY) || (gte !== undefined && gte > ENCRYPTION_KEY)
  return isBeyond ? range : { ...rest, gt: ENCRYPTION_KEY }
}

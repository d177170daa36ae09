import type { Store, WriteOperation } from './store.ts'

const blobKey = (hash: string): string => `b!${hash}`

/** Payloads that stand beside the log, by their hash (hex): they can be erased without breaking it. */
export class BlobStore {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Writes the blobs; with `sync` they and all that was written before survive a loss of power. */
  async put(blobs: readonly { readonly hash: string; readonly bytes: Uint8Array }[], options: { readonly sync: boolean }): Promise<void> {
    const operations: WriteOperation[] = blobs.map(({ hash, bytes }) => ({ type: 'put', key: blobKey(hash), value: bytes }))
    await this.#store.write(operations, options)
  }

  async delete(hashes: readonly string[]): Promise<void> {
    await this.#store.write(hashes.map((hash) => ({ type: 'del', key: blobKey(hash) })), { sync: false })
  }

  async getMany(hashes: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return await this.#store.getMany(hashes.map(blobKey))
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}

import { FREE_BYTES_MIN } from './limits.ts'
import { assureFreeBytes } from './free-room.ts'
import type { KeyRange, Store, WriteOperation } from './store.ts'

const blobKey = (hash: string): string => `b!${hash}`

/** Payloads that stand beside the log, by their hash (hex): they can be erased without breaking it. */
export class BlobStore {
  readonly #store: Store
  /** Whether a write failed: then the store takes nothing more until it is opened anew. */
  #broken = false

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Writes the blobs; with `sync` they and all that was written before survive a loss of power. Throws `STORE_FULL`.
   */
  async put(
    blobs: readonly { readonly hash: string; readonly bytes: Uint8Array }[],
    options: { readonly sync: boolean }
  ): Promise<void> {
    const operations: WriteOperation[] = blobs.map(({ hash, bytes }) => ({
      type: 'put',
      key: blobKey(hash),
      value: bytes
    }))
    await this.write(operations, options)
  }

  /** With `sync` they are gone for good when it resolves, also after a loss of power. */
  async delete(hashes: readonly string[], options: { readonly sync: boolean }): Promise<void> {
    await this.write(
      hashes.map((hash) => ({ type: 'del', key: blobKey(hash) })),
      options
    )
  }

  async getMany(hashes: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return await this.#store.getMany(hashes.map(blobKey))
  }

  /** Entries beside the blobs, by whoever keeps lists of them under a prefix of its own. */
  range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    return this.#store.range(range)
  }

  /** Writes all of it or nothing, as `Store.write` does, and brings the store back after a write that failed. */
  async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.#broken) await this.#reopen()
    try {
      await this.#store.write(operations, options)
    } catch (error) {
      this.#broken = true
      throw error
    }
  }

  /** Only where there is room: a store that was closed and can't be opened again can't be read either. */
  async #reopen(): Promise<void> {
    await assureFreeBytes(this.#store, FREE_BYTES_MIN, 'blobs')
    await this.#store.reopen()
    this.#broken = false
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}

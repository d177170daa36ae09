import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { NONCE_PREFIX, nonceKey, parseSortableNumber } from '../log/keys.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import type { WriteToStore } from './store-writer.ts'

// Those of the longest time that they must be known (three times the skew, 15 minutes) at 18 requests a second, each
// for up to 1 MiB; about 2 MiB of memory for each of the signers, whom policy names.
export const NONCES_OF_SIGNER_MAX = 16_384
// Looking through all of them takes milliseconds.
const PRUNE_EVERY_MS = 60_000

interface Known {
  readonly signer: string
  readonly expiresAt: number
}

/** The nonces of the requests that this node answered, remembered durably for longer than they could be used again. */
export class NonceBook {
  readonly #store: Store
  readonly #write: WriteToStore
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  readonly #counts = new Map<string, number>()
  #loading: Promise<void> | null = null
  #pruneAt = 0

  constructor(ports: { readonly store: Store; readonly write: WriteToStore; readonly clock: Clock }) {
    this.#store = ports.store
    this.#write = ports.write
    this.#clock = ports.clock
  }

  /**
   * Takes a nonce for ever, or until `expiresAt` (milliseconds since 1970): `taken` once it is durable, `replay` where
   * it was taken before, `busy` where the signer has too many. Rejects where the store can't be written; then the
   * nonce counts as taken all the same, because the write may have been done.
   */
  async take(signer: string, nonce: string, expiresAt: number): Promise<'taken' | 'replay' | 'busy'> {
    await (this.#loading ??= this.#load())
    const name = sha256Hex(`${signer}\n${nonce}`)
    if (this.#known.has(name)) return 'replay'
    const operations = this.#prune()
    const busy = (this.#counts.get(signer) ?? 0) >= NONCES_OF_SIGNER_MAX
    // Before the write, or the same request could come in twice meanwhile.
    if (!busy) {
      this.#add(name, { signer, expiresAt })
      operations.push({ type: 'put', key: nonceKey(expiresAt, name), value: signer })
    }
    if (operations.length > 0) await this.#write(operations, { sync: true })
    return busy ? 'busy' : 'taken'
  }

  async #load(): Promise<void> {
    try {
      for await (const [key, signer] of this.#store.range(prefixRange(NONCE_PREFIX))) {
        const [expiresAt = '', name = ''] = key.slice(NONCE_PREFIX.length).split('!')
        this.#add(name, {
          signer: Buffer.from(signer).toString('utf8'),
          expiresAt: parseSortableNumber(expiresAt)
        })
      }
    } catch (error) {
      // Tried again with the next request; without all of them none may be judged.
      this.#loading = null
      this.#known.clear()
      this.#counts.clear()
      throw error
    }
  }

  #add(name: string, known: Known): void {
    this.#known.set(name, known)
    this.#counts.set(known.signer, (this.#counts.get(known.signer) ?? 0) + 1)
  }

  /** Forgets what is past, at times. */
  #prune(): WriteOperation[] {
    const now = this.#clock.now()
    const operations: WriteOperation[] = []
    if (now < this.#pruneAt) return operations
    this.#pruneAt = now + PRUNE_EVERY_MS
    for (const [name, { signer, expiresAt }] of this.#known) {
      if (expiresAt >= now) continue
      this.#known.delete(name)
      const count = (this.#counts.get(signer) ?? 1) - 1
      if (count === 0) this.#counts.delete(signer)
      else this.#counts.set(signer, count)
      operations.push({ type: 'del', key: nonceKey(expiresAt, name) })
    }
    return operations
  }
}

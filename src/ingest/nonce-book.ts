import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { NONCES_FORGOTTEN_KEY, NONCE_PREFIX, nonceKey, parseSortableNumber } from '../log/keys.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { WriteToStore } from '../log/store-writer.ts'
import type { Clock } from '../platform/clock.ts'

// Those of the longest time that they must be known (three times the skew, 15 minutes) at 18 requests a second, each
// for up to 1 MiB; about 2 MiB of memory for each of the signers, whom policy names.
export const NONCES_OF_SIGNER_MAX = 16_384
// Looking through all of them takes milliseconds.
const PRUNE_EVERY_MS = 60_000

interface Known {
  readonly signer: string
  /** When the request was signed. */
  readonly ts: number
  readonly expiresAt: number
}

/**
 * The nonces of the requests that this node answered, remembered durably for longer than they could be used again. Of what
 * was forgotten the latest time of signing stays, durable too: what was signed until then is refused whole. So neither
 * a clock that ran ahead and was set back, nor a skew that is set wider, lets an old request in a second time.
 */
export class NonceBook {
  readonly #store: Store
  readonly #write: WriteToStore
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  readonly #counts = new Map<string, number>()
  #loading: Promise<void> | null = null
  #pruneAtMs = 0
  /** The latest `ts` of what was forgotten. */
  #forgottenTs = -Infinity

  constructor(ports: { readonly store: Store; readonly write: WriteToStore; readonly clock: Clock }) {
    this.#store = ports.store
    this.#write = ports.write
    this.#clock = ports.clock
  }

  /**
   * Takes the nonce of a request that was signed at `ts`, until `expiresAt` (both milliseconds since 1970): `taken` once it
   * is durable, `replay` where it was taken before, `forgotten` where that is no longer known of requests of its time,
   * `busy` where the signer has too many. Rejects where the store can't be written; then the
   * nonce counts as taken all the same, because the write may have been done.
   */
  async take(
    signer: string,
    nonce: string,
    { ts, expiresAt }: { readonly ts: number; readonly expiresAt: number }
  ): Promise<'taken' | 'replay' | 'forgotten' | 'busy'> {
    await (this.#loading ??= this.#load())
    const name = sha256Hex(`${signer}\n${nonce}`)
    if (this.#known.has(name)) return 'replay'
    const operations = this.#prune()
    const forgotten = ts <= this.#forgottenTs
    const busy = (this.#counts.get(signer) ?? 0) >= NONCES_OF_SIGNER_MAX
    // Before the write, or the same request could come in twice meanwhile.
    if (!busy && !forgotten) {
      this.#add(name, { signer, ts, expiresAt })
      operations.push({ type: 'put', key: nonceKey(expiresAt, name), value: `${ts} ${signer}` })
    }
    if (operations.length > 0) await this.#write(operations, { sync: true })
    return forgotten ? 'forgotten' : busy ? 'busy' : 'taken'
  }

  async #load(): Promise<void> {
    try {
      for await (const [key, value] of this.#store.range(prefixRange(NONCE_PREFIX))) {
        const text = Buffer.from(value).toString('utf8')
        if (key === NONCES_FORGOTTEN_KEY) {
          this.#forgottenTs = Number(text)
          continue
        }
        const [until = '', name = ''] = key.slice(NONCE_PREFIX.length).split('!')
        this.#add(name, knownOf(text, parseSortableNumber(until)))
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
    const operations: WriteOperation[] = []
    // By the clock that nobody sets.
    const monotonicMs = this.#clock.monotonicMs()
    if (monotonicMs < this.#pruneAtMs) return operations
    this.#pruneAtMs = monotonicMs + PRUNE_EVERY_MS
    const now = this.#clock.now()
    const before = this.#forgottenTs
    for (const [name, { signer, ts, expiresAt }] of this.#known) {
      if (expiresAt >= now) continue
      this.#known.delete(name)
      const count = (this.#counts.get(signer) ?? 1) - 1
      if (count === 0) this.#counts.delete(signer)
      else this.#counts.set(signer, count)
      operations.push({ type: 'del', key: nonceKey(expiresAt, name) })
      this.#forgottenTs = Math.max(this.#forgottenTs, ts)
    }
    if (this.#forgottenTs > before)
      operations.push({ type: 'put', key: NONCES_FORGOTTEN_KEY, value: String(this.#forgottenTs) })
    return operations
  }
}

/** A store of an earlier release has the signer alone; then only the time until which it was to be known bounds its `ts`. */
function knownOf(text: string, expiresAt: number): Known {
  const [, ts, signer] = /^([0-9]+) (.*)$/s.exec(text) ?? []
  return signer === undefined ? { signer: text, ts: expiresAt, expiresAt } : { signer, ts: Number(ts), expiresAt }
}

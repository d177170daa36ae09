import { ATTEMPTS_PREFIX, attemptsKey } from '../log/keys.ts'
import type { Store } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { Random } from '../platform/random.ts'
import type { WriteToStore } from '../log/store-writer.ts'

// A server that is restarted is back within seconds.
const DELAY_MS_MIN = 5_000
// Receipts that nobody serves any more cost one request an hour and server.
const DELAY_MS_MAX = 60 * 60_000
// Spreads those that failed together, so that they don't come back together.
const JITTER = 0.25

/** How fetching a batch failed so far. */
export interface Attempts {
  /** In a row, each with every peer that could be asked. */
  readonly failures: number
  /** When it is tried again, milliseconds since 1970. */
  readonly nextAt: number
}

/**
 * The durable side of the want-list: what is missing is in the projection `batches`; here stands only when each batch is
 * tried again, so that a restart does not ask everybody for everything at once. One small row for each batch that could
 * not be fetched, of those that the log holds announces of. Losing it costs some requests too many.
 */
export class AttemptBook {
  readonly #store: Store
  readonly #write: WriteToStore

  constructor(store: Store, write: WriteToStore) {
    this.#store = store
    this.#write = write
  }

  /** `null` for a batch that was not tried yet. */
  async read(rowKey: string): Promise<Attempts | null> {
    const bytes = await this.#store.get(attemptsKey(rowKey))
    return bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Attempts)
  }

  async write(rowKey: string, attempts: Attempts): Promise<void> {
    await this.#write([{ type: 'put', key: attemptsKey(rowKey), value: JSON.stringify(attempts) }], {
      sync: false
    })
  }

  async clear(rowKey: string): Promise<void> {
    await this.#write([{ type: 'del', key: attemptsKey(rowKey) }], { sync: false })
  }

  /** The batches of which it knows. */
  async *keys(): AsyncGenerator<string> {
    for await (const [key] of this.#store.range(prefixRange(ATTEMPTS_PREFIX))) yield key.slice(ATTEMPTS_PREFIX.length)
  }
}

/** Milliseconds until the next try after so many failures in a row: twice as long each time, a quarter more by chance. */
export function fetchDelay(failures: number, random: Random): number {
  const backoffMs = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.max(0, failures - 1))
  return Math.round(backoffMs * (1 + JITTER * random.fraction()))
}

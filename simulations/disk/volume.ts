import { RECORD_PREFIX } from '../../src/log/keys.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { OrderedMap } from './ordered-map.ts'
import { MapEdit, emptyMap } from './ordered-map.ts'
import type { StoredValue } from './stored-value.ts'
import { storedValue } from './stored-value.ts'
import type { TextPool } from './text-pool.ts'

// Systems write back by themselves what is 30 seconds old; a node does not write as often in that time.
const UNSYNCED_MAX = 1_024

/** What one store has on the disk of a machine, whatever runs there. */
export class Volume {
  readonly #pool: TextPool
  readonly #asShared = (key: string): string => this.#pool.shared(key)
  #written: OrderedMap<StoredValue> = emptyMap()
  /** What may be left of it after a loss of power, oldest first: each write that was not synced adds one. */
  #earlier: OrderedMap<StoredValue>[] = []
  /** What a failed write has left on the disk; it shows when the store is opened. */
  #hidden: readonly WriteOperation[] = []

  constructor(pool: TextPool) {
    this.#pool = pool
  }

  get written(): OrderedMap<StoredValue> {
    return this.#written
  }

  /** With `sync` this and all before it survives from now on. */
  write(operations: readonly WriteOperation[], { sync }: { readonly sync: boolean }): void {
    if (sync) this.#earlier = []
    else {
      this.#earlier.push(this.#written)
      if (this.#earlier.length > UNSYNCED_MAX) this.#earlier.shift()
    }
    const edit = new MapEdit(this.#written)
    for (const operation of operations) {
      const { key } = operation
      if (operation.type === 'del') edit.delete(key)
      else edit.set(key, storedValue(operation.value, key.startsWith(RECORD_PREFIX), this.#pool), this.#asShared)
    }
    this.#written = edit.done()
  }

  /** The write failed, and yet it is there. */
  writeHidden(operations: readonly WriteOperation[]): void {
    this.#hidden = operations
  }

  /** Whoever opens it syncs what he finds. */
  open(): void {
    this.write(this.#hidden, { sync: true })
    this.#hidden = []
  }

  /** The write-ahead log is a file: its beginning is left, up to some write. */
  losePower(random: SeededRandom): void {
    const states = [...this.#earlier, this.#written]
    this.#written = states[random.below(states.length)] ?? this.#written
    this.#earlier = []
  }

  lose(): void {
    this.#written = emptyMap()
    this.#earlier = []
    this.#hidden = []
  }
}

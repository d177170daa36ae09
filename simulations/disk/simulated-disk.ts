import type { CheckpointKeeper, StoreCheckpoint } from '../../src/log/checkpoint-file.ts'
import { ID_PREFIX } from '../../src/log/keys.ts'
import type { Store, StoreReader, WriteOperation } from '../../src/log/store.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { SimulatedDiskControl } from '../model/simulation.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import { DiskStore } from './disk-store.ts'
import type { DiskAccess } from './disk-store.ts'
import { readerOf, snapshotOf } from './map-reader.ts'
import type { TextPool } from './text-pool.ts'
import { Volume } from './volume.ts'

export interface SimulatedDiskOptions {
  readonly time: Pick<VirtualTime, 'afterUs'>
  /** Of this disk alone. */
  readonly random: SeededRandom
  /** How long a synced write takes, in milliseconds. */
  readonly syncMs: (random: SeededRandom) => number
  /** Of writes under way at a crash, how many are gone; the others are there, though nobody was told. */
  readonly torn: number
  /** Shared by the disks of a run, so that they share what is the same on them. */
  readonly pool: TextPool
  /** An event is in the node's log, and survives whatever happens. */
  readonly onSafe?: (eventId: string) => void
  /** The node has written this to its store, whether or not it would survive. */
  readonly onWritten?: (operations: readonly WriteOperation[]) => void
}

/** What a node has on a disk while it runs. */
export interface OpenDisk {
  readonly store: Store
  readonly blobs: Store
  readonly checkpoint: CheckpointKeeper
}

interface OpenFiles {
  readonly store: DiskStore
  readonly blobs: DiskStore
  /** Being written in the place of the one that is there. */
  nextCheckpoint: StoreCheckpoint | null
}

/** The disk of a machine: it outlives the processes there, and keeps of what they wrote what a real one would. */
export class SimulatedDisk implements SimulatedDiskControl {
  readonly #options: SimulatedDiskOptions
  readonly #store: Volume
  readonly #blobs: Volume
  #checkpoint: StoreCheckpoint | null = null
  #open: OpenFiles | null = null
  #syncMs: (random: SeededRandom) => number
  #isFull = false

  constructor(options: SimulatedDiskOptions) {
    this.#options = options
    this.#syncMs = options.syncMs
    this.#store = new Volume(options.pool)
    this.#blobs = new Volume(options.pool)
  }

  readonly stored: Pick<Store, 'get' | 'getMany' | 'range' | 'snapshot'> = {
    ...this.#lookedAt(),
    snapshot: () => Promise.resolve(snapshotOf(this.#store.written))
  }
  readonly checkpoint: Pick<CheckpointKeeper, 'read'> = { read: () => Promise.resolve(this.#checkpoint) }

  #lookedAt(): StoreReader {
    return readerOf(() => this.#store.written)
  }

  setFull(isFull: boolean): void {
    this.#isFull = isFull
  }

  setSyncMs(draw: (random: SeededRandom) => number): void {
    this.#syncMs = draw
  }

  /** Opens what is there for a process. One at a time. */
  open(process: SimulatedProcess): OpenDisk {
    this.#store.open()
    this.#blobs.open()
    const shared = {
      isFull: () => this.#isFull,
      synced: (done: () => void) => this.#synced(process, done),
      isKept: () => this.#isSpared()
    }
    const access = (onWritten: DiskAccess['onWritten']): DiskAccess => ({ ...shared, onWritten })
    const files: OpenFiles = {
      store: new DiskStore(
        this.#store,
        access((operations, sync) => {
          if (sync) this.#tellSafe(operations)
          this.#options.onWritten?.(operations)
        })
      ),
      blobs: new DiskStore(
        this.#blobs,
        access(() => {})
      ),
      nextCheckpoint: null
    }
    this.#open = files
    return { store: files.store, blobs: files.blobs, checkpoint: this.#keeper(process, files) }
  }

  /** The process on it has ended at once; with its `power` the machine has lost what was not synced. */
  crash({ power }: { readonly power: boolean }): void {
    const files = this.#open
    this.#open = null
    if (this.#end(this.#store, files?.store.underWay ?? [], power)) this.#tellSafe(files?.store.underWay ?? [])
    this.#end(this.#blobs, files?.blobs.underWay ?? [], power)
    const next = files?.nextCheckpoint ?? null
    if (next !== null && this.#isSpared()) this.#checkpoint = next
  }

  /** Returns whether what was under way has come to the disk. */
  #end(volume: Volume, underWay: readonly WriteOperation[], power: boolean): boolean {
    const isThere = underWay.length > 0 && this.#isSpared()
    // All that was written before it stands before it.
    if (isThere) volume.write(underWay, { sync: true })
    else if (power) volume.losePower(this.#options.random)
    return isThere
  }

  #isSpared(): boolean {
    return this.#options.random.fraction() >= this.#options.torn
  }

  #tellSafe(operations: readonly WriteOperation[]): void {
    const { onSafe } = this.#options
    if (onSafe === undefined) return
    for (const { type, key } of operations)
      if (type === 'put' && key.startsWith(ID_PREFIX)) onSafe(key.slice(ID_PREFIX.length))
  }

  /** Nothing is left. */
  lose(): void {
    this.#store.lose()
    this.#blobs.lose()
    this.#checkpoint = null
  }

  #synced(process: SimulatedProcess, done: () => void): void {
    const { time, random } = this.#options
    const delayMs = this.#syncMs(random)
    if (delayMs <= 0) done()
    else time.afterUs(delayMs * 1_000, process, done)
  }

  #keeper(process: SimulatedProcess, files: OpenFiles): CheckpointKeeper {
    return {
      read: () => Promise.resolve(this.#checkpoint),
      write: async (checkpoint) => {
        files.nextCheckpoint = checkpoint
        await new Promise<void>((resolve) => this.#synced(process, resolve))
        files.nextCheckpoint = null
        if (this.#isFull) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
        this.#checkpoint = checkpoint
      }
    }
  }
}

import type { CheckpointKeeper, StoreCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store, WriteOperation } from '../../src/log/store.ts'
import { WrappedStore } from './stores.ts'

interface Written {
  readonly operations: readonly WriteOperation[]
  readonly sync: boolean
}

/**
 * A disk that remembers each write, so that a test can ask what is left of it after a crash at any moment: all that was
 * written up to some write, the last synced one at least. A batch is there whole or not at all.
 */
export class CrashStore extends WrappedStore {
  readonly #journal: Written[] = []
  readonly #checkpoints: { readonly after: number; readonly checkpoint: StoreCheckpoint }[] = []

  static async open(): Promise<CrashStore> {
    return new CrashStore(await openMemoryStore())
  }

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    this.#journal.push({ operations: [...operations], sync: options.sync })
    await super.write(operations, options)
  }

  /** How many writes there were. */
  get writes(): number {
    return this.#journal.length
  }

  /** How many writes are sure to be left after a crash now: those up to the last synced one. */
  get durable(): number {
    return this.#journal.findLastIndex(({ sync }) => sync) + 1
  }

  /** What is known of this disk from outside, as it was kept when so many writes were sure to be left. */
  readonly checkpoint: CheckpointKeeper = {
    read: () => Promise.resolve(this.#checkpoints.at(-1)?.checkpoint ?? null),
    write: (checkpoint) => {
      this.#checkpoints.push({ after: this.durable, checkpoint })
      return Promise.resolve()
    }
  }

  /** The disk as it is after a crash that left the first `writes` writes. */
  async afterCrash(writes: number): Promise<{ readonly store: Store; readonly checkpoint: CheckpointKeeper }> {
    const left = await CrashStore.open()
    for (const { operations, sync } of this.#journal.slice(0, writes)) await left.write(operations, { sync })
    const known = this.#checkpoints.findLast(({ after }) => after <= writes)
    if (known !== undefined) await left.checkpoint.write(known.checkpoint)
    return { store: left, checkpoint: left.checkpoint }
  }
}

import { toHex } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { InTurn } from '../platform/in-turn.ts'
import type { CheckpointKeeper, RestoredFrom } from './checkpoint-file.ts'
import { STORE_FORMAT_VERSION } from './checkpoint-file.ts'
import { CHECKPOINT_EVERY_MS } from './limits.ts'
import type { LogHead } from './log-reader.ts'

interface CheckpointPorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly checkpoint: CheckpointKeeper
}

interface WrittenLog {
  readonly epoch: string
  readonly head: LogHead
  readonly restoredFrom: RestoredFrom | null
}

/** Writes down, outside of the store, how long the log is: now and then, and one write after the other. */
export class CheckpointWriter {
  readonly #ports: CheckpointPorts
  readonly #log: WrittenLog
  #cancel: (() => void) | null = null
  /** The end of the line of those who write. */
  readonly #writing = new InTurn()

  constructor(log: WrittenLog, ports: CheckpointPorts) {
    this.#log = log
    this.#ports = ports
  }

  /** Writes within a second, however often it is called until then. */
  soon(): void {
    this.#cancel ??= this.#ports.clock.after(CHECKPOINT_EVERY_MS, () => {
      this.#cancel = null
      this.write().catch((error: unknown) => this.#warn(error, 'it is tried again after the next append'))
    })
  }

  /** Writes how long the log is once those before have written. */
  async write(): Promise<void> {
    // One after the other, or an older one could come out last.
    await this.#writing.run(async () => {
      const { epoch, head, restoredFrom } = this.#log
      const { logSeq, hash } = head
      await this.#ports.checkpoint.write({
        formatVersion: STORE_FORMAT_VERSION,
        epoch,
        head: { logSeq, hash: toHex(hash) },
        ...(restoredFrom === null ? {} : { restoredFrom })
      })
    })
  }

  /** Writes for the last time. */
  async close(): Promise<void> {
    this.#cancel?.()
    this.#cancel = null
    try {
      await this.write()
    } catch (error) {
      this.#warn(error, 'it says less than the log holds, which does no harm')
    }
  }

  #warn(error: unknown, consequence: string): void {
    this.#ports.logger.warn({ reason: messageOf(error) }, `store.json could not be written; ${consequence}`)
  }
}

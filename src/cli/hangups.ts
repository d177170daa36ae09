import type { AnchormeshNode } from '../node.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { OneAtATime } from '../platform/one-at-a-time.ts'
import { onHangup } from './interruption.ts'

/**
 * SIGHUP has the node read its configuration again. However many come while that is under way, or before the node
 * serves, it is done once more afterwards; while the node stops they do nothing. Without this each ends the process.
 */
export class Hangups {
  readonly #reloads: OneAtATime
  readonly #signal: AbortSignal
  readonly #stopListening: () => void
  #node: Pick<AnchormeshNode, 'reloadConfig'> | null = null
  #isDue = false

  /** From now on they are listened to; `signal` says that the node stops. */
  constructor(logger: Logger, signal: AbortSignal) {
    const failed = (error: unknown): void =>
      logger.warn({ reason: messageOf(error) }, 'SIGHUP changed nothing; the configuration of before is in force')
    this.#signal = signal
    this.#reloads = new OneAtATime(async () => {
      // Told here, so that a reload which fails takes none with it that was asked for meanwhile.
      await this.#node?.reloadConfig().catch(failed)
    }, failed)
    this.#stopListening = onHangup(() => this.#hungUp())
  }

  /** The node serves. */
  serve(node: Pick<AnchormeshNode, 'reloadConfig'>): void {
    this.#node = node
    if (this.#isDue) this.#hungUp()
  }

  close(): void {
    this.#stopListening()
  }

  #hungUp(): void {
    if (this.#signal.aborted) return
    if (this.#node === null) this.#isDue = true
    else void this.#reloads.run()
  }
}

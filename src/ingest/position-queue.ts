import type { ChainPlace } from '../log/event-index.ts'
import type { EventLog } from '../log/event-log.ts'

interface Asked {
  readonly eventId: string
  readonly resolve: (position: ChainPlace | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Looks events up in the log in one read for all that come in the same turn: a read of its own costs a quarter of a
 * verification, and events whose look-ups end apart are verified apart.
 */
export class PositionQueue {
  readonly #log: EventLog
  #queue: Asked[] = []

  constructor(log: EventLog) {
    this.#log = log
  }

  /** The queue is as long as the callers that wait for it: each waits for one event. */
  find(eventId: string): Promise<ChainPlace | undefined> {
    const recent = this.#log.peek(eventId)
    if (recent !== undefined && recent.logSeq > 0) return Promise.resolve(recent)
    return new Promise((resolve, reject) => {
      this.#queue.push({ eventId, resolve, reject })
      if (this.#queue.length === 1) queueMicrotask(() => void this.#findAll())
    })
  }

  async #findAll(): Promise<void> {
    const queue = this.#queue
    this.#queue = []
    try {
      const [only] = queue
      if (queue.length === 1 && only !== undefined) {
        only.resolve(await this.#log.find(only.eventId))
        return
      }
      const found = await this.#log.findMany(queue.map(({ eventId }) => eventId))
      for (const [index, { resolve }] of queue.entries()) resolve(found[index])
    } catch (error) {
      for (const { reject } of queue) reject(error)
    }
  }
}

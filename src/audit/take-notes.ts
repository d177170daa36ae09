import type { AuditNotes, AuditTrail } from '../platform/audit.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'

/**
 * Takes what commands did without the node into its audit log. A note goes only when its record is durable; after a kill
 * between the two it is recorded twice, under one request id.
 */
export class NoteTaker {
  readonly #notes: AuditNotes
  readonly #trail: AuditTrail
  readonly #logger: Logger
  /** Recorded by this process, and not gone yet. */
  readonly #recorded = new Set<string>()
  #turn: Promise<void> = Promise.resolve()

  constructor(notes: AuditNotes, trail: AuditTrail, logger: Logger) {
    this.#notes = notes
    this.#trail = trail
    this.#logger = logger
  }

  /** What can't be taken stays for the next time. */
  take(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#take())
    return this.#turn
  }

  async #take(): Promise<void> {
    try {
      const notes = await this.#notes.read()
      if (notes.length === 0) return
      for (const { id, at, entry } of notes) {
        if (this.#recorded.has(id)) continue
        this.#recorded.add(id)
        this.#trail.record({ ...entry, requestId: id, detail: { ...entry.detail, doneAt: at } })
      }
      await this.#trail.flushed()
      await this.#notes.taken(notes)
      for (const { id } of notes) this.#recorded.delete(id)
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'what commands did without the node is not in the audit log yet')
    }
  }
}

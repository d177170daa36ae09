import type { Logger } from '../../src/platform/logger.ts'
import type { Rejection } from '../model/simulation.ts'

const REJECTED = /^rejected\((\w+)\)$/

/** What the door of a node rejects, over all its starts. */
export class Rejections {
  readonly #all: Rejection[] = []
  readonly #noted = new Set<string>()

  /** Each event once for each code. */
  get all(): readonly Rejection[] {
    return this.#all
  }

  /** A logger that notes what the door says of every event that it rejects: as a warning, or at debug where it floods. */
  notedBy(logger: Logger): Logger {
    const noting =
      (level: 'debug' | 'warn'): Logger['warn'] =>
      (fields, message) => {
        this.#note(fields)
        logger[level](fields, message)
      }
    return {
      debug: noting('debug'),
      info: (fields, message) => logger.info(fields, message),
      warn: noting('warn'),
      error: (fields, message) => logger.error(fields, message),
      child: (fields) => this.notedBy(logger.child(fields))
    }
  }

  #note({ outcome, id }: Readonly<Record<string, unknown>>): void {
    const code = typeof outcome === 'string' ? REJECTED.exec(outcome)?.[1] : undefined
    if (code === undefined || typeof id !== 'string' || this.#noted.has(`${id} ${code}`)) return
    this.#noted.add(`${id} ${code}`)
    this.#all.push({ id, code })
  }
}

import { createHash } from 'node:crypto'
import { toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

/** How long a ticket opens its one route (CONTRACT, section 4). */
const TICKET_TTL_MS = 60_000
// One for each stream that a page opens within a minute, and some to spare. With 1,024 tokens 65,536 of them at the
// most: about 10 MiB.
const TICKETS_OF_TOKEN_MAX = 64
const TICKET_BYTES = 32

interface Issued {
  readonly tokenId: string
  /** By the clock that nobody sets. */
  readonly endMs: number
}

export interface Ticket {
  readonly ticket: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/**
 * Short-lived stand-ins for tokens, for browsers whose EventSource can send no header: an address ends up in histories
 * and logs. Within its minute a ticket opens a stream as often as it is shown, because EventSource connects again by
 * itself; a stream that is open goes on as long as the token is good. They are in memory only: after a restart pages ask
 * for another.
 */
export class Tickets {
  readonly #clock: Clock
  readonly #random: Random
  /** By SHA-256 of the ticket, so that how long a look-up takes tells nothing of it; in the order of their end. */
  readonly #issued = new Map<string, Issued>()
  readonly #counts = new Map<string, number>()

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  /** A ticket for the token, or null while it has too many. */
  issue(tokenId: string): Ticket | null {
    const nowMs = this.#clock.monotonicMs()
    this.#drop(nowMs)
    const count = this.#counts.get(tokenId) ?? 0
    if (count >= TICKETS_OF_TOKEN_MAX) return null
    const ticket = toBase64url(this.#random.bytes(TICKET_BYTES))
    this.#issued.set(hashOf(ticket), { tokenId, endMs: nowMs + TICKET_TTL_MS })
    this.#counts.set(tokenId, count + 1)
    return { ticket, expiresAt: this.#clock.now() + TICKET_TTL_MS }
  }

  /** The id of the token that the ticket stands for; null where it is none, or none any more. */
  tokenOf(ticket: string): string | null {
    this.#drop(this.#clock.monotonicMs())
    return this.#issued.get(hashOf(ticket))?.tokenId ?? null
  }

  #drop(nowMs: number): void {
    for (const [hash, { tokenId, endMs }] of this.#issued) {
      if (endMs > nowMs) return
      this.#issued.delete(hash)
      const count = (this.#counts.get(tokenId) ?? 1) - 1
      if (count === 0) this.#counts.delete(tokenId)
      else this.#counts.set(tokenId, count)
    }
  }
}

/** Whether a text has the form of a ticket. */
export function isTicket(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}

function hashOf(ticket: string): string {
  return toHex(createHash('sha256').update(ticket).digest())
}

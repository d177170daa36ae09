import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import type { PendingCode } from '../events/outcome.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { EventSource } from './source.ts'

// A pack or a predecessor is usually a few events away; more than this is a peer that sends what can't be judged, and
// what is dropped comes again by sync.
export const PENDING_EVENTS_MAX = 4_096
// Events of 48 KiB would make 4,096 of them 192 MiB.
export const PENDING_BYTES_MAX = 16 * 1024 * 1024
// One peer may fill a quarter, of the number and of the bytes, so that three others still find room.
export const PENDING_SHARE_OF_PEER = 4

/** An event that can't be judged yet. Once its signatures were checked it is not checked again. */
export interface PendingEvent {
  readonly bytesHash: string
  readonly code: PendingCode
  readonly event: DecodedEvent
  readonly verified: VerifiedEvent | undefined
  readonly source: EventSource
  /** The id of the missing predecessor; `null` for an unknown key. */
  readonly predecessor: string | null
}

/** What one peer has in the pool, by the hash of the bytes, in order of arrival. */
interface Share {
  readonly hashes: Set<string>
  bytes: number
}

/** What waits for a key or a predecessor, in order of arrival and within bounds; the oldest makes room. */
export class PendingPool {
  readonly #entries = new Map<string, PendingEvent>()
  readonly #byPredecessor = new Map<string, Set<string>>()
  readonly #byPeer = new Map<string, Share>()
  #bytes = 0
  #dropped = 0

  get size(): { readonly events: number; readonly bytes: number; readonly dropped: number } {
    return { events: this.#entries.size, bytes: this.#bytes, dropped: this.#dropped }
  }

  get(bytesHash: string): PendingEvent | undefined {
    return this.#entries.get(bytesHash)
  }

  add(entry: PendingEvent): void {
    if (this.#entries.has(entry.bytesHash)) return
    const size = entry.event.wire.length
    const share = this.#shareOf(entry)
    while (isFull(share, size)) this.#dropOldest(share.hashes)
    this.#byPeer.set(peerOf(entry), share)
    share.hashes.add(entry.bytesHash)
    share.bytes += size
    this.#entries.set(entry.bytesHash, entry)
    this.#bytes += size
    if (entry.predecessor !== null) addTo(this.#byPredecessor, entry.predecessor, entry.bytesHash)
    while (this.#entries.size > PENDING_EVENTS_MAX || this.#bytes > PENDING_BYTES_MAX)
      this.#dropOldest(this.#entries.keys())
  }

  /** Takes out the event in these bytes, if it waits. */
  remove(bytesHash: string): void {
    this.#take(bytesHash)
  }

  /** Takes out what waited for this event. */
  takeSuccessors(eventId: string): PendingEvent[] {
    return [...(this.#byPredecessor.get(eventId) ?? [])].flatMap((bytesHash) => this.#take(bytesHash))
  }

  /** Takes out all that waited for a key, when keys were bound: which of them now has its key is cheap to ask. */
  takeWaitingForKeys(): PendingEvent[] {
    const waiting = [...this.#entries.values()].filter(({ code }) => code === 'KEY_UNKNOWN')
    return waiting.flatMap(({ bytesHash }) => this.#take(bytesHash))
  }

  #dropOldest(order: Iterable<string>): void {
    for (const bytesHash of order) {
      this.#take(bytesHash)
      this.#dropped += 1
      return
    }
  }

  #take(bytesHash: string): PendingEvent[] {
    const entry = this.#entries.get(bytesHash)
    if (entry === undefined) return []
    const share = this.#shareOf(entry)
    this.#entries.delete(bytesHash)
    this.#bytes -= entry.event.wire.length
    share.bytes -= entry.event.wire.length
    share.hashes.delete(bytesHash)
    if (share.hashes.size === 0) this.#byPeer.delete(peerOf(entry))
    if (entry.predecessor !== null) removeFrom(this.#byPredecessor, entry.predecessor, bytesHash)
    return [entry]
  }

  #shareOf(entry: PendingEvent): Share {
    return this.#byPeer.get(peerOf(entry)) ?? { hashes: new Set(), bytes: 0 }
  }
}

function isFull({ hashes, bytes }: Share, more: number): boolean {
  if (hashes.size === 0) return false
  return (
    hashes.size >= PENDING_EVENTS_MAX / PENDING_SHARE_OF_PEER ||
    bytes + more > PENDING_BYTES_MAX / PENDING_SHARE_OF_PEER
  )
}

function peerOf({ source }: PendingEvent): string {
  return source.peer ?? source.via
}

function addTo(index: Map<string, Set<string>>, key: string, value: string): void {
  const known = index.get(key)
  if (known === undefined) index.set(key, new Set([value]))
  else known.add(value)
}

function removeFrom(index: Map<string, Set<string>>, key: string, value: string): void {
  const known = index.get(key)
  known?.delete(value)
  if (known?.size === 0) index.delete(key)
}

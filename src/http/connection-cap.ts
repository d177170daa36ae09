import type { Server, Socket } from 'node:net'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { Places } from '../platform/places.ts'
import { isLoopback } from '../policy/listen-address.ts'
import { addressBlock } from './address-block.ts'

// So many connections beyond the cap are told that there are too many; each stands for a header's time at the longest.
// Beyond these nobody is told, and the system drops them: else who floods the cap would hold as much by being refused.
const REFUSED_CONNECTIONS_MAX = 256
// An operator has to hear of it, not for each of thousands.
const WARN_EVERY_MS = 60_000

/** The connections of a listener. */
export interface ConnectionCounts {
  /** Those that are served now. */
  readonly open: number
  /** Those that came in when there was no place, since the start: told so, or dropped by the system. */
  readonly refused: number
}

/** Counts connections against two caps: of all, and of those from one block of addresses. */
export class ConnectionBook {
  readonly #places: Places

  /** One block may hold half of all, so that nobody shuts everybody else out by one line. */
  constructor(connectionsMax: number) {
    this.#places = new Places({ all: connectionsMax, ofHolder: Math.max(1, Math.floor(connectionsMax / 2)) })
  }

  get admitted(): number {
    return this.#places.taken
  }

  /**
   * Takes one more connection from this address and returns how it is given back, or null where it would be one too
   * many. All that a proxy on this machine passes on comes from loopback, so loopback has no cap of its own.
   */
  admit(address: string): (() => void) | null {
    return this.#places.take(isLoopback(address.replace(/^::ffff:/i, '')) ? null : addressBlock(address))
  }
}

export interface ConnectionCapPorts {
  readonly connectionsMax: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Holds a server to its caps: who comes in beyond them is answered 503 instead of being served. */
export class ConnectionCap {
  readonly #book: ConnectionBook
  readonly #ports: ConnectionCapPorts
  /** Every connection that stands, also in a handshake or after an upgrade. */
  readonly #open = new Set<Socket>()
  /** Those of them that are not to be served, by where they come from: TLS wraps the socket that is known here. */
  readonly #refused = new Map<string, Socket>()
  #warnedMs = -Infinity
  #refusedCount = 0

  constructor(server: Server, ports: ConnectionCapPorts) {
    this.#ports = ports
    this.#book = new ConnectionBook(ports.connectionsMax)
    server.maxConnections = ports.connectionsMax + REFUSED_CONNECTIONS_MAX
    // The first listener, before the one that begins to read.
    server.prependListener('connection', (socket: Socket) => this.#opened(socket))
    server.on('drop', () => this.#noPlace())
  }

  get counts(): ConnectionCounts {
    return { open: this.#book.admitted, refused: this.#refusedCount }
  }

  /** Whether this connection came in when there was no place for it. */
  isRefused(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): boolean {
    return this.#refused.size > 0 && this.#refused.has(placeOf(socket))
  }

  /** Ends every connection at once, in whatever state. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy()
  }

  #opened(socket: Socket): void {
    const { remoteAddress } = socket
    // Gone before it was taken.
    if (remoteAddress === undefined) return
    this.#open.add(socket)
    const release = this.#book.admit(remoteAddress)
    const place = placeOf(socket)
    if (release === null) {
      this.#refused.set(place, socket)
      this.#noPlace()
    }
    socket.once('close', () => {
      this.#open.delete(socket)
      release?.()
      // The same place may belong to the next connection already.
      if (this.#refused.get(place) === socket) this.#refused.delete(place)
    })
  }

  #noPlace(): void {
    this.#refusedCount += 1
    const { clock, logger, connectionsMax } = this.#ports
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return
    this.#warnedMs = nowMs
    logger.warn({ connectionsMax, served: this.#book.admitted }, 'connections beyond the limit are refused')
  }
}

function placeOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress ?? ''} ${remotePort ?? ''}`
}

import { connect as connectTcp, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { SyslogConnection, SyslogTransport } from '../../audit/syslog-transport.ts'
import type { Clock } from '../../platform/clock.ts'

// Name, TCP and TLS take a few round trips.
const CONNECT_WITHIN_MS = 10_000
// A collector that takes nothing for so long is stuck; records wait better on this node's disk than in its memory.
const WRITE_WITHIN_MS = 30_000
// The collector has to read what is on its way before it closes.
const FINISH_WITHIN_MS = 30_000

// Tickets of the session come right behind the handshake, a round trip at the most; they are no answer to our end.
const SETTLE_MS = 100
// An alert is 23 to 31 bytes with the common ciphers of TLS 1.2 and 1.3, and a ticket more than a hundred.
const CLOSE_NOTIFY_BYTES_MAX = 64

/** What the collector and this node show each other. */
export interface TlsCredentials {
  /** PEM: whom the collector's certificate must lead to; the authorities that Node knows, if absent. */
  readonly ca?: string | readonly string[]
  /** PEM: what this node shows. */
  readonly cert?: string
  readonly key?: string
}

/** Where the collector is, and what is shown. */
export interface TlsTransportOptions extends TlsCredentials {
  /** A name or an address, which the collector's certificate must be for. */
  readonly host: string
  readonly port: number
  readonly hostname: string
  /** What is shown by now, asked before each connection; `null` where that can't be said, and what was shown last holds. */
  readonly renewed?: () => Promise<TlsCredentials | null>
}

/** Syslog over TLS (RFC 5425): TLS 1.2 or newer, the collector's certificate checked with its name. */
export function createTlsSyslogTransport(options: TlsTransportOptions, clock: Clock): SyslogTransport {
  const { host, port, hostname, renewed } = options
  const collector = `${host.includes(':') ? `[${host}]` : host}:${port}`
  let shown: TlsCredentials = options
  const settings = (): ConnectionOptions => ({
    host,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // A name only (RFC 6066 section 3): an address is compared all the same.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...pemOf(shown)
  })
  return {
    collector,
    hostname,
    connect: async (signal) => {
      shown = (await renewed?.()) ?? shown
      const socket = new CollectorSocket(connectTcp({ host, port }), settings(), clock)
      const abort = (): void => socket.abort()
      signal.addEventListener('abort', abort, { once: true })
      try {
        if (signal.aborted) abort()
        await socket.opened()
        return socket
      } catch (error) {
        socket.abort()
        throw error
      } finally {
        signal.removeEventListener('abort', abort)
      }
    }
  }
}

function pemOf({ ca, cert, key }: TlsCredentials): Pick<ConnectionOptions, 'ca' | 'cert' | 'key'> {
  return {
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key })
  }
}

class CollectorSocket implements SyslogConnection {
  readonly #tcp: Socket
  readonly #socket: TLSSocket
  readonly #clock: Clock
  /** Why the connection was lost, and who waits to hear of that. */
  #loss: Error | null = null
  #onLoss: ((loss: Error) => void) | null = null
  /** Resolves when the collector has closed in its turn. */
  readonly #finished = Promise.withResolvers<void>()
  /** When the handshake was done, and how long it had taken; milliseconds. */
  #openedMs = 0
  #handshakeMs = 0
  /** What had come before our end; null before that. */
  #bytesBeforeEnd: number | null = null

  constructor(tcp: Socket, settings: ConnectionOptions, clock: Clock) {
    const socket = connect({ ...settings, socket: tcp })
    this.#tcp = tcp
    this.#socket = socket
    this.#clock = clock
    tcp.on('error', (error: Error) => this.#lose(error))
    socket.on('error', (error: Error) => this.#lose(error))
    socket.once('close', (hadError) => {
      if (!hadError && this.#isAnswered()) this.#finished.resolve()
      else this.#lose(new Error('the collector did not say that it had read everything'))
    })
    // A collector says nothing, but tickets of its session come, and what is unread when a connection is closed resets it.
    socket.resume()
  }

  async opened(): Promise<void> {
    const startedMs = this.#clock.monotonicMs()
    const connected = (): Promise<void> =>
      new Promise((resolve) => {
        this.#socket.once('secureConnect', resolve)
      })
    await this.#within(connected, CONNECT_WITHIN_MS, 'the collector can’t be reached')
    this.#openedMs = this.#clock.monotonicMs()
    this.#handshakeMs = this.#openedMs - startedMs
  }

  async write(bytes: Uint8Array): Promise<void> {
    const taken = (): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#socket.write(bytes, (error) => (error === null || error === undefined ? resolve() : reject(error)))
      })
    await this.#within(taken, WRITE_WITHIN_MS, 'the collector takes nothing')
  }

  async finish(): Promise<void> {
    const finished = async (): Promise<void> => {
      const ageMs = this.#clock.monotonicMs() - this.#openedMs
      await this.#clock.sleep(Math.max(0, Math.max(SETTLE_MS, this.#handshakeMs) - ageMs))
      this.#bytesBeforeEnd = this.#tcp.bytesRead
      this.#socket.end()
      await this.#finished.promise
    }
    await this.#within(finished, FINISH_WITHIN_MS, 'the collector does not say that it has read everything')
  }

  abort(): void {
    this.#socket.destroy()
    this.#tcp.destroy()
  }

  /**
   * Whether the collector answered our `close_notify` by its own, as RFC 5425 section 4.4 has it: a record that is as
   * short came behind our end, and TLS found it good. A process that was killed, or somebody on the way, only ends TCP.
   */
  #isAnswered(): boolean {
    if (this.#bytesBeforeEnd === null) return false
    const bytes = this.#tcp.bytesRead - this.#bytesBeforeEnd
    return bytes > 0 && bytes <= CLOSE_NOTIFY_BYTES_MAX
  }

  #lose(loss: Error): void {
    this.#loss ??= loss
    this.#onLoss?.(this.#loss)
  }

  /** Settles as `work` does; rejects when it takes too long, or the connection is lost. */
  async #within(work: () => Promise<void>, limitMs: number, what: string): Promise<void> {
    if (this.#loss !== null) throw this.#loss
    const { promise: ended, reject } = Promise.withResolvers<never>()
    this.#onLoss = reject
    const cancel = this.#clock.after(limitMs, () => reject(new Error(`${what}: no answer within ${limitMs} ms`)))
    try {
      await Promise.race([work(), ended])
    } finally {
      cancel()
      this.#onLoss = null
    }
  }
}

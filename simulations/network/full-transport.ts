import { AbortError, TypedEventEmitter, serviceCapabilities, transportSymbol } from '@libp2p/interface'
import type {
  AbortOptions,
  ComponentLogger,
  Connection,
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  ListenerEvents,
  Logger,
  MessageStreamDirection,
  Transport,
  Upgrader
} from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import type { SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { hostOf, isDialable, remoteAddress } from './addresses.ts'
import type { SimulatedHost } from './simulated-host.ts'
import type { SimulatedSocket } from './socket.ts'

/** The transport of libp2p over the simulated network, in the place of TCP. */
export function simulatedTransport(
  host: SimulatedHost<Uint8Array>
): (components: { logger: ComponentLogger }) => Transport {
  return ({ logger }) => {
    const log = logger.forComponent('anchormesh:simulated-transport')
    const filter = (addresses: Multiaddr[]): Multiaddr[] => addresses.filter(isDialable)
    const capabilities = { [serviceCapabilities]: ['@libp2p/transport'] }
    return {
      ...capabilities,
      [transportSymbol]: true,
      [Symbol.toStringTag]: 'anchormesh/simulated',
      dialFilter: filter,
      listenFilter: filter,
      dial: async (address, options) => await dial(host, address, options, log),
      createListener: (options) => new SimulatedListener(host, options, log)
    }
  }
}

async function dial(
  host: SimulatedHost<Uint8Array>,
  address: Multiaddr,
  options: DialTransportOptions,
  log: Logger
): Promise<Connection> {
  const connecting = await host.connect(hostOf(address), options.signal)
  if (!connecting.ok) throw Object.assign(new Error(`connect ${connecting.code} ${address.toString()}`), connecting)
  const wire = new SocketConnection(connecting.socket, address, 'outbound', log)
  try {
    return await options.upgrader.upgradeOutbound(wire, options)
  } catch (error) {
    wire.abort(error instanceof Error ? error : new AbortError())
    throw error
  }
}

class SimulatedListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #host: SimulatedHost<Uint8Array>
  readonly #upgrader: Upgrader
  readonly #log: Logger
  readonly #closing = new AbortController()
  #address: Multiaddr | null = null
  #stop: () => void = () => {}

  constructor(host: SimulatedHost<Uint8Array>, { upgrader }: CreateListenerOptions, log: Logger) {
    super()
    this.#host = host
    this.#upgrader = upgrader
    this.#log = log
  }

  listen(address: Multiaddr): Promise<void> {
    this.#address = address
    this.#stop = this.#host.listen((socket) => this.#accept(socket))
    this.safeDispatchEvent('listening')
    return Promise.resolve()
  }

  getAddrs(): Multiaddr[] {
    return this.#address === null ? [] : [this.#address]
  }

  updateAnnounceAddrs(): void {}

  close(): Promise<void> {
    this.#stop()
    this.#closing.abort()
    this.safeDispatchEvent('close')
    return Promise.resolve()
  }

  #accept(socket: SimulatedSocket<Uint8Array>): void {
    const address = this.getAddrs()[0]
    if (address === undefined) return socket.reset()
    const wire = new SocketConnection(socket, remoteAddress(socket.remote), 'inbound', this.#log)
    this.#upgrader.upgradeInbound(wire, { signal: this.#closing.signal }).catch((error: unknown) => {
      this.#log.error('an inbound connection could not be upgraded - %e', error)
      wire.abort(error instanceof Error ? error : new AbortError())
    })
  }
}

/** A socket as what libp2p upgrades. */
class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: SimulatedSocket<Uint8Array>
  #ended = Promise.withResolvers<void>()

  constructor(
    socket: SimulatedSocket<Uint8Array>,
    remoteAddr: Multiaddr,
    direction: MessageStreamDirection,
    log: Logger
  ) {
    super({ remoteAddr, direction, log: log.newScope('connection') })
    this.#socket = socket
    socket.attach({
      frame: (bytes) => this.onData(bytes),
      drain: () => this.safeDispatchEvent('drain'),
      end: () => {
        this.#ended.resolve()
        this.onTransportClosed()
      },
      reset: () => {
        this.#ended.resolve()
        this.onRemoteReset()
      }
    })
  }

  sendData(data: Uint8ArrayList): SendResult {
    // A copy: what was given is the sender's to use again.
    const bytes = data.slice()
    const canSendMore = this.#socket.send(bytes, bytes.length)
    return { sentBytes: bytes.length, canSendMore }
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    this.#socket.end()
    options?.signal?.addEventListener('abort', () => this.#ended.reject(options.signal?.reason as Error), {
      once: true
    })
    await this.#ended.promise
  }

  sendReset(): void {
    this.#socket.reset()
  }

  sendPause(): void {
    this.#socket.pause()
  }

  sendResume(): void {
    this.#socket.resume()
  }
}

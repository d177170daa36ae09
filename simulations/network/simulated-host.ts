import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { Cancel, VirtualTime } from '../world/virtual-time.ts'
import type { Link } from './link.ts'
import { socketPair } from './socket.ts'
import type { OnSent, Side, SimulatedSocket, SocketEnd } from './socket.ts'

/** What came of a dial. */
export type Connecting<Frame> =
  { readonly ok: true; readonly socket: SimulatedSocket<Frame> } | { readonly ok: false; readonly code: 'ECONNREFUSED' }

/** What a host knows of the network. */
export interface HostNetwork<Frame> {
  readonly time: VirtualTime
  readonly onSent: OnSent
  link(from: string, to: string): Link
  host(address: string): SimulatedHost<Frame>
}

// An Ethernet frame that holds nothing but the headers of TCP.
const SYN_BYTES = 66

/** One machine of the network: what runs on it is one process at a time. */
export class SimulatedHost<Frame> {
  readonly address: string
  readonly #net: HostNetwork<Frame>
  readonly #sockets = new Set<SocketEnd<Frame>>()
  #process: SimulatedProcess | null = null
  #hasPower = false
  #accept: ((socket: SimulatedSocket<Frame>) => void) | null = null

  constructor(address: string, net: HostNetwork<Frame>) {
    this.address = address
    this.#net = net
  }

  /** From now on this process runs here. */
  boot(process: SimulatedProcess): void {
    this.#process = process
    this.#hasPower = true
  }

  /**
   * The process ends. Its system breaks its connections, unless the machine has lost `power`: then others find out by
   * themselves.
   */
  halt({ power }: { readonly power: boolean }): void {
    this.#process?.kill()
    this.#process = null
    this.#hasPower = !power
    this.#accept = null
    for (const socket of this.#sockets) {
      if (power) socket.vanish()
      else socket.reset()
    }
  }

  /** Has `run` happen in the process that runs here, after so many milliseconds of its clock. */
  after(delayMs: number, run: () => void): Cancel {
    return this.#net.time.afterMs(delayMs, this.#process ?? undefined, run)
  }

  /** What the clock shows here: milliseconds since 1970. */
  nowMs(): number {
    return Math.floor(this.#net.time.shownMs(this.#process ?? undefined))
  }

  /** Takes connections from now on. Returns what ends that. */
  listen(accept: (socket: SimulatedSocket<Frame>) => void): () => void {
    this.#accept = accept
    return () => {
      if (this.#accept === accept) this.#accept = null
    }
  }

  /**
   * Connects to another host, after the time of one message there and one back. While the link is cut, or from a machine
   * without power, no answer comes, and `signal` ends the wait.
   */
  connect(to: string, signal: AbortSignal): Promise<Connecting<Frame>> {
    const process = this.#process
    if (process === null) throw new Error(`nothing runs on ${this.address}`)
    const far = this.#net.host(to)
    return new Promise((resolve, reject) => {
      let cancel: Cancel = () => {}
      const onAbort = (): void => {
        cancel()
        reject(signal.reason as Error)
      }
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      const cross = (link: Link, next: () => void): void => {
        const { time } = this.#net
        const arrive = (): void => {
          if (link.isCut) cancel = link.whenHealed((delayUs) => (cancel = time.afterUs(delayUs, null, arrive)))
          else next()
        }
        cancel = time.afterUs(link.carry(SYN_BYTES).arrivesUs - time.nowUs, null, arrive)
      }
      const answered = (): void => {
        if (signal.aborted) return
        signal.removeEventListener('abort', onAbort)
        const socket = this.#open(far, process)
        resolve(socket === null ? { ok: false, code: 'ECONNREFUSED' } : { ok: true, socket })
      }
      cross(this.#net.link(this.address, to), () => {
        if (far.#hasPower) cross(this.#net.link(to, this.address), () => process.happens(answered))
      })
    })
  }

  /** Null: nobody listens there. */
  #open(far: SimulatedHost<Frame>, process: SimulatedProcess): SimulatedSocket<Frame> | null {
    const farProcess = far.#process
    const accept = far.#accept
    if (farProcess === null || accept === null) return null
    const { time, onSent } = this.#net
    const links = { there: this.#net.link(this.address, far.address), back: this.#net.link(far.address, this.address) }
    const pair = socketPair<Frame>(time, this.#side(process), far.#side(farProcess), links, onSent)
    this.#adopt(pair.near)
    far.#adopt(pair.far)
    time.afterUs(links.there.carry(SYN_BYTES).arrivesUs - time.nowUs, farProcess, () => accept(pair.far))
    return pair.near
  }

  #side(process: SimulatedProcess): Side {
    return { address: this.address, process, isUp: () => this.#hasPower }
  }

  #adopt(socket: SocketEnd<Frame>): void {
    this.#sockets.add(socket)
    socket.onOver = () => void this.#sockets.delete(socket)
  }
}

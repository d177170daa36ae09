import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import type { Link } from './link.ts'
import { Pipe } from './pipe.ts'

/** What an end of a connection is told. */
export interface SocketHandlers<Frame> {
  frame(frame: Frame): void
  /** There is room again after `send` said that there was none. */
  drain(): void
  /** The other side has finished, or both have. */
  end(): void
  /** The connection is broken. */
  reset(): void
}

/** One end of a connection between two hosts. */
export interface SimulatedSocket<Frame> {
  /** The address of the other host. */
  readonly remote: string
  /** Whoever owns the socket; until it says so, what arrives waits. */
  attach(handlers: SocketHandlers<Frame>): void
  /**
   * Sends a frame that takes so many bytes; false: wait for `drain`. A whole message is one that the link may bring
   * twice, or after later ones.
   */
  send(frame: Frame, bytes: number, isMessage?: boolean): boolean
  pause(): void
  resume(): void
  /** Finishes: the other side learns of it after all that was sent. */
  end(): void
  /**
   * Breaks the connection. The other side learns of it, unless the link is cut: then it does when it sends something
   * and this side can answer that it knows nothing of it.
   */
  reset(): void
}

// Headers of Ethernet, IP and TCP, for each send.
const HEADER_BYTES = 66

type Item<Frame> =
  { readonly kind: 'frame'; readonly frame: Frame } | { readonly kind: 'end' } | { readonly kind: 'reset' }

/** Told of each frame that is sent. */
export type OnSent = (from: string, to: string, bytes: number) => void

/** One side of a new connection. */
export interface Side {
  readonly address: string
  readonly process: SimulatedProcess
  /** Whether the machine can answer what reaches it. */
  isUp(): boolean
}

/** Both ends of a new connection. */
export function socketPair<Frame>(
  time: VirtualTime,
  near: Side,
  far: Side,
  links: { readonly there: Link; readonly back: Link },
  onSent: OnSent
): { readonly near: SocketEnd<Frame>; readonly far: SocketEnd<Frame> } {
  const nearEnd = new SocketEnd<Frame>(near, far.address, onSent)
  const farEnd = new SocketEnd<Frame>(far, near.address, onSent)
  const there = pipe(time, links.there, nearEnd, farEnd)
  const back = pipe(time, links.back, farEnd, nearEnd)
  nearEnd.connect(there, back)
  farEnd.connect(back, there)
  return { near: nearEnd, far: farEnd }
}

function pipe<Frame>(time: VirtualTime, link: Link, from: SocketEnd<Frame>, to: SocketEnd<Frame>): Pipe<Item<Frame>> {
  return new Pipe(link, time, {
    sender: from.side.process,
    receiver: to.side.process,
    receive: (item) => to.arrived(item),
    drained: () => from.drained()
  })
}

export class SocketEnd<Frame> implements SimulatedSocket<Frame> {
  readonly side: Side
  readonly remote: string
  readonly #onSent: OnSent
  #out: Pipe<Item<Frame>> | null = null
  #in: Pipe<Item<Frame>> | null = null
  #handlers: SocketHandlers<Frame> | null = null
  #hasEnded = false
  #isOver = false
  /** Called once, when the end is closed or broken. */
  onOver: () => void = () => {}

  constructor(side: Side, remote: string, onSent: OnSent) {
    this.side = side
    this.remote = remote
    this.#onSent = onSent
  }

  connect(out: Pipe<Item<Frame>>, incoming: Pipe<Item<Frame>>): void {
    this.#out = out
    this.#in = incoming
    incoming.pause()
  }

  attach(handlers: SocketHandlers<Frame>): void {
    this.#handlers = handlers
    if (!this.#isOver) this.#in?.resume()
  }

  send(frame: Frame, bytes: number, isMessage = false): boolean {
    if (this.#isOver || this.#hasEnded) return true
    this.#onSent(this.side.address, this.remote, bytes + HEADER_BYTES)
    return this.#out?.send({ kind: 'frame', frame }, bytes + HEADER_BYTES, isMessage) ?? true
  }

  pause(): void {
    if (!this.#isOver) this.#in?.pause()
  }

  resume(): void {
    if (!this.#isOver) this.#in?.resume()
  }

  end(): void {
    if (this.#isOver || this.#hasEnded) return
    this.#hasEnded = true
    this.#out?.send({ kind: 'end' }, HEADER_BYTES)
  }

  reset(): void {
    if (this.#isOver) return
    this.#over()
    this.#out?.break({ kind: 'reset' }, HEADER_BYTES)
  }

  /** The machine has lost power: nobody is told. */
  vanish(): void {
    this.#over()
    this.#out?.drop()
  }

  /** Called outside of any process. */
  arrived(item: Item<Frame>): void {
    if (!this.#isOver) this.side.process.happens(() => this.#take(item))
    else if (item.kind !== 'reset' && this.side.isUp()) this.#out?.break({ kind: 'reset' }, HEADER_BYTES)
  }

  drained(): void {
    if (!this.#isOver) this.#handlers?.drain()
  }

  #take(item: Item<Frame>): void {
    if (this.#isOver) return
    if (item.kind === 'frame') {
      this.#handlers?.frame(item.frame)
    } else if (item.kind === 'reset') {
      this.#over()
      this.#out?.close()
      this.#handlers?.reset()
    } else {
      // Half-open connections are not allowed, as libp2p has its TCP sockets.
      this.end()
      this.#over()
      this.#handlers?.end()
    }
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    // What still arrives is answered, however slow its reader was.
    this.#in?.resume()
    this.onOver()
  }
}

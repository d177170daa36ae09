import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { Cancel, VirtualTime } from '../world/virtual-time.ts'
import type { Link, Passage } from './link.ts'

// What a socket buffers of a slow receiver, as Linux does by default; more makes the sender wait.
const WINDOW_BYTES = 256 * 1024

// What has come since a reader last looked it reads at once.
const READ_WITHIN_US = 100

interface UnderWay<Item> {
  readonly items: Item[]
  bytes: number
  readonly sentUs: number
  arrivesUs: number
}

export interface PipeEnds<Item> {
  /** Whose it is to receive: while it is paused nothing is taken in. */
  readonly receiver: SimulatedProcess
  readonly sender: SimulatedProcess
  /** Called outside of any process. */
  receive(item: Item): void
  /** There is room again for more. */
  drained(): void
}

/**
 * One direction of one connection: what goes in comes out in the same order, when the link has carried it. Only whole
 * messages may come twice, or after those that were sent later.
 */
export class Pipe<Item> {
  readonly #link: Link
  readonly #time: VirtualTime
  readonly #ends: PipeEnds<Item>
  #queue: UnderWay<Item>[] = []
  #bytes = 0
  #lastUs = 0
  #lastPassage: Passage | null = null
  #next: Cancel | null = null
  #unwait: Cancel | null = null
  #isPaused = false
  #isFull = false
  /** A last item is under way that nobody sends again when it is lost. */
  #isBroken = false
  #isClosed = false

  constructor(link: Link, time: VirtualTime, ends: PipeEnds<Item>) {
    this.#link = link
    this.#time = time
    this.#ends = ends
  }

  /** Sends, always; whether there is room for more. */
  send(item: Item, bytes: number, isMessage = false): boolean {
    if (this.#isClosed || this.#isBroken) return true
    const passage = this.#link.carry(bytes, this.#lastPassage)
    this.#lastPassage = passage
    const { arrivesUs, heldUpUs, againUs } = passage
    if (isMessage && heldUpUs > 0) this.#sendBeside(item, arrivesUs + heldUpUs)
    else this.#enqueue(item, bytes, arrivesUs + heldUpUs)
    if (isMessage && againUs !== null) this.#sendBeside(item, Math.max(againUs, arrivesUs))
    this.#isFull ||= this.#bytes > WINDOW_BYTES
    return !this.#isFull
  }

  /** Sends a last item, after what is under way; it is lost, and all of that, where the link is cut. */
  break(item: Item, bytes: number): void {
    if (this.#isClosed || this.#isBroken) return
    if (this.#link.isCut) return this.drop()
    this.#enqueue(item, bytes, this.#link.carry(bytes).arrivesUs)
    this.#isBroken = true
  }

  /** The receiver takes nothing in for now. */
  pause(): void {
    this.#isPaused = true
    this.#next?.()
    this.#next = null
  }

  resume(): void {
    this.#isPaused = false
    this.#wait()
  }

  /** What is under way is lost. */
  drop(): void {
    this.#next?.()
    this.#next = null
    this.#unwait?.()
    this.#unwait = null
    this.#queue = []
    this.#bytes = 0
    this.#isBroken = false
  }

  /** Nothing arrives any more. */
  close(): void {
    this.#isClosed = true
    this.drop()
  }

  #enqueue(item: Item, bytes: number, arrivesUs: number): void {
    this.#lastUs = Math.max(this.#lastUs, arrivesUs)
    this.#bytes += bytes
    const { nowUs } = this.#time
    const last = this.#queue.at(-1)
    if (last?.sentUs === nowUs && this.#lastUs - last.arrivesUs <= READ_WITHIN_US) {
      last.items.push(item)
      last.bytes += bytes
      return
    }
    this.#queue.push({ items: [item], bytes, sentUs: nowUs, arrivesUs: this.#lastUs })
    if (this.#queue.length === 1) this.#wait()
  }

  /** It arrives by itself; a cut link, which asks for patience, puts it among the others. */
  #sendBeside(item: Item, arrivesUs: number): void {
    this.#time.afterUs(arrivesUs - this.#time.nowUs, null, () => {
      if (this.#isClosed) return
      if (this.#link.isCut || this.#isPaused || this.#ends.receiver.state === 'paused')
        this.#enqueue(item, 0, this.#time.nowUs)
      else this.#ends.receive(item)
    })
  }

  #wait(): void {
    const [head] = this.#queue
    if (head === undefined || this.#isPaused || this.#isClosed || this.#next !== null || this.#unwait !== null) return
    this.#next = this.#time.afterUs(head.arrivesUs - this.#time.nowUs, null, () => {
      this.#next = null
      this.#arrive(head)
    })
  }

  #arrive(head: UnderWay<Item>): void {
    const { receiver, sender } = this.#ends
    if (this.#isClosed || this.#isPaused || this.#queue[0] !== head) return
    if (this.#link.isCut) {
      if (this.#isBroken) this.drop()
      else this.#unwait ??= this.#link.whenHealed((delayUs) => this.#resend(delayUs))
      return
    }
    if (receiver.state === 'paused') {
      receiver.happens(() => this.#arrive(head))
      return
    }
    this.#queue.shift()
    this.#bytes -= head.bytes
    if (this.#queue.length === 0) this.#isBroken = false
    if (this.#isFull && this.#bytes <= WINDOW_BYTES / 2) {
      this.#isFull = false
      sender.happens(() => this.#ends.drained())
    }
    for (const item of head.items) this.#ends.receive(item)
    this.#wait()
  }

  /** All that was under way goes once more, and takes its time on the link once more; what was sent since follows it. */
  #resend(delayUs: number): void {
    const healedUs = this.#time.nowUs
    this.#unwait = this.#time.afterUs(delayUs, null, () => {
      this.#unwait = null
      let passage: Passage | null = null
      let lastUs = 0
      for (const waiting of this.#queue) {
        if (waiting.sentUs <= healedUs) passage = this.#link.carry(waiting.bytes, passage)
        lastUs = Math.max(lastUs, waiting.arrivesUs, passage?.arrivesUs ?? 0)
        waiting.arrivesUs = lastUs
      }
      this.#lastUs = Math.max(this.#lastUs, lastUs)
      this.#wait()
    })
  }
}

import type { Logger, MessageStreamDirection } from '@libp2p/interface'
import { AbstractStream } from '@libp2p/utils'
import type { SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { ProtocolTraffic } from '../traffic.ts'
import type { GossipFrame } from './frames.ts'

// What may be under way on a stream before its reader has taken it in, as with yamux.
const WINDOW_BYTES = 256 * 1024

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** Whether there is room for more. */
  sendFrame(frame: GossipFrame): boolean
  /** The stream is over. */
  forget(stream: GossipStream): void
}

export interface GossipStreamInit {
  readonly number: number
  readonly protocol: string
  readonly direction: MessageStreamDirection
  readonly carrier: StreamCarrier
  readonly traffic: ProtocolTraffic
  readonly log: Logger
}

/** A stream of libp2p that hands its bytes over as they are. */
export class GossipStream extends AbstractStream {
  readonly number: number
  readonly #carrier: StreamCarrier
  readonly #traffic: ProtocolTraffic
  #roomBytes = WINDOW_BYTES
  #owedBytes = 0

  constructor({ number, protocol, direction, carrier, traffic, log }: GossipStreamInit) {
    super({ id: `${number}`, protocol, direction, log })
    this.number = number
    this.#carrier = carrier
    this.#traffic = traffic
    this.addEventListener('close', () => this.#carrier.forget(this))
  }

  override send(data: Uint8Array | Uint8ArrayList): boolean {
    this.#traffic.sentBytes += data.byteLength
    this.#traffic.sentMessages += 1
    return super.send(data)
  }

  sendData(data: Uint8ArrayList): SendResult {
    const sentBytes = Math.min(data.byteLength, this.#roomBytes)
    if (sentBytes === 0) return { sentBytes, canSendMore: false }
    this.#roomBytes -= sentBytes
    // A copy: what was given is the sender's to use again.
    const bytes = data.slice(0, sentBytes)
    const canSendMore = this.#carrier.sendFrame({ kind: 'data', stream: this.number, bytes })
    return { sentBytes, canSendMore: canSendMore && sentBytes === data.byteLength }
  }

  sendReset(): void {
    this.#carrier.sendFrame({ kind: 'reset', stream: this.number })
  }

  sendCloseWrite(): Promise<void> {
    this.#carrier.sendFrame({ kind: 'finish', stream: this.number })
    return Promise.resolve()
  }

  // As with yamux, the other side is not told.
  sendCloseRead(): Promise<void> {
    return Promise.resolve()
  }

  // The other side has no room any more, once it has used up what it has.
  sendPause(): void {}

  sendResume(): void {
    this.#giveRoom()
  }

  /** Bytes have arrived. */
  arrived(bytes: Uint8Array): void {
    this.#traffic.receivedBytes += bytes.length
    this.#traffic.receivedMessages += 1
    this.#owedBytes += bytes.length
    this.onData(bytes)
    if (this.readStatus !== 'paused') this.#giveRoom()
  }

  /** The reader has taken so many bytes in. */
  hasRoom(bytes: number): void {
    this.#roomBytes += bytes
    this.drained()
  }

  /** There is room again, here or in the connection. */
  drained(): void {
    if (this.writableNeedsDrain) this.safeDispatchEvent('drain')
  }

  #giveRoom(): void {
    if (this.#owedBytes < WINDOW_BYTES / 2) return
    this.#carrier.sendFrame({ kind: 'window', stream: this.number, bytes: this.#owedBytes })
    this.#owedBytes = 0
  }
}

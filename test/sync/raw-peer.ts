import { decodeFrame } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { concat } from '../../protocols/primitives/bytes.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import type { Network } from '../../src/network/network.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { RANGE_SYNC_PROTOCOL } from '../../src/sync/sync-service.ts'
import { peerIdOf } from '../node/nodes.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE } from '../support/identities.ts'

/** What reading a stream gives: a frame, or how it ended. */
export type RawReading = Frame | { readonly type: 'end' } | { readonly type: 'broken' }

/** A frame as it stands on the stream, with its length. */
export function onWire(frame: Frame | Uint8Array): Uint8Array {
  const bytes = frame instanceof Uint8Array ? frame : encodeFrame(frame)
  return concat(lengthOf(bytes.length), bytes)
}

/** Unsigned LEB128. */
export function lengthOf(length: number): Uint8Array {
  const octets: number[] = []
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    octets.push(rest < 128 ? rest : (rest % 128) | 0x80)
    if (rest < 128) return Uint8Array.from(octets)
  }
}

/** One stream of a peer that does whatever the test says. */
export class RawSession {
  readonly #stream: PeerStream
  readonly #chunks: AsyncIterator<Uint8Array, undefined>
  readonly #out: Uint8Array[] = []
  readonly written: Promise<boolean>
  #wake: (() => void) | null = null
  #isClosed = false
  #unread = new Uint8Array()

  constructor(stream: PeerStream) {
    this.#stream = stream
    this.#chunks = stream.source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>
    this.written = stream.sink(this.#outgoing()).then(
      () => true,
      () => false
    )
  }

  /** Puts frames, or any bytes, on their way. */
  send(...chunks: readonly (Frame | Uint8Array)[]): void {
    this.#out.push(...chunks.map((chunk) => (chunk instanceof Uint8Array ? chunk : onWire(chunk))))
    this.#wake?.()
  }

  /** Closes this side after what was sent. */
  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }

  abort(): void {
    this.#stream.abort(new Error('the peer is gone'))
  }

  async read(): Promise<RawReading> {
    for (;;) {
      const frame = this.#taken()
      if (frame !== null) return frame
      try {
        const { done, value } = await this.#chunks.next()
        if (done === true) return { type: 'end' }
        this.#unread = Uint8Array.from(concat(this.#unread, value))
      } catch {
        return { type: 'broken' }
      }
    }
  }

  /** The next frame, which has to be of this type. */
  async expect<Type extends Frame['type']>(type: Type): Promise<Extract<Frame, { readonly type: Type }>> {
    const frame = await this.read()
    if (frame.type !== type) throw new Error(`${JSON.stringify(frame)} instead of ${type}`)
    return frame as Extract<Frame, { readonly type: Type }>
  }

  /** Everything up to the end of the stream. */
  async rest(): Promise<readonly RawReading[]> {
    const frames: RawReading[] = []
    for (let frame = await this.read(); ; frame = await this.read()) {
      frames.push(frame)
      if (frame.type === 'end' || frame.type === 'broken') return frames
    }
  }

  /** The code of the `error` with which the stream ends; null where none came. Breaks the stream then. */
  async errorCode(): Promise<string | null> {
    const error = (await this.rest()).find((frame) => frame.type === 'error')
    this.abort()
    return error?.type === 'error' ? error.code : null
  }

  #taken(): Frame | null {
    let length = 0
    for (let index = 0; index < this.#unread.length; index += 1) {
      const octet = this.#unread[index] ?? 0
      length += (octet & 0x7f) * 128 ** index
      if (octet >= 0x80) continue
      const end = index + 1 + length
      if (end > this.#unread.length) return null
      const decoded = decodeFrame(this.#unread.slice(index + 1, end))
      this.#unread = this.#unread.slice(end)
      if (!decoded.ok) throw new Error(`the node sent ${decoded.code}: ${decoded.detail}`)
      return decoded.frame
    }
    return null
  }

  async *#outgoing(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#out.shift()
      if (chunk !== undefined) {
        yield chunk
        continue
      }
      if (this.#isClosed) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** A member of the mesh whose frames are written by hand. */
export interface RawPeer {
  readonly peerId: string
  readonly network: Network
  /** What it does with a session that a node opens; at first it says that both are equal. */
  respond: (session: RawSession) => Promise<void>
  /** Opens a stream to a node. */
  open(to: TestMember): Promise<RawSession>
  /** The next session that a node opens of the test's namespace, instead of `respond`; its `hello` has been read. */
  next(): Promise<RawSession>
}

export const MEMBERSHIP = new Uint8Array(16)

/** Answers a session as if both sides held the same. */
export async function sayEqual(session: RawSession): Promise<void> {
  await session.read()
  session.send({ type: 'equal', membership: MEMBERSHIP })
  session.close()
  await session.rest()
}

/** Lets a raw peer join. */
export async function joinRaw(hub: MemoryHub, self: TestMember): Promise<RawPeer> {
  const peerId = peerIdOf(self)
  const network = hub.join({ did: self.signer.did, peerId, namespaces: ['_trust', NAMESPACE] })
  const waiting: ((session: RawSession) => void)[] = []
  const peer: RawPeer = {
    peerId,
    network,
    respond: sayEqual,
    async open(to) {
      const opened = await network.open(peerIdOf(to), RANGE_SYNC_PROTOCOL, new AbortController().signal)
      if (!opened.ok) throw new Error(opened.detail)
      return new RawSession(opened.stream)
    },
    next: () => new Promise((resolve) => waiting.push(resolve))
  }
  const serve = async (stream: PeerStream): Promise<void> => {
    const session = new RawSession(stream)
    const taker = waiting[0]
    if (taker === undefined) {
      await peer.respond(session)
      return
    }
    const hello = await session.expect('hello')
    if (hello.namespace !== NAMESPACE) {
      session.send({ type: 'equal', membership: MEMBERSHIP })
      session.close()
      await session.written
      return
    }
    waiting.shift()
    taker(session)
    await session.written
  }
  await network.start({
    judge: () => Promise.resolve('ignore'),
    protocols: { [RANGE_SYNC_PROTOCOL]: serve },
    connected: () => undefined,
    disconnected: () => undefined
  })
  return peer
}

import type { Frame } from '../api/frames.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { ClientError, malformedAnswer } from './errors.ts'
import { FRAME_CHARACTERS_MAX, ended, parseFrame, silent } from './frame-streams.ts'
import type { OpenFrames } from './frame-streams.ts'
import type { NodeHttp } from './node-http.ts'

/** What a client needs of the `WebSocket` of browsers and of Node. */
export interface ClientWebSocket {
  addEventListener(type: 'open' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void
  close(code?: number): void
}

export type OpenWebSocket = (url: string) => ClientWebSocket

/** By the `WebSocket` of the runtime. */
export const openWebSocket: OpenWebSocket = (url) => new WebSocket(url)

// A WebSocket can't be told to wait: what its reader has not taken yet stands in memory. The same that a node lets wait
// for a slow reader, but at least one frame of the largest size.
const WAITING_CHARACTERS_MAX = 2 * FRAME_CHARACTERS_MAX

export interface WebSocketFramesOptions {
  readonly open: OpenWebSocket
  /** A ticket for the next connection; null where none is needed. */
  readonly ticket: (signal: AbortSignal) => Promise<string | null>
  readonly idleMs: number
  readonly connectMs: number
}

/** Frames by WebSocket, for where a proxy lets no stream of server-sent events through. */
export function webSocketFrames(http: NodeHttp, options: WebSocketFramesOptions): OpenFrames {
  return async function* (query, ending) {
    const ticket = await options.ticket(ending.signal)
    const given = { ...query, ...(ticket === null ? {} : { ticket }) }
    const url = `${http.base.replace(/^http/, 'ws')}v1/subscribe?${new URLSearchParams(given).toString()}`
    const inbox = new Inbox(options.open(url))
    try {
      const late = http.clock.after(options.connectMs, () => ending.abort(timedOut(options.connectMs)))
      await untilAborted(inbox.opened, ending.signal).finally(late)
      for (;;) {
        const silence = http.clock.after(options.idleMs, () => ending.abort(silent(options.idleMs)))
        const next = await untilAborted(inbox.next(), ending.signal).finally(silence)
        if (next === null) return
        yield next
      }
    } finally {
      inbox.close()
    }
  }
}

function timedOut(connectMs: number): ClientError {
  return new ClientError('TIMED_OUT', `no connection within ${connectMs} ms`, { isRetryable: true })
}

/** What came over one WebSocket and was not taken yet. */
class Inbox {
  readonly opened: Promise<void>
  readonly #socket: ClientWebSocket
  #texts: string[] = []
  #characters = 0
  #end: { readonly failure: ClientError | null } | null = null
  #waiting: PromiseWithResolvers<void> | null = null

  constructor(socket: ClientWebSocket) {
    this.#socket = socket
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Whoever gave up waiting for it learns nothing from how it failed later.
    promise.catch(() => undefined)
    this.opened = promise
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('message', ({ data }) => this.#take(data))
    socket.addEventListener('error', () => {
      const failure = new ClientError('UNREACHABLE', 'the WebSocket failed', { isRetryable: true })
      reject(failure)
      this.#finish(failure)
    })
    socket.addEventListener('close', ({ code, reason }) => {
      reject(ended(`the node closed the WebSocket (${code}) before it was open`))
      this.#finish(ended(`the WebSocket was closed (${code}${reason === '' ? '' : `: ${reason}`})`))
    })
  }

  /** The next frame, as soon as there is one; null after a normal end. Throws what ended it. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const text = this.#texts.shift()
      if (text !== undefined) {
        this.#characters -= text.length
        return parseFrame(text)
      }
      if (this.#end !== null) {
        if (this.#end.failure !== null) throw this.#end.failure
        return null
      }
      this.#waiting ??= Promise.withResolvers()
      await this.#waiting.promise
    }
  }

  close(): void {
    this.#finish(null)
    this.#texts = []
    this.#socket.close()
  }

  #take(data: unknown): void {
    if (this.#end !== null) return
    if (typeof data !== 'string') return this.#finish(malformedAnswer('a frame that is no text'))
    this.#characters += data.length
    if (this.#characters > WAITING_CHARACTERS_MAX) {
      this.#finish(
        new ClientError('CONSUMER_TOO_SLOW', 'frames came faster than they were handled', { isRetryable: true })
      )
      return this.#socket.close()
    }
    this.#texts.push(data)
    this.#wake()
  }

  #finish(failure: ClientError | null): void {
    this.#end ??= { failure }
    this.#wake()
  }

  #wake(): void {
    this.#waiting?.resolve()
    this.#waiting = null
  }
}

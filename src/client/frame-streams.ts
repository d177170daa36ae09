import { frame as frameSchema } from '../api/frames.ts'
import type { Frame } from '../api/frames.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { ClientError, malformedAnswer } from './errors.ts'
import type { NodeHttp } from './node-http.ts'
import { parseAnswer, parseJson } from './node-http.ts'
import { Utf8 } from './read-bounded.ts'
import { SseOverflow, SseParser } from './sse-parser.ts'

/** What a subscription asks for. */
export interface SubscriptionQuery {
  readonly projection: string
  readonly namespace?: string
  readonly cursor?: string
}

/** One connection's frames in their order, until it ends or `ending` aborts; leaving it closes the connection. */
export type OpenFrames = (query: SubscriptionQuery, ending: AbortController) => AsyncIterable<Frame>

// The largest row is that of a batch with many announcements or losers, some hundred KiB.
export const FRAME_CHARACTERS_MAX = 4 * 1024 * 1024

const STREAM_MEDIA_TYPE = 'text/event-stream'

/** Frames by server-sent events over `fetch`. `idleMs`: how long nothing may come before the connection counts as dead. */
export function sseFrames(http: NodeHttp, idleMs: number): OpenFrames {
  return async function* (query, ending) {
    const request = { path: 'v1/subscribe', query: { ...query }, accept: STREAM_MEDIA_TYPE }
    const response = await http.open(request, ending)
    if (!(response.headers.get('content-type') ?? '').startsWith(STREAM_MEDIA_TYPE) || response.body === null)
      throw malformedAnswer(`the node answered a subscription with ${response.headers.get('content-type')}`)
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
    const [decoder, parser] = [new Utf8(), new SseParser(FRAME_CHARACTERS_MAX)]
    for (;;) {
      const silence = http.clock.after(idleMs, () => ending.abort(silent(idleMs)))
      const { done, value } = await readPiece(reader, ending.signal).finally(silence)
      if (done) return
      for (const { data } of messagesOf(parser, decoder.take(value))) yield parseFrame(data)
    }
  }
}

/** One frame as it is sent, of one message. Throws `ANSWER_MALFORMED`. */
export function parseFrame(text: string): Frame {
  return parseAnswer(frameSchema, parseJson(text))
}

/** Nothing came for so long that nobody can be there any more. */
export function silent(idleMs: number): ClientError {
  return new ClientError('STREAM_SILENT', `nothing came for ${idleMs} ms`, { isRetryable: true })
}

/** The connection broke, or was closed. */
export function ended(detail: string, cause?: unknown): ClientError {
  return new ClientError('STREAM_ENDED', detail, { isRetryable: true, ...(cause === undefined ? {} : { cause }) })
}

async function readPiece(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) {
  try {
    return await untilAborted(reader.read(), signal)
  } catch (error) {
    signal.throwIfAborted()
    throw ended('the connection broke', error)
  }
}

function messagesOf(parser: SseParser, text: string) {
  try {
    return parser.push(text)
  } catch (error) {
    if (error instanceof SseOverflow) throw new ClientError('ANSWER_TOO_LARGE', error.message, { cause: error })
    throw error
  }
}

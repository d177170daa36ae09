import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../platform/clock.ts'
import { BODY_BYTES_MAX } from './limits.ts'

// What is smaller has gone to the system's own buffers before anybody could read slowly.
const LARGE_ANSWER_BYTES = 64 * 1024
// The largest page is some 6 MiB of JSON: a line of 100 KiB/s takes it in this time.
const ANSWER_MS_MAX = 60_000

/**
 * Cuts off who takes a large answer a few bytes at a time. Call it when the answer is about to be sent. Streamed answers
 * have no end to wait for; the idle limit holds for them.
 */
export function limitAnswer(answer: ServerResponse, payload: unknown, clock: Clock): void {
  const isWhole = typeof payload === 'string' || payload instanceof Uint8Array
  if (!isWhole || payload.length < LARGE_ANSWER_BYTES) return
  const cancel = clock.after(ANSWER_MS_MAX, () => answer.destroy())
  answer.once('close', cancel)
}

/** Cuts off who sends the body of a request for longer than this. Call it before the body is read. */
export function limitBody(request: IncomingMessage, limitMs: number, clock: Clock): void {
  if (!isWithBody(request)) return
  const cancel = clock.after(limitMs, () => {
    if (!request.complete) request.destroy()
  })
  request.once('close', cancel)
  request.once('end', cancel)
}

/** Whether more of the request is to come. One without a body counts as complete, also while its header is handled. */
export function isBodyUnderWay(request: IncomingMessage): boolean {
  return !request.complete && isWithBody(request)
}

function isWithBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

/**
 * Reads and throws away the rest of a body whose sender is to be told why it was refused: who sends on without reading
 * would see a reset connection and no answer. It ends with as much as the largest body that is taken.
 */
export function discardRest(body: IncomingMessage): void {
  let left = BODY_BYTES_MAX
  body.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) body.destroy()
  })
  body.resume()
}

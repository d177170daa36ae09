import { Readable } from 'node:stream'
import type { ProgressListener } from '../operations.ts'
import type { Clock } from '../platform/clock.ts'
import type { Problem } from './errors.ts'
import { HEARTBEAT_MS, PROGRESS_EVERY_MS } from './limits.ts'
import { lineOf } from './lines.ts'

/** What an answer that is streamed needs to know of its request. */
export interface StreamContext {
  readonly clock: Clock
  /** Aborts when nobody reads the answer any more, or when it has to end. */
  readonly signal: AbortSignal
  /** Logs a failure and says what to tell the client of it. */
  readonly describe: (error: unknown) => Problem
}

/**
 * An answer of lines, for `reply.send`. A failure before the first line becomes an error answer with its status; the
 * header is gone after that, and the failure is the last line, `{"error": …}`. A stream that is silent sends blank
 * lines.
 */
export function lineStream(lines: AsyncGenerator<string>, context: StreamContext): Readable {
  return Readable.from(withLastLine(withHeartbeats(lines, context), context))
}

/** An answer of bytes, for `reply.send`. A failure after the first byte cuts it off, which its reader can tell. */
export function byteStream(chunks: AsyncIterable<Uint8Array>, context: StreamContext): Readable {
  return Readable.from(untilFailure(chunks, context))
}

/** Each value as a line. */
export async function* linesOf(values: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const value of values) yield lineOf(value)
}

/**
 * Long work as lines: `{"progress": …}` now and then, at last `{"result": …}`. The work goes on to its end even when
 * nobody reads them.
 */
export async function* workLines<Result>(
  run: (onProgress: ProgressListener) => Promise<Result>,
  clock: Clock
): AsyncGenerator<string> {
  const bell = new Bell()
  const shown: { at: number; waiting: Parameters<ProgressListener>[0] | null } = { at: -Infinity, waiting: null }
  const work = track(
    run((progress) => {
      const now = clock.monotonicMs()
      if (now - shown.at < PROGRESS_EVERY_MS) return
      shown.at = now
      shown.waiting = progress
      bell.ring()
    }),
    () => bell.ring()
  )
  while (work.settled === null) {
    await bell.rung()
    if (shown.waiting !== null) {
      const line = lineOf({ progress: shown.waiting })
      shown.waiting = null
      yield line
    }
  }
  if (!work.settled.ok) throw work.settled.error
  yield lineOf({ result: work.settled.value })
}

async function* withHeartbeats(lines: AsyncGenerator<string>, context: StreamContext): AsyncGenerator<string> {
  const { clock, signal, describe } = context
  const bell = new Bell()
  const ring = (): void => bell.ring()
  signal.addEventListener('abort', ring, { once: true })
  try {
    while (!signal.aborted) {
      const next = track(lines.next(), (failure) => {
        bell.ring()
        // Nobody is there to be told.
        if (failure !== null && signal.aborted) describe(failure.error)
      })
      while (next.settled === null && !signal.aborted) {
        const cancel = clock.after(HEARTBEAT_MS, ring)
        await bell.rung()
        cancel()
        if (next.settled === null && !signal.aborted) yield '\n'
      }
      if (next.settled === null) return
      if (!next.settled.ok) throw next.settled.error
      if (next.settled.value.done === true) return
      yield next.settled.value.value
    }
  } finally {
    signal.removeEventListener('abort', ring)
    // Not awaited: what waits for long work, or for a reader's next byte, returns only after that.
    track(lines.return(undefined), (failure) => {
      if (failure !== null) describe(failure.error)
    })
  }
}

async function* withLastLine(lines: AsyncGenerator<string>, context: StreamContext): AsyncGenerator<string> {
  const { signal, describe } = context
  let begun = false
  try {
    for await (const line of lines) {
      begun = true
      yield line
    }
  } catch (error) {
    if (!begun) throw error
    const described = describe(error)
    if (!signal.aborted) yield lineOf({ error: described })
  }
}

async function* untilFailure(
  chunks: AsyncIterable<Uint8Array>,
  { describe }: StreamContext
): AsyncGenerator<Uint8Array> {
  let begun = false
  try {
    for await (const chunk of chunks) {
      begun = true
      yield chunk
    }
  } catch (error) {
    if (begun) describe(error)
    throw error
  }
}

/** What somebody waits for and others bring about, any number of times. */
class Bell {
  #next = Promise.withResolvers<void>()

  ring(): void {
    this.#next.resolve()
  }

  /** Resolves once it has rung since the last time that this resolved. */
  async rung(): Promise<void> {
    await this.#next.promise
    this.#next = Promise.withResolvers()
  }
}

type Settled<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: unknown }

/** A promise whose state can be looked at. Unlike with `Promise.race`, waiting often leaves nothing behind on it. */
function track<Value>(
  promise: Promise<Value>,
  onSettled: (failure: { readonly error: unknown } | null) => void
): { readonly settled: Settled<Value> | null } {
  const state: { settled: Settled<Value> | null } = { settled: null }
  promise.then(
    (value) => {
      state.settled = { ok: true, value }
      onSettled(null)
    },
    (error: unknown) => {
      state.settled = { ok: false, error }
      onSettled({ error })
    }
  )
  return state
}

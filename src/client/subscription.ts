import { FrameSequence, isTerminal } from '../../protocols/subscription/v1/sequence.ts'
import type { Frame } from '../api/frames.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { CursorStore } from './cursor-store.ts'
import { ClientError, malformedAnswer } from './errors.ts'
import { ended } from './frame-streams.ts'
import type { OpenFrames } from './frame-streams.ts'
import { retryDelay } from './retry-delay.ts'
import type { RetryOptions } from './retry-delay.ts'

/** Why what a subscriber knows is no longer what the node can go on from. */
export type GapCode = 'CURSOR_TOO_OLD' | 'CURSOR_FOREIGN' | 'CURSOR_FUTURE'

/** What a subscriber handles. */
export type Update =
  | Extract<Frame, { readonly frame: 'snapshot' | 'change' | 'winner-changed' | 'caught-up' }>
  /**
   * Made by the client, with `onGap: 'snapshot'`: what was known before is void, and all rows follow as they are now. A
   * row that does not come again is gone.
   */
  | { readonly frame: 'reset'; readonly code: GapCode; readonly cursor: null; readonly logSeq: number | null }

/** How a subscription stands, for whoever shows it. */
export type SubscriptionState =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  | { readonly state: 'waiting'; readonly delayMs: number; readonly attempt: number; readonly error: ClientError }

export interface SubscriptionOptions {
  readonly projection: string
  readonly namespace?: string
  /** Where to begin, instead of what `cursorStore` has; without either, with all rows. */
  readonly cursor?: string
  readonly cursorStore?: CursorStore
  /**
   * When the node can't go on from the cursor (too old, of before a restore, or beyond what a restored log holds): fail
   * with its code, or begin again with all rows after a `reset`. Default `throw`.
   */
  readonly onGap?: 'throw' | 'snapshot'
  readonly retry?: RetryOptions
  /** Told of every change of state; must not throw. */
  readonly onState?: (state: SubscriptionState) => void
  readonly signal?: AbortSignal
}

export interface SubscriptionPorts {
  readonly open: OpenFrames
  readonly clock: Clock
  readonly random: Random
}

/** The terminal frames, and refusals of the same name before a stream begins, that mean a gap. */
const GAPS: ReadonlyMap<string, GapCode> = new Map([
  ['cursor-too-old', 'CURSOR_TOO_OLD'],
  ['cursor-foreign', 'CURSOR_FOREIGN'],
  ['cursor-future', 'CURSOR_FUTURE'],
  ['CURSOR_TOO_OLD', 'CURSOR_TOO_OLD'],
  ['CURSOR_FOREIGN', 'CURSOR_FOREIGN'],
  ['CURSOR_FUTURE', 'CURSOR_FUTURE']
])

/**
 * The updates of a projection, for as long as they are taken, over as many connections as that needs. The cursor of an
 * update counts, for the next connection and for `cursorStore`, once the next one is asked for: so whoever handles each
 * before it asks on handles each at least once, in order, also when it dies in between. Throws `ClientError`, the reason
 * of `signal`, and what `cursorStore` throws.
 */
export async function* followProjection(
  options: SubscriptionOptions,
  { open, clock, random }: SubscriptionPorts
): AsyncGenerator<Update, never> {
  const { projection, namespace, cursorStore, onGap = 'throw', retry = {}, signal, onState } = options
  const place = new Place(cursorStore, options.cursor ?? (await cursorStore?.load()) ?? null)
  let attempt = 0
  for (;;) {
    signal?.throwIfAborted()
    onState?.({ state: 'connecting' })
    const connection = new Connection(open, {
      projection,
      ...(namespace === undefined ? {} : { namespace }),
      ...(place.cursor === null ? {} : { cursor: place.cursor })
    })
    const stop = (): void => connection.abort(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true })
    let failure: ClientError | null = null
    try {
      for (let isFirst = true; failure === null; isFirst = false) {
        const next = await connection.next()
        signal?.throwIfAborted()
        if (next instanceof ClientError) {
          failure = next
          continue
        }
        failure = failureOf(next)
        if (failure !== null) continue
        if (isFirst) onState?.({ state: 'open' })
        attempt = 0
        if (isUpdate(next)) yield next
        await place.reach(next.cursor)
      }
    } finally {
      signal?.removeEventListener('abort', stop)
      await connection.close()
    }
    signal?.throwIfAborted()
    const gap = GAPS.get(failure.code)
    const beginsAgain = gap !== undefined && place.cursor !== null && onGap === 'snapshot'
    attempt += 1
    if (!(failure.isRetryable || beginsAgain) || attempt > (retry.attemptsMax ?? Infinity)) throw failure
    if (beginsAgain) {
      place.void()
      yield { frame: 'reset', code: gap, cursor: null, logSeq: null }
    }
    const delayMs = retryDelay(attempt, failure.retryAfterMs, retry, random)
    onState?.({ state: 'waiting', delayMs, attempt, error: failure })
    await clock.sleep(delayMs, signal)
  }
}

/** How far the subscriber is. */
class Place {
  cursor: string | null
  readonly #store: CursorStore | undefined

  constructor(store: CursorStore | undefined, cursor: string | null) {
    this.#store = store
    this.cursor = cursor
  }

  /** What came before the cursor is handled. */
  async reach(cursor: string | null): Promise<void> {
    // A frame in the middle of a position repeats the cursor before it.
    if (cursor === null || cursor === this.cursor) return
    await this.#store?.save(cursor)
    this.cursor = cursor
  }

  void(): void {
    this.cursor = null
  }
}

/** One connection's frames, where what ends it is an answer and no exception. */
class Connection {
  readonly #ending = new AbortController()
  readonly #frames: AsyncIterator<Frame>
  readonly #sequence: FrameSequence

  constructor(open: OpenFrames, query: Parameters<OpenFrames>[0]) {
    this.#sequence = new FrameSequence({ hasCursor: query.cursor !== undefined })
    this.#frames = open(query, this.#ending)[Symbol.asyncIterator]()
  }

  /** Throws what is no failure of the connection: a defect, or the reason that `abort` was given. */
  async next(): Promise<Frame | ClientError> {
    try {
      const next = await this.#frames.next()
      if (next.done === true) return ended('the node ended the stream')
      // [REJECT] SU-2 to SU-6, SU-9. Whatever comes in its place, the end is the end.
      const broken = isTerminal(next.value) ? null : this.#sequence.take(next.value)
      return broken === null ? next.value : malformedAnswer(`a ${next.value.frame} frame breaks ${broken}`)
    } catch (error) {
      if (error instanceof ClientError) return error
      throw error
    }
  }

  abort(reason?: unknown): void {
    this.#ending.abort(reason)
  }

  async close(): Promise<void> {
    this.abort()
    await this.#frames.return?.()
  }
}

/** What a terminal frame says, or null for any other. */
function failureOf(frame: Frame): ClientError | null {
  switch (frame.frame) {
    case 'error':
      return new ClientError(frame.code, frame.detail, { isRetryable: frame.retryable, ...oldestOf(frame) })
    case 'consumer-too-slow':
      return new ClientError('CONSUMER_TOO_SLOW', frame.detail, { isRetryable: true })
    case 'cursor-too-old':
    case 'cursor-foreign':
    case 'cursor-future':
      return new ClientError(GAPS.get(frame.frame) ?? frame.frame, frame.detail, oldestOf(frame))
    default:
      return null
  }
}

function oldestOf({ oldest }: { readonly oldest?: number }): { readonly oldest?: number } {
  return oldest === undefined ? {} : { oldest }
}

function isUpdate(frame: Frame): frame is Exclude<Update, { readonly frame: 'reset' }> {
  return frame.frame !== 'checkpoint' && frame.frame !== 'keep-alive'
}

import { z } from 'zod'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { ClientError, malformedAnswer } from './errors.ts'
import { requireUsableUrl } from './node-url.ts'
import { readBounded } from './read-bounded.ts'

/** What a client needs of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Of every call. */
export interface CallOptions {
  /** Ends the call, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
  /** For the whole answer, milliseconds. Default 30,000. */
  readonly timeoutMs?: number
}

export interface NodeHttpOptions {
  readonly url: string
  readonly token?: string
  readonly fetch: Fetch
  readonly clock: Clock
  readonly timeoutMs: number
}

/** A request to the node; parameters that are undefined are left out. */
export interface NodeRequest {
  /** Without a slash at the beginning. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON by POST. */
  readonly body?: unknown
  /** JSON that is sent by POST as it stands. */
  readonly text?: string
  /** Without a body the default is GET. */
  readonly method?: 'POST'
  readonly accept?: string
}

/** How an answer is read. `statuses`: which besides 200 to 299 it is for. */
export interface AnswerReading<Answer> {
  readonly bytesMax: number
  readonly statuses?: readonly number[]
  readonly read: (text: string, response: Response) => Answer
}

const PROBLEM_MEDIA_TYPE = 'application/problem+json'
// A problem says a sentence or two; a configuration's whole list of them would still fit.
const PROBLEM_BYTES_MAX = 262_144

/** The parts of a problem that a client goes by (RFC 9457 and CONTRACT, section 4). */
const problem = z.object({
  code: z.string(),
  detail: z.string(),
  requestId: z.string().exactOptional(),
  hint: z.string().exactOptional(),
  oldest: z.number().exactOptional(),
  data: z.record(z.string(), z.unknown()).exactOptional()
})

/** Calls one node over HTTP: within a time, up to a size, without following redirects. */
export class NodeHttp {
  /** With a slash at the end. */
  readonly base: string
  readonly clock: Clock
  readonly #options: NodeHttpOptions

  /** Throws `URL_INVALID`. */
  constructor(options: NodeHttpOptions) {
    this.base = requireUsableUrl(options.url, options.token !== undefined)
    this.clock = options.clock
    this.#options = options
  }

  /** Whether calls carry a token. */
  get hasToken(): boolean {
    return this.#options.token !== undefined
  }

  /** The whole answer to a request. Throws `ClientError`, or the reason of `signal`. */
  async call<Answer>(request: NodeRequest, reading: AnswerReading<Answer>, options: CallOptions = {}): Promise<Answer> {
    const { timeoutMs = this.#options.timeoutMs, signal } = options
    return await this.#within(timeoutMs, signal, async (ending) => {
      const response = await this.#fetch(request, ending.signal)
      if (!response.ok && reading.statuses?.includes(response.status) !== true)
        throw await this.#failureOf(response, ending.signal)
      return reading.read(await readBounded(response, reading.bytesMax, ending.signal), response)
    })
  }

  /**
   * Opens an answer that goes on for as long as `ending` lasts; only its head has to come within the time. Throws as
   * `call` does.
   */
  async open(request: NodeRequest, ending: AbortController): Promise<Response> {
    return await this.#timed(this.#options.timeoutMs, ending, async () => {
      const response = await this.#fetch(request, ending.signal)
      if (!response.ok) throw await this.#failureOf(response, ending.signal)
      return response
    })
  }

  async #within<Answer>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    run: (ending: AbortController) => Promise<Answer>
  ): Promise<Answer> {
    const ending = new AbortController()
    const onAbort = (): void => ending.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    try {
      return await this.#timed(timeoutMs, ending, () => run(ending))
    } finally {
      signal?.removeEventListener('abort', onAbort)
      // Ends what may still come of an answer that was given up.
      ending.abort()
    }
  }

  async #timed<Answer>(timeoutMs: number, ending: AbortController, run: () => Promise<Answer>): Promise<Answer> {
    const cancel = this.clock.after(timeoutMs, () => {
      ending.abort(new ClientError('TIMED_OUT', `no answer within ${timeoutMs} ms`, { isRetryable: true }))
    })
    try {
      return await run()
    } catch (error) {
      ending.signal.throwIfAborted()
      if (error instanceof ClientError) throw error
      throw new ClientError('UNREACHABLE', `${this.base} could not be asked: ${causeOf(error)}`, {
        isRetryable: true,
        hint: 'Is the node running, and is this its address? Redirects are not followed.',
        cause: error
      })
    } finally {
      cancel()
    }
  }

  async #fetch(
    { path, query = {}, body, text, method, accept = 'application/json' }: NodeRequest,
    signal: AbortSignal
  ) {
    signal.throwIfAborted()
    const content = text ?? (body === undefined ? undefined : JSON.stringify(body))
    const { token, fetch } = this.#options
    const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
    const parameters = new URLSearchParams(given as [string, string][]).toString()
    const asked = fetch(`${this.base}${path}${parameters === '' ? '' : `?${parameters}`}`, {
      method: method ?? (content === undefined ? 'GET' : 'POST'),
      headers: {
        accept,
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      },
      ...(content === undefined ? {} : { body: content }),
      redirect: 'error',
      credentials: 'omit',
      cache: 'no-store',
      signal
    })
    return await untilAborted(asked, signal)
  }

  async #failureOf(response: Response, signal: AbortSignal): Promise<ClientError> {
    const { status } = response
    const retryAfterMs = this.#retryAfter(response)
    const details = {
      status,
      isRetryable: status === 408 || status === 429 || status >= 500,
      ...(retryAfterMs === null ? {} : { retryAfterMs })
    }
    if (!(response.headers.get('content-type') ?? '').startsWith(PROBLEM_MEDIA_TYPE))
      return malformedAnswer(`the answer has the status ${status} and is no problem document`, details)
    const parsed = problem.safeParse(parseJson(await readBounded(response, PROBLEM_BYTES_MAX, signal)))
    if (!parsed.success) return malformedAnswer(`the problem with the status ${status} has another form`, details)
    const { code, detail, ...rest } = parsed.data
    return new ClientError(code, detail, { ...details, ...rest })
  }

  /** Seconds, or a date (RFC 9110, section 10.2.3). */
  #retryAfter(response: Response): number | null {
    const value = response.headers.get('retry-after')
    if (value === null) return null
    if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
    const at = Date.parse(value)
    return Number.isNaN(at) ? null : Math.max(0, at - this.clock.now())
  }
}

/** An answer of JSON that has the form of `schema`. */
export function jsonAnswer<Answer>(schema: z.ZodType<Answer>): AnswerReading<Answer>['read'] {
  return (text) => parseAnswer(schema, parseJson(text))
}

/** What a schema makes of a value. Throws `ANSWER_MALFORMED`, with where it differs. */
export function parseAnswer<Answer>(schema: z.ZodType<Answer>, value: unknown): Answer {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue === undefined || issue.path.length === 0 ? 'the answer' : issue.path.join('.')
  throw malformedAnswer(`${place}: ${issue?.message ?? 'has another form'}`)
}

/** Throws `ANSWER_MALFORMED`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw malformedAnswer(`no JSON: ${messageOf(error)}`, { cause: error })
  }
}

/** `fetch` says no more than that it failed; why stands in the cause, where a runtime gives one. */
function causeOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown }
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`
}

import { concat } from '../../../protocols/primitives/bytes.ts'
import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import type { ProviderAnswer, ProviderFailure } from '../provider.ts'
import type { ProviderHealth, UnreachableCode } from '../verifier.ts'

// Public APIs cut clients off that ask for more at once; a node of one's own answers four in a few milliseconds.
const REQUESTS_AT_ONCE = 4
// Who waits longer for a turn at a slow provider is tried again later, by the worker's own backoff.
const WAITING_MAX = 256
// A header, a receipt, a proof have some KiB. A block with the hashes of its transactions has at most 2 MiB.
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
// A busy public API answers within seconds.
const ANSWER_MS_MAX = 10_000
// After a failure nobody is asked for a moment: what is queued would fail in the same way, one time limit after another.
const COOL_DOWN_MS = 2_000
// Of `Retry-After`: a provider may ask for more, but not that it is never asked again.
const RETRY_AFTER_MS_MAX = 60 * 60_000

// Words of a provider are quoted for operators: a sentence or two.
const DETAIL_CHARS_MAX = 400
// Keys of accounts have 20 characters or more; shorter parts of an address name versions and networks, as `v2`.
const KEY_CHARS_MIN = 16

export interface HttpExchange {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

export interface HttpReply {
  readonly status: number
  /** Lower case, without parameters; empty where there is none. */
  readonly mediaType: string
  readonly body: Uint8Array
}

/**
 * Requests to one provider, with its limits: a few at once, a time and a size limit each, none for a while after a
 * failure or as long as it asks for. Redirects are not followed: a provider is where the configuration says it is.
 */
export class ProviderHttp {
  readonly name: string
  readonly #clock: Clock
  readonly #secrets: readonly string[]
  #running = 0
  readonly #waiting: (() => void)[] = []
  #cooling: { readonly untilMs: number; readonly failure: ProviderFailure } | null = null
  #asked = 0
  #failed = 0
  #failure: ProviderHealth['failure'] = null
  #failingSince: number | null = null

  /**
   * `name` is the host, as shown to operators; it must hold no credentials. `address` is the URL as it was configured:
   * what in it can be a key is left out of what failures say, because providers repeat it in their messages.
   */
  constructor(name: string, clock: Clock, address?: string) {
    this.name = name
    this.#clock = clock
    this.#secrets = address === undefined ? [] : secretsIn(address)
  }

  get health(): ProviderHealth {
    return { name: this.name, asked: this.#asked, failed: this.#failed, failure: this.#failure }
  }

  /**
   * Any status but 429 and 5xx is an answer (`ok`), for the caller to read. Rejects only when `signal` aborts.
   */
  async exchange(request: HttpExchange, signal: AbortSignal): Promise<ProviderAnswer<HttpReply>> {
    signal.throwIfAborted()
    if (this.#waiting.length >= WAITING_MAX) return this.failure('PROVIDER_LIMITED', 'has too many requests waiting')
    await this.#turn(signal)
    try {
      signal.throwIfAborted()
      const restMs = this.#cooling === null ? 0 : this.#cooling.untilMs - this.#clock.monotonicMs()
      if (this.#cooling !== null && restMs > 0) return { ...this.#cooling.failure, retryAfterMs: Math.ceil(restMs) }
      this.#asked += 1
      // Only now: what a client finds wrong in an answer is a failure, too, and goes on with the row of them.
      if (this.#failure === null) this.#failingSince = null
      const reply = await this.#send(request, signal)
      if (reply.ok) this.#failure = null
      return reply
    } finally {
      this.#running -= 1
      this.#waiting.shift()?.()
    }
  }

  /** A failure of this provider, also for what its clients find wrong in an answer; counted for `health`. */
  failure(code: UnreachableCode, what: string, retryAfterMs = 0): ProviderFailure {
    const detail = `${this.name} ${this.shown(what)}`
    this.#failed += 1
    const at = this.#clock.now()
    this.#failingSince ??= at
    this.#failure = { code, detail, at, since: this.#failingSince }
    return { ok: false, code, detail, retryAfterMs }
  }

  /**
   * Words of the provider without keys and what could steer a terminal, cut off: it may say anything, and that ends in
   * logs and on screens.
   */
  shown(what: string): string {
    const text = this.#secrets.reduce((shown, secret) => shown.replaceAll(secret, '…'), what)
    return text.replaceAll(/\p{C}/gu, '?').slice(0, DETAIL_CHARS_MAX).toWellFormed()
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#running < REQUESTS_AT_ONCE) {
      this.#running += 1
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const next = (): void => {
      this.#running += 1
      resolve()
    }
    this.#waiting.push(next)
    try {
      await untilAborted(promise, signal)
    } catch (error) {
      const at = this.#waiting.indexOf(next)
      if (at >= 0) this.#waiting.splice(at, 1)
      else {
        // The turn had come already.
        this.#running -= 1
        this.#waiting.shift()?.()
      }
      throw error
    }
  }

  async #send(request: HttpExchange, signal: AbortSignal): Promise<ProviderAnswer<HttpReply>> {
    const exchange = new AbortController()
    const cancelLimit = this.#clock.after(ANSWER_MS_MAX, () => exchange.abort())
    const abort = (): void => exchange.abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const response = await fetch(request.url, {
        method: request.method,
        redirect: 'manual',
        signal: exchange.signal,
        ...(request.headers === undefined ? {} : { headers: { ...request.headers } }),
        ...(request.body === undefined ? {} : { body: request.body })
      })
      return await this.#read(response)
    } catch (error) {
      signal.throwIfAborted()
      return exchange.signal.aborted
        ? this.#rest('PROVIDER_TIMEOUT', `gave no whole answer within ${ANSWER_MS_MAX} ms`)
        : // The address itself may hold a key.
          this.#rest('PROVIDER_UNREACHABLE', `could not be reached: ${reasonOf(error).replaceAll(request.url, 'URL')}`)
    } finally {
      cancelLimit()
      signal.removeEventListener('abort', abort)
      // Closes the connection of an answer that was not read to its end; does nothing to one that was.
      exchange.abort()
    }
  }

  async #read(response: Response): Promise<ProviderAnswer<HttpReply>> {
    const { status } = response
    // RFC 6585 4 and RFC 9110 15.6.4: both may say when to come back.
    const askedMs = askedMsOf(response.headers.get('retry-after'), this.#clock)
    if (status === 429) return this.#rest('PROVIDER_LIMITED', 'asks for fewer requests (HTTP status 429)', askedMs)
    if (status >= 500) return this.#rest('PROVIDER_UNREACHABLE', `answered with HTTP status ${status}`, askedMs)
    const chunks: Uint8Array[] = []
    let length = 0
    const body: AsyncIterable<Uint8Array> | null = response.body
    for await (const chunk of body ?? []) {
      length += chunk.length
      if (length > ANSWER_BYTES_MAX)
        return this.failure('PROVIDER_MALFORMED', `answered with more than ${ANSWER_BYTES_MAX} bytes`)
      chunks.push(chunk)
    }
    const mediaType = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
    return { ok: true, value: { status, mediaType, body: concat(...chunks) } }
  }

  #rest(code: UnreachableCode, what: string, askedMs = 0): ProviderFailure {
    const restMs = Math.max(COOL_DOWN_MS, askedMs)
    const failure = this.failure(code, what, askedMs === 0 ? 0 : restMs)
    this.#cooling = { untilMs: this.#clock.monotonicMs() + restMs, failure }
    return failure
  }
}

function secretsIn(address: string): readonly string[] {
  const { password, pathname, searchParams } = new URL(address)
  const keys = [...pathname.split('/'), ...searchParams.values()].filter((part) => part.length >= KEY_CHARS_MIN)
  return password === '' ? keys : [password, ...keys]
}

/** RFC 9110 10.2.3: seconds, or a date. */
function askedMsOf(header: string | null, clock: Clock): number {
  if (header === null) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now()
  return Number.isFinite(ms) ? Math.min(RETRY_AFTER_MS_MAX, Math.max(0, ms)) : 0
}

/** `fetch` fails with "fetch failed" and keeps the reason in the cause. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
}

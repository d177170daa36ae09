import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { bytesOfQuantity } from '../../../protocols/evm-evidence/v1/hex-values.ts'
import { toHex } from '../../../protocols/primitives/bytes.ts'
import type { Clock } from '../../platform/clock.ts'
import type { ProviderAnswer, ProviderFailure } from '../provider.ts'
import { jsonOfAnswer } from './json-answer.ts'
import { ProviderHttp } from './provider-http.ts'
import type { ProviderHealth } from '../verifier.ts'
import type { HttpReply } from './provider-http.ts'
import { urlCredentials } from '../../policy/url-credentials.ts'

export interface RpcCall {
  readonly method: string
  readonly params: readonly JsonValue[]
}

/** What became of one call. */
export type RpcOutcome =
  | { readonly ok: true; readonly result: JsonValue }
  /** `message` is the node's own, fit to be shown. */
  | { readonly ok: false; readonly code: number; readonly message: string }

/** Of a failed call, for details: nodes put whole stack traces into their messages. */
const MESSAGE_CHARACTERS_MAX = 200
/** EIP-1474 "limit exceeded", and what some services take from HTTP. */
const LIMIT_CODES: ReadonlySet<number> = new Set([-32_005, 429])
// Such limits count requests over seconds.
const LIMITED_MS = 10_000
// A URL is pointed to another chain by people, when they set something up again.
const CHAIN_CHECKED_MS = 10 * 60_000
// EIP-155 leaves it open; 256 bits is what a contract can be told.
const CHAIN_ID_BYTES_MAX = 32

/**
 * JSON-RPC 2.0 with one node of an EVM chain: several calls in one batch, or one by one where the node takes no batches.
 * Makes sure from time to time that the node is one of the chain.
 */
export class EvmJsonRpc {
  readonly #http: ProviderHttp
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #chainIdHex: string
  readonly #clock: Clock
  #takesBatches = true
  #nextId = 1
  #chainCheckedAtMs = Number.NEGATIVE_INFINITY

  /** `chainId` is `eip155:<chain id>`. A user name and a password in the URL are sent as HTTP's basic credentials. */
  constructor(chainId: string, url: string, clock: Clock) {
    const address = new URL(url)
    const given = urlCredentials(address)
    if (given === null) throw new RangeError(`the credentials for ${address.host} are no text`)
    const credentials = `${given.user}:${given.password}`
    this.#headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` })
    }
    address.username = ''
    address.password = ''
    this.#url = address.href
    // Paths and queries hold the keys of accounts.
    this.#http = new ProviderHttp(address.host, clock, url)
    this.#chainIdHex = BigInt(chainId.slice('eip155:'.length)).toString(16)
    this.#clock = clock
  }

  /** Host, without credentials. */
  get name(): string {
    return this.#http.name
  }

  get health(): ProviderHealth {
    return this.#http.health
  }

  /** A failure of this node, for what its callers find wrong in results. */
  failure(code: 'PROVIDER_MALFORMED' | 'PROVIDER_UNREACHABLE' | 'PROVIDER_CHAIN', what: string): ProviderFailure {
    return this.#http.failure(code, what)
  }

  /** The outcomes, in the order of the calls. A node of another chain is a failure. Rejects only when `signal` aborts. */
  async ask<const Calls extends readonly RpcCall[]>(
    calls: Calls,
    signal: AbortSignal
  ): Promise<ProviderAnswer<{ readonly [Index in keyof Calls]: RpcOutcome }>> {
    const now = this.#clock.monotonicMs()
    const checksChain = now >= this.#chainCheckedAtMs + CHAIN_CHECKED_MS
    const all = checksChain ? [{ method: 'eth_chainId', params: [] }, ...calls] : calls
    const answer = await this.#askAll(all, signal)
    if (!answer.ok) return answer
    const [chain] = answer.value
    if (checksChain && chain !== undefined) {
      const wrong = this.#chainFailure(chain)
      if (wrong !== null) return wrong
      this.#chainCheckedAtMs = now
    }
    // As many as there are calls, by construction.
    const outcomes = answer.value.slice(all.length - calls.length) as unknown as {
      readonly [Index in keyof Calls]: RpcOutcome
    }
    return { ok: true, value: outcomes }
  }

  #chainFailure(outcome: RpcOutcome): ProviderFailure | null {
    if (!outcome.ok) return this.failure('PROVIDER_UNREACHABLE', `refused eth_chainId: ${outcome.message}`)
    const chainId = bytesOfQuantity(outcome.result, CHAIN_ID_BYTES_MAX)
    if (chainId === null) return this.failure('PROVIDER_MALFORMED', 'answered with no chain id')
    const found = toHex(chainId).replace(/^0/, '')
    return found === this.#chainIdHex
      ? null
      : this.failure('PROVIDER_CHAIN', `is of chain ${BigInt(`0x${found || '0'}`)}`)
  }

  async #askAll(calls: readonly RpcCall[], signal: AbortSignal): Promise<ProviderAnswer<readonly RpcOutcome[]>> {
    if (this.#takesBatches && calls.length > 1) {
      const answer = await this.#batch(calls, signal)
      if (answer !== 'refused') return answer
      this.#takesBatches = false
    }
    const answers = await Promise.all(calls.map((call) => this.#single(call, signal)))
    const failed = answers.find((answer) => !answer.ok)
    return failed ?? { ok: true, value: answers.flatMap((answer) => (answer.ok ? [answer.value] : [])) }
  }

  async #batch(
    calls: readonly RpcCall[],
    signal: AbortSignal
  ): Promise<ProviderAnswer<readonly RpcOutcome[]> | 'refused'> {
    const requests = calls.map((call) => this.#request(call))
    const reply = await this.#post(requests, signal)
    if (!reply.ok) return reply
    const body = jsonOfAnswer(reply.value.body)
    if (isJsonObject(body) && isJsonObject(body['error'])) return this.#limit(errorOf(body['error'])) ?? 'refused'
    if (isRefusal(reply.value.status)) return 'refused'
    const failure = this.#statusFailure(reply.value)
    if (failure !== null) return failure
    if (!Array.isArray(body)) return this.failure('PROVIDER_MALFORMED', 'answered a batch with no list')
    const responses: readonly JsonValue[] = body
    const outcomes: RpcOutcome[] = []
    for (const { id } of requests) {
      const own = responses.filter((response) => isJsonObject(response) && response['id'] === id)
      const outcome = own.length === 1 ? this.#outcomeOf(own[0], id) : null
      if (outcome === null) return this.failure('PROVIDER_MALFORMED', 'answered a batch with other responses')
      outcomes.push(outcome)
    }
    return this.#limitIn(outcomes) ?? { ok: true, value: outcomes }
  }

  async #single(call: RpcCall, signal: AbortSignal): Promise<ProviderAnswer<RpcOutcome>> {
    const request = this.#request(call)
    const reply = await this.#post(request, signal)
    if (!reply.ok) return reply
    const body = jsonOfAnswer(reply.value.body)
    const outcome = this.#outcomeOf(body, request.id)
    // Some send the error object with a status to match.
    if (outcome !== null && (!outcome.ok || reply.value.status === 200))
      return this.#limitIn([outcome]) ?? { ok: true, value: outcome }
    return (
      this.#statusFailure(reply.value) ??
      this.failure('PROVIDER_MALFORMED', `answered ${call.method} with no response of JSON-RPC`)
    )
  }

  #request({ method, params }: RpcCall): JsonObject & { readonly id: number } {
    const id = this.#nextId
    this.#nextId += 1
    return { jsonrpc: '2.0', id, method, params }
  }

  #post(body: JsonValue, signal: AbortSignal): Promise<ProviderAnswer<HttpReply>> {
    const request = { url: this.#url, method: 'POST', headers: this.#headers, body: JSON.stringify(body) } as const
    return this.#http.exchange(request, signal)
  }

  #outcomeOf(response: JsonValue | undefined, id: number): RpcOutcome | null {
    const outcome = outcomeOf(response, id)
    return outcome === null || outcome.ok ? outcome : { ...outcome, message: this.#http.shown(outcome.message) }
  }

  #statusFailure({ status }: HttpReply): ProviderFailure | null {
    return status === 200 ? null : this.failure('PROVIDER_UNREACHABLE', `answered with HTTP status ${status}`)
  }

  #limitIn(outcomes: readonly RpcOutcome[]): ProviderFailure | null {
    return outcomes.map((outcome) => this.#limit(outcome)).find((failure) => failure !== null) ?? null
  }

  #limit(outcome: RpcOutcome | null): ProviderFailure | null {
    return outcome !== null && !outcome.ok && LIMIT_CODES.has(outcome.code)
      ? this.#http.failure('PROVIDER_LIMITED', `asks for fewer requests (${outcome.message})`, LIMITED_MS)
      : null
  }
}

/** Statuses with which servers answer that cannot read a batch; the others speak of the client. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403].includes(status)
}

/** JSON-RPC 2.0 section 5; null for what is no response to the request with that id. */
function outcomeOf(response: JsonValue | undefined, id: number): RpcOutcome | null {
  if (!isJsonObject(response) || response['jsonrpc'] !== '2.0' || response['id'] !== id) return null
  const { result, error } = response
  // Some write a member that is `null` beside the one that counts.
  if (isJsonObject(error)) return result === undefined || result === null ? errorOf(error) : null
  return result === undefined || (error !== undefined && error !== null) ? null : { ok: true, result }
}

function errorOf({ code, message }: JsonObject): RpcOutcome | null {
  if (typeof code !== 'number') return null
  const text = typeof message === 'string' ? message.slice(0, MESSAGE_CHARACTERS_MAX) : 'without a message'
  return { ok: false, code, message: `${text} (${code})` }
}

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import type { Clock } from '../../platform/clock.ts'
import { errnoOf } from '../../platform/atomic-file.ts'
import type { BitcoinProviderAddress } from '../../policy/bitcoin-provider.ts'
import type { ProviderAnswer, ProviderFailure } from '../provider.ts'
import { BITCOIN_NETWORKS } from './bitcoin-networks.ts'
import { jsonOfAnswer } from './json-answer.ts'
import { ProviderHttp } from './provider-http.ts'
import type { HttpReply } from './provider-http.ts'

/** Where a Bitcoin Core node, or one of its wallets, can be asked. */
export type BitcoinCoreAddress = Extract<BitcoinProviderAddress, { kind: 'bitcoind' }>

export interface BitcoinSurroundings {
  /** As in `btc:<network>`. */
  readonly network: string
  /** The data folder, in which files with relative names are looked for. */
  readonly folder: string
  readonly clock: Clock
}

/** One method with its parameters, in their order or by their names. */
export type RpcCall = readonly [method: string, params?: readonly JsonValue[] | { readonly [name: string]: JsonValue }]

/** What one method gave, or Bitcoin Core's own code and words. */
export type RpcOutcome =
  | { readonly ok: true; readonly result: JsonValue }
  | { readonly ok: false; readonly code: number; readonly message: string }

/** Codes of Bitcoin Core's `rpc/protocol.h`. */
export const RPC_INVALID_ADDRESS_OR_KEY = -5
export const RPC_INVALID_PARAMETER = -8
export const RPC_VERIFY_ERROR = -25
export const RPC_VERIFY_REJECTED = -26
export const RPC_VERIFY_ALREADY_IN_UTXO_SET = -27
const RPC_IN_WARMUP = -28

// Quoted for operators; a reason of Bitcoin Core has a few dozen characters.
const MESSAGE_CHARS_MAX = 200

/**
 * The JSON-RPC of a Bitcoin Core node. Always asked in batches: the answers to those come with HTTP status 200 from
 * every version, while a single request that fails is answered with status 500 by versions before 28, as by a node that
 * is broken.
 */
export class BitcoinRpc {
  readonly http: ProviderHttp
  readonly #address: BitcoinCoreAddress
  readonly #surroundings: BitcoinSurroundings
  #authorization: string | null = null

  constructor(address: BitcoinCoreAddress, surroundings: BitcoinSurroundings) {
    this.http = new ProviderHttp(new URL(address.url).host, surroundings.clock, address.url)
    this.#address = address
    this.#surroundings = surroundings
  }

  /** The outcomes in the order of the calls. Rejects only when `signal` aborts. */
  async batch(calls: readonly RpcCall[], signal: AbortSignal): Promise<ProviderAnswer<readonly RpcOutcome[]>> {
    const requests = calls.map(([method, params = []], id) => ({ jsonrpc: '2.0', id, method, params }))
    const reply = await this.#post(JSON.stringify(requests), signal)
    if (!reply.ok) return reply
    const { status, body } = reply.value
    if (status === 401) {
      return this.http.failure('PROVIDER_UNREACHABLE', 'does not take the user name and password (HTTP status 401)')
    }
    if (status !== 200) return this.http.failure('PROVIDER_UNREACHABLE', `answered with HTTP status ${status}`)
    const outcomes = outcomesOf(body, calls.length)
    if (outcomes === null) {
      return this.http.failure('PROVIDER_MALFORMED', 'gave no JSON-RPC answer to each request')
    }
    const starting = outcomes.find((outcome) => !outcome.ok && outcome.code === RPC_IN_WARMUP)
    return starting === undefined
      ? { ok: true, value: outcomes }
      : this.http.failure('PROVIDER_UNREACHABLE', 'is still starting')
  }

  /** As `batch`, for one call. */
  async call(call: RpcCall, signal: AbortSignal): Promise<ProviderAnswer<RpcOutcome>> {
    const answer = await this.batch([call], signal)
    return answer.ok ? { ok: true, value: answer.value[0] as RpcOutcome } : answer
  }

  /** `PROVIDER_CHAIN` unless `getblockchaininfo` gave the network that this was made for; null when it did. */
  chainFailure(blockchainInfo: RpcOutcome): ProviderFailure | null {
    if (!blockchainInfo.ok) return this.refusal('getblockchaininfo', blockchainInfo)
    const chain = isJsonObject(blockchainInfo.result) ? blockchainInfo.result['chain'] : undefined
    if (typeof chain !== 'string') return this.http.failure('PROVIDER_MALFORMED', 'does not say which chain it serves')
    const { network } = this.#surroundings
    if (chain === BITCOIN_NETWORKS.get(network)?.coreName) return null
    return this.http.failure('PROVIDER_CHAIN', `serves the chain ${wordsOf(chain)}, not that of btc:${network}`)
  }

  /** The failure of a method that a node of this kind has, and that does not fail for the parameters. */
  refusal(method: string, { code, message }: Extract<RpcOutcome, { ok: false }>): ProviderFailure {
    return this.http.failure('PROVIDER_MALFORMED', `refused ${method}: ${message} (${code})`)
  }

  async #post(body: string, signal: AbortSignal): Promise<ProviderAnswer<HttpReply>> {
    const known = this.#authorization
    const reply = await this.#postOnce(body, signal)
    const { credentials } = this.#address
    const isRefused = reply.ok && reply.value.status === 401
    if (!isRefused || known === null || credentials === null || !('cookieFile' in credentials)) return reply
    // The node writes a new cookie at each start.
    this.#authorization = null
    return await this.#postOnce(body, signal)
  }

  async #postOnce(body: string, signal: AbortSignal): Promise<ProviderAnswer<HttpReply>> {
    this.#authorization ??= await this.#readAuthorization()
    if (this.#authorization === null) return this.http.failure('PROVIDER_UNREACHABLE', 'has no readable cookie file')
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (this.#authorization !== '') headers['authorization'] = this.#authorization
    return await this.http.exchange({ url: this.#address.url, method: 'POST', headers, body }, signal)
  }

  /** The value of the header, empty for none; null where the cookie can't be read. */
  async #readAuthorization(): Promise<string | null> {
    const { credentials } = this.#address
    if (credentials === null) return ''
    if ('user' in credentials) return basic(`${credentials.user}:${credentials.password}`)
    try {
      return basic((await readFile(resolve(this.#surroundings.folder, credentials.cookieFile), 'utf8')).trim())
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
      return null
    }
  }
}

/** A foreign text without what could steer a terminal, and cut. */
function wordsOf(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MESSAGE_CHARS_MAX)
}

function basic(userAndPassword: string): string {
  return `Basic ${Buffer.from(userAndPassword).toString('base64')}`
}

/** JSON-RPC 1.0 and 2.0 alike: the one has `"error": null` beside a result, the other no `error`. */
function outcomesOf(body: Uint8Array, count: number): readonly RpcOutcome[] | null {
  const answers = jsonOfAnswer(body)
  if (!Array.isArray(answers) || answers.length !== count) return null
  const outcomes: RpcOutcome[] = []
  for (const [id, answer] of (answers as readonly JsonValue[]).entries()) {
    if (!isJsonObject(answer) || answer['id'] !== id) return null
    const error = answer['error'] ?? null
    if (error === null && answer['result'] === undefined) return null
    if (error === null) {
      outcomes.push({ ok: true, result: answer['result'] as JsonValue })
      continue
    }
    if (!isJsonObject(error) || typeof error['code'] !== 'number' || typeof error['message'] !== 'string') return null
    outcomes.push({ ok: false, code: error['code'], message: wordsOf(error['message']) })
  }
  return outcomes
}

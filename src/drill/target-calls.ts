import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Challenge, Delivery } from '../../protocols/delivery/v1/request.ts'
import { NONCE_BYTES, TOKEN_BYTES, encodeChallenge, encodeDelivery } from '../../protocols/delivery/v1/request.ts'
import { isStringLike } from '../../protocols/canonical-json/v1/shape.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import { localSigner } from '../trust/local-signer.ts'
import type { Signer } from '../trust/signer.ts'
import type { DrillAsk, DrillHttp, DrillReply, NoReply } from './http-client.ts'
import type { Secrets } from './secrets.ts'

/** Where a target is. */
export interface TargetAddresses {
  /** The public listener. */
  readonly base: URL
  /** The admin listener. */
  readonly admin: URL
}

export interface TargetPorts {
  readonly http: DrillHttp
  readonly clock: Clock
  readonly random: Random
  readonly secrets: Secrets
  readonly adminToken: string
}

/** A delivery as it is sent: again and again the same bytes. */
export interface MadeDelivery {
  readonly body: string
  /** SHA-256 of its canonical bytes, hex. */
  readonly hash: string
}

const TOKEN_CHARS = Math.ceil((TOKEN_BYTES * 4) / 3)
const TOKEN_PATTERN = new RegExp(`^[A-Za-z0-9_-]{${TOKEN_CHARS}}$`)
const SEED_BYTES = 32

/** What a drill asks of its target, each call one exchange. Calls reject only with the signal's reason. */
export class TargetCalls {
  readonly #addresses: TargetAddresses
  readonly #ports: TargetPorts
  readonly #signal: AbortSignal

  constructor(addresses: TargetAddresses, ports: TargetPorts, signal: AbortSignal) {
    this.#addresses = addresses
    this.#ports = ports
    this.#signal = signal
  }

  /** The same, under another signal. */
  under(signal: AbortSignal): TargetCalls {
    return new TargetCalls(this.#addresses, this.#ports, signal)
  }

  /** A key that nobody has had before. */
  newKey(): Signer {
    return localSigner(this.#ports.random.bytes(SEED_BYTES))
  }

  /** As long as a token, and none. */
  madeUpToken(): string {
    return toBase64url(this.#ports.random.bytes(TOKEN_BYTES))
  }

  async nodeDocument(): Promise<DrillReply | NoReply> {
    return await this.#ask({ method: 'GET', base: this.#addresses.base, path: '/v1/federation/node' })
  }

  async adminStatus(): Promise<DrillReply | NoReply> {
    return await this.#askAdmin('GET', 'status')
  }

  async register({ did, kid, publicKey }: Signer): Promise<DrillReply | NoReply> {
    const body = JSON.stringify({ did, kid, publicKey: toBase64url(publicKey) })
    return await this.#askAdmin('POST', 'nodes', body)
  }

  async unregister({ did, kid }: Signer): Promise<DrillReply | NoReply> {
    return await this.#askAdmin('DELETE', `nodes?did=${encodeURIComponent(did)}&kid=${encodeURIComponent(kid)}`)
  }

  /** Asks for a token for the signer, which the answer then holds (`tokenOf`). */
  async challenge(signer: Signer, audience: string): Promise<DrillReply | NoReply> {
    const { body } = await encodeChallenge(this.#requestOf(signer, audience), (input) => signer.sign(input))
    const reply = await this.#post('/v1/federation/challenge', body)
    // Before anything of the answer can be shown: whatever stands in the place of a token may be one.
    const token = reply.ok && isJsonObject(reply.json) ? reply.json['token'] : undefined
    if (typeof token === 'string') this.#ports.secrets.add(token)
    return reply
  }

  /** Signs a delivery; `changes` makes it one that a target has to refuse. */
  async makeDelivery(
    signer: Signer,
    members: Pick<Delivery, 'audience' | 'namespace' | 'payload' | 'token'>,
    changes: Partial<Pick<Delivery, 'ts'>> = {}
  ): Promise<MadeDelivery> {
    const { audience, ...rest } = members
    const delivery: Delivery = { ...this.#requestOf(signer, audience), ...rest, ...changes }
    return await encodeDelivery(delivery, (input) => signer.sign(input))
  }

  async deliver(body: string): Promise<DrillReply | NoReply> {
    return await this.#post('/v1/federation/deliver', body)
  }

  /**
   * The proof that a record stands in the log. Where reading takes a right of its own, the admin listener is asked,
   * which serves the same.
   */
  async inclusion(logSeq: number, size: number): Promise<DrillReply | NoReply> {
    const query = `inclusion?logSeq=${logSeq}&size=${size}`
    const reply = await this.#ask({ method: 'GET', base: this.#addresses.base, path: `/v1/log/${query}` })
    const isForbidden = reply.ok && (reply.status === 401 || reply.status === 403)
    return isForbidden ? await this.#askAdmin('GET', `log/${query}`) : reply
  }

  #requestOf({ did, kid }: Signer, audience: string): Challenge {
    const { clock, random } = this.#ports
    return { v: 1, signer: did, kid, audience, ts: clock.now(), nonce: toBase64url(random.bytes(NONCE_BYTES)) }
  }

  async #post(path: string, body: string): Promise<DrillReply | NoReply> {
    return await this.#ask({ method: 'POST', base: this.#addresses.base, path, body })
  }

  async #askAdmin(method: DrillAsk['method'], path: string, body?: string): Promise<DrillReply | NoReply> {
    const { adminToken: token } = this.#ports
    const base = this.#addresses.admin
    return await this.#ask({ method, base, path: `/v1/admin/${path}`, token, ...(body === undefined ? {} : { body }) })
  }

  async #ask(asked: DrillAsk): Promise<DrillReply | NoReply> {
    return await this.#ports.http.ask(asked, this.#signal)
  }
}

/** The token in the answer to a challenge; null where it has none of the right form. */
export function tokenOf({ json }: DrillReply): { readonly token: string; readonly expiresAt: number } | null {
  if (!isJsonObject(json)) return null
  const { token, expiresAt } = json
  if (!isStringLike(token, TOKEN_PATTERN) || !Number.isSafeInteger(expiresAt)) return null
  return { token, expiresAt: expiresAt as number }
}

/** The code and detail of a problem (RFC 9457), whatever else came. */
export function problemIn({ json }: DrillReply): { readonly code: string | null; readonly detail: string } {
  const { code, detail } = isJsonObject(json) ? json : ({} as Readonly<Record<string, JsonValue>>)
  return { code: typeof code === 'string' ? code : null, detail: typeof detail === 'string' ? detail : '' }
}

/** The object that an answer is; null where it is none. */
export function objectIn({ json }: DrillReply): JsonObject | null {
  return isJsonObject(json) ? json : null
}

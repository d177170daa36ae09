import type { Clock } from '../platform/clock.ts'
import type { NonceBook } from './nonce-book.ts'

/** What every signed request says of itself, whatever it asks for. */
export interface RequestFacts {
  /** The DID whose answer is wanted. */
  readonly audience: string
  readonly signer: string
  readonly nonce: string
  /** When it was signed, milliseconds since 1970. */
  readonly ts: number
}

/**
 * `WRONG_AUDIENCE`: it is for somebody else. `TIMESTAMP_SKEW`: signed too long ago, or too far ahead of the clock here.
 * `REPLAY`: it was answered before. `OVERLOADED`: the signer has more of them remembered than there is room for.
 */
export type RequestCode = 'WRONG_AUDIENCE' | 'TIMESTAMP_SKEW' | 'REPLAY' | 'OVERLOADED'

export type RequestCheck =
  { readonly ok: true } | { readonly ok: false; readonly code: RequestCode; readonly detail: string }

export interface RequestGuardPorts {
  readonly nonces: NonceBook
  readonly clock: Clock
  /** The DID that this node answers as. */
  readonly self: () => string
  /** How far a request's `ts` may be from the clock, in milliseconds. */
  readonly skewMs: () => number
}

const FINE: RequestCheck = { ok: true }

/**
 * Keeps requests of every kind from being answered twice, or by another than they are for. Who serves a kind of request
 * asks in this order: `audience` and `time` before the signature, because they cost nothing; `nonce` after it, or
 * anybody could use up somebody else's. All kinds share one book: a nonce is drawn at random for each request.
 */
export class RequestGuard {
  readonly #ports: RequestGuardPorts

  constructor(ports: RequestGuardPorts) {
    this.#ports = ports
  }

  /** [REJECT] The request is for this node. */
  audience({ audience }: RequestFacts): RequestCheck {
    const self = this.#ports.self()
    return audience === self ? FINE : refused('WRONG_AUDIENCE', `this is ${self}`)
  }

  /** [REJECT] It was signed within the skew of the clock here. */
  time({ ts }: RequestFacts): RequestCheck {
    const allowedMs = this.#ports.skewMs()
    const skewMs = Math.abs(this.#ports.clock.now() - ts)
    return skewMs <= allowedMs ? FINE : refused('TIMESTAMP_SKEW', `ts is ${skewMs} ms off, at most ${allowedMs}`)
  }

  /**
   * [REJECT] No request with this signer and nonce was answered. Resolves with `ok` once the nonce is durable: only then
   * may the request be answered. Rejects where the store can't be written.
   */
  async nonce({ signer, nonce, ts }: RequestFacts): Promise<RequestCheck> {
    // A clock that is set back by less than the skew brings no time back in which the nonce is not known.
    const expiresAt = ts + 2 * this.#ports.skewMs()
    const taken = await this.#ports.nonces.take(signer, nonce, { ts, expiresAt })
    return taken === 'taken' ? FINE : NOT_TAKEN[taken]
  }
}

function refused(code: RequestCode, detail: string): RequestCheck {
  return { ok: false, code, detail }
}

const NOT_TAKEN = {
  replay: refused('REPLAY', 'this nonce was used before'),
  forgotten: refused('TIMESTAMP_SKEW', 'it was signed before the time from which nonces are remembered here'),
  busy: refused('OVERLOADED', 'too many requests of this signer')
} as const

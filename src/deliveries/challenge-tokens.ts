import { TOKEN_BYTES, TOKEN_LIVES_MS } from '../../protocols/delivery/v1/request.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

// A sender asks for one when it has something to deliver; a few processes may share its DID.
export const TOKENS_OF_NODE_MAX = 16
// Of a thousand senders with all that each may have; about 4 MiB.
export const TOKENS_MAX = 16_384
// So long it can be told that a token was good once.
const TOKENS_REMEMBERED_MS = 2 * TOKEN_LIVES_MS

interface Given {
  readonly did: string
  /** Of the clock that nobody sets. */
  readonly givenAtMs: number
}

/** A token as the answer to a challenge names it. */
export interface GivenToken {
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** The tokens that this node gave out and that were not used yet (SPEC DE-15): in memory alone, none outlives the node. */
export class ChallengeTokens {
  readonly #clock: Clock
  readonly #random: Random
  /** The oldest first. */
  readonly #given = new Map<string, Given>()
  readonly #ofNode = new Map<string, Set<string>>()

  constructor(ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = ports.clock
    this.#random = ports.random
  }

  /** A token for one delivery of the DID; its oldest is lost where it has as many as it may. `null`: too many in all. */
  give(did: string): GivenToken | null {
    this.#forgetOld()
    const own = this.#ofNode.get(did) ?? new Set()
    const [oldest] = own
    if (oldest !== undefined && own.size >= TOKENS_OF_NODE_MAX) this.#drop(oldest, did)
    if (this.#given.size >= TOKENS_MAX) return null
    const token = toBase64url(this.#random.bytes(TOKEN_BYTES))
    this.#given.set(token, { did, givenAtMs: this.#clock.monotonicMs() })
    own.add(token)
    this.#ofNode.set(did, own)
    return { token, expiresAt: this.#clock.now() + TOKEN_LIVES_MS }
  }

  /** Takes the token of a delivery. One that was given to another DID stays good for that. */
  take(token: string, did: string): 'taken' | 'TOKEN_INVALID' | 'TOKEN_EXPIRED' {
    const given = this.#given.get(token)
    if (given?.did !== did) return 'TOKEN_INVALID'
    const ageMs = this.#clock.monotonicMs() - given.givenAtMs
    if (ageMs >= TOKENS_REMEMBERED_MS) return 'TOKEN_INVALID'
    if (ageMs >= TOKEN_LIVES_MS) return 'TOKEN_EXPIRED'
    this.#drop(token, did)
    return 'taken'
  }

  #forgetOld(): void {
    const before = this.#clock.monotonicMs() - TOKENS_REMEMBERED_MS
    for (const [token, { did, givenAtMs }] of this.#given) {
      if (givenAtMs > before) return
      this.#drop(token, did)
    }
  }

  #drop(token: string, did: string): void {
    this.#given.delete(token)
    const own = this.#ofNode.get(did)
    own?.delete(token)
    if (own?.size === 0) this.#ofNode.delete(did)
  }
}

// SPEC TE-14. A real token needs one verification for each certificate of its chain, and one for each revocation list.
// 64 of the slowest kind take less than 0.1 s.
const SIGNATURES_MAX = 64

/**
 * How many signatures of certificates and revocation data may be looked at for one token. Those whose answer is cached
 * count as well, or a verdict would depend on what was verified before.
 */
export class SignatureBudget {
  #left = SIGNATURES_MAX

  /** False when nothing is left. */
  take(): boolean {
    this.#left -= 1
    return this.#left >= 0
  }

  get exhausted(): boolean {
    return this.#left < 0
  }
}

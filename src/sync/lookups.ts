/** What a peer may still make this side look up in a session. */
export class LookupBudget {
  #left: number

  /** `lookups`: how many there are. */
  constructor(lookups: number) {
    this.#left = lookups
  }

  /** Takes `count` of what is left; false, and nothing is taken, where there are not so many. */
  take(count: number): boolean {
    if (count > this.#left) return false
    this.#left -= count
    return true
  }
}

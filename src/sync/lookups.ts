/** What a peer may still make this side look up in a session. */
export class LookupBudget {
  #left: number

  /** `lookups`: how many there are. */
  constructor(lookups: number) {
    this.#left = lookups
  }

  get left(): number {
    return this.#left
  }

  /** Takes `count` of what is left; false, and nothing is taken, where there are not so many. */
  take(count: number): boolean {
    if (count > this.#left) return false
    this.#left -= count
    return true
  }

  /** Takes what something has cost already, though there be less. */
  spend(count: number): void {
    this.#left = Math.max(0, this.#left - count)
  }
}

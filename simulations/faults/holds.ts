/** What several faults may do to one node at the same time: it is over when the last of them is. */
export class Holds<Held> {
  readonly #holders = new Map<Held, number>()

  /** Whether it is the first. */
  take(held: Held): boolean {
    const before = this.#holders.get(held) ?? 0
    this.#holders.set(held, before + 1)
    return before === 0
  }

  /** Whether it was the last. */
  release(held: Held): boolean {
    const left = (this.#holders.get(held) ?? 0) - 1
    if (left > 0) this.#holders.set(held, left)
    else this.#holders.delete(held)
    return left === 0
  }
}

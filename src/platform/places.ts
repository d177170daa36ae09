export interface PlaceLimits {
  readonly all: number
  readonly ofHolder: number
}

/** Places that are taken and given back, of which there are so many, and for one holder so many of those. */
export class Places {
  readonly #limits: PlaceLimits
  #taken = 0
  /** Never more holders than places that are taken. */
  readonly #byHolder = new Map<string, number>()

  constructor(limits: PlaceLimits) {
    this.#limits = limits
  }

  get taken(): number {
    return this.#taken
  }

  /** Takes a place and returns how it is given back, once; null where there is none. Holder null: of nobody. */
  take(holder: string | null): (() => void) | null {
    const held = holder === null ? 0 : (this.#byHolder.get(holder) ?? 0)
    if (this.#taken >= this.#limits.all || held >= this.#limits.ofHolder) return null
    this.#taken += 1
    if (holder !== null) this.#byHolder.set(holder, held + 1)
    return () => this.#giveBack(holder)
  }

  #giveBack(holder: string | null): void {
    this.#taken -= 1
    if (holder === null) return
    const left = (this.#byHolder.get(holder) ?? 1) - 1
    if (left === 0) this.#byHolder.delete(holder)
    else this.#byHolder.set(holder, left)
  }
}

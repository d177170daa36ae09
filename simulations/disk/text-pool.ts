// Nodes write the same within seconds of each other, or all of it when they start; the pool's own part of 262,144 texts
// is about 20 MiB.
const GENERATION_MAX = 131_072

/**
 * Makes equal texts of different nodes one. Of those that were not seen for long it knows nothing any more; then two
 * stay two, which costs memory and nothing else.
 */
export class TextPool {
  readonly #generationMax: number
  #young = new Map<string, string>()
  #old = new Map<string, string>()

  constructor(generationMax: number = GENERATION_MAX) {
    this.#generationMax = generationMax
  }

  /** The text that equals this one. */
  shared(text: string): string {
    const young = this.#young.get(text)
    if (young !== undefined) return young
    const known = this.#old.get(text) ?? text
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(known, known)
    return known
  }
}

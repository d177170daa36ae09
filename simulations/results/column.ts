const CHUNK = 4_096

/** Numbers in the order in which they came; thousands of nodes and samples fit into memory. */
export class Column {
  readonly #chunks: Float64Array[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    const place = this.#length % CHUNK
    if (place === 0) this.#chunks.push(new Float64Array(CHUNK))
    const chunk = this.#chunks.at(-1) as Float64Array
    chunk[place] = value
    this.#length += 1
  }

  at(index: number): number {
    return this.#chunks[Math.floor(index / CHUNK)]?.[index % CHUNK] ?? Number.NaN
  }
}

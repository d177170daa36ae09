interface Batch {
  /** Of each node what it holds to be the winner; 0: it knows none. */
  readonly byNode: Uint32Array
  /** Of each winner, how many nodes that count hold it. */
  readonly holders: Map<number, number>
}

/** What the nodes hold to be the winners of batches, and where those that count (honest ones that are on) agree. */
export class WinnerBook {
  readonly #counts: boolean[]
  readonly #batches = new Map<string, Batch>()
  readonly #winners = new Map<string, number>()
  readonly #known: number[]
  #changes = 0

  constructor(nodes: number) {
    this.#counts = Array.from({ length: nodes }, () => false)
    this.#known = Array.from({ length: nodes }, () => 0)
  }

  /** Times so far that a node which had a winner took another. */
  get changes(): number {
    return this.#changes
  }

  /** Batches of which the node knows the winner. */
  knownTo(node: number): number {
    return this.#known[node] ?? 0
  }

  /** Batches of which any node that counts knows a winner, those of which all know the same, those of which two differ. */
  count(): { readonly decided: number; readonly agreed: number; readonly disputed: number } {
    const counting = this.#counts.filter((counts) => counts).length
    let decided = 0
    let agreed = 0
    let disputed = 0
    for (const { holders } of this.#batches.values()) {
      if (holders.size > 0) decided += 1
      if (holders.size > 1) disputed += 1
      const [first] = holders.values()
      if (holders.size === 1 && first === counting) agreed += 1
    }
    return { decided, agreed, disputed }
  }

  /** The node has found out the winner of a batch; `null`: there is none any more. */
  note(node: number, batch: string, winner: string | null): void {
    const before = this.#batchOf(batch).byNode[node] ?? 0
    const after = winner === null ? 0 : this.#numberOf(winner)
    if (before === after) return
    if (before !== 0) this.#changes += 1
    this.#known[node] = this.knownTo(node) + Number(after !== 0) - Number(before !== 0)
    const { byNode, holders } = this.#batchOf(batch)
    byNode[node] = after
    if (this.#counts[node] !== true) return
    shift(holders, before, -1)
    shift(holders, after, 1)
  }

  setCounts(node: number, counts: boolean): void {
    if (this.#counts[node] === counts) return
    this.#counts[node] = counts
    for (const { byNode, holders } of this.#batches.values()) shift(holders, byNode[node] ?? 0, counts ? 1 : -1)
  }

  /** The node knows nothing any more. */
  lose(node: number): void {
    for (const { byNode, holders } of this.#batches.values()) {
      if (this.#counts[node] === true) shift(holders, byNode[node] ?? 0, -1)
      byNode[node] = 0
    }
    this.#known[node] = 0
  }

  #batchOf(name: string): Batch {
    const known = this.#batches.get(name)
    if (known !== undefined) return known
    const batch: Batch = { byNode: new Uint32Array(this.#counts.length), holders: new Map() }
    this.#batches.set(name, batch)
    return batch
  }

  #numberOf(winner: string): number {
    const known = this.#winners.get(winner)
    if (known !== undefined) return known
    this.#winners.set(winner, this.#winners.size + 1)
    return this.#winners.size
  }
}

function shift(holders: Map<number, number>, winner: number, step: 1 | -1): void {
  if (winner === 0) return
  const count = (holders.get(winner) ?? 0) + step
  if (count === 0) holders.delete(winner)
  else holders.set(winner, count)
}

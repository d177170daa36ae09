/** A batch in hand. */
export interface Want {
  failures: number
  /** When it was tried last, on the clock that never goes back; null before the first time. */
  triedAt: number | null
  /** Calls off the wait for the next try; null while it is queued, runs, or waits for a server to connect. */
  cancel: (() => void) | null
  state: 'waiting' | 'no-server' | 'queued' | 'running'
}

interface OfOwner {
  readonly wants: Map<string, Want>
  /** Those that failed, the one that did so longest ago first. */
  readonly failed: Set<string>
  readonly queue: string[]
}

/**
 * The batches in hand, at most so many. Organisations share the room and take turns: one that announces batches without
 * end, whose receipts nobody has, must keep out neither what others announce nor what it announces itself later.
 */
export class Wants {
  /** Only organisations with a batch in hand or in the queue; policy names them. The next in turn is first. */
  readonly #owners = new Map<string, OfOwner>()
  readonly #max: number
  #size = 0
  #queued = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  get hasQueued(): boolean {
    return this.#queued > 0
  }

  get isFull(): boolean {
    return this.#size >= this.#max
  }

  get(key: string): Want | undefined {
    return this.#owners.get(ownerOf(key))?.wants.get(key)
  }

  *entries(): Generator<[string, Want]> {
    for (const { wants } of this.#owners.values()) yield* wants
  }

  set(key: string, want: Want): void {
    const owner = this.#owner(ownerOf(key))
    if (!owner.wants.has(key)) this.#size += 1
    owner.wants.set(key, want)
  }

  delete(key: string): void {
    const name = ownerOf(key)
    const owner = this.#owners.get(name)
    if (owner === undefined || !owner.wants.delete(key)) return
    owner.failed.delete(key)
    this.#size -= 1
    this.#leave(name, owner)
  }

  failed(key: string): void {
    const owner = this.#owners.get(ownerOf(key))
    if (owner?.wants.has(key) !== true) return
    owner.failed.delete(key)
    owner.failed.add(key)
  }

  /**
   * Which batch gives way to another one that is due: one of the organisation that has most in hand, if that is more
   * than the other's has; else one of its own that failed. Null where it has to wait.
   */
  givesWayTo(key: string): string | null {
    const own = this.#owners.get(ownerOf(key))
    let most = own
    for (const owner of this.#owners.values()) if (owner.wants.size > (most?.wants.size ?? 0)) most = owner
    const isOver = (most?.wants.size ?? 0) > (own?.wants.size ?? 0) + 1
    return (isOver ? (firstAtRest(most, most?.failed) ?? firstAtRest(most)) : firstAtRest(own, own?.failed)) ?? null
  }

  /** Puts a batch in hand at the end of its organisation's queue. */
  enqueue(key: string): void {
    this.#owner(ownerOf(key)).queue.push(key)
    this.#queued += 1
  }

  /** Takes from the queues, of one organisation after the other. */
  dequeue(): string | undefined {
    for (const [name, owner] of this.#owners) {
      const key = owner.queue.shift()
      if (key === undefined) continue
      this.#queued -= 1
      this.#owners.delete(name)
      this.#owners.set(name, owner)
      this.#leave(name, owner)
      return key
    }
    return undefined
  }

  #owner(name: string): OfOwner {
    const known = this.#owners.get(name)
    if (known !== undefined) return known
    const owner: OfOwner = { wants: new Map(), failed: new Set(), queue: [] }
    this.#owners.set(name, owner)
    return owner
  }

  #leave(name: string, { wants, queue }: OfOwner): void {
    if (wants.size === 0 && queue.length === 0) this.#owners.delete(name)
  }
}

/** What runs stays; few do. */
function firstAtRest(
  owner: OfOwner | undefined,
  keys: Iterable<string> = owner?.wants.keys() ?? []
): string | undefined {
  for (const key of keys) if (owner?.wants.get(key)?.state !== 'running') return key
  return undefined
}

/** Namespace and organisation of a batch, by the key of its row. */
function ownerOf(rowKey: string): string {
  return rowKey.slice(0, rowKey.indexOf('!', rowKey.indexOf('!') + 1))
}

import { utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { BranchOrigin, BranchRun, Place, SyncView } from '../../src/sync/sync-view.ts'
import type { ChainTip, TipView } from '../../src/sync/tip-table.ts'
import { TipTable } from '../../src/sync/tip-table.ts'

/** An event without a signature: all that range-sync asks of one. */
export interface ModelEvent {
  readonly id: string
  readonly chain: string
  readonly prev: string | null
  readonly authorSeq: number
}

interface Held extends ModelEvent {
  readonly branch: number
}

/** A node that holds events and takes one only after its predecessor. */
export class ModelNode {
  readonly #events = new Map<string, Held>()
  readonly #table = new TipTable()
  readonly #followed = new Set<string>()
  readonly #origins = new Map<number, BranchOrigin>()
  readonly #branches = new Map<number, string[]>()
  /** How often ids were asked for. */
  lookups = 0

  get ids(): readonly string[] {
    return [...this.#events.keys()].sort()
  }

  get root(): Uint8Array {
    return this.#table.view().root()
  }

  has(id: string): boolean {
    return this.#events.has(id)
  }

  /** False where the predecessor is not held, or the event is. */
  take(event: ModelEvent): boolean {
    const { id, prev, authorSeq } = event
    const before = prev === null ? undefined : this.#events.get(prev)
    if (this.#events.has(id) || (prev !== null && before === undefined)) return false
    const goesOn = before !== undefined && !this.#followed.has(before.id)
    const branch = goesOn ? before.branch : this.#origins.size + 1
    if (!goesOn) this.#origins.set(branch, { from: authorSeq, parent: before?.branch ?? null })
    if (prev !== null) this.#followed.add(prev)
    this.#branches.set(branch, [...(this.#branches.get(branch) ?? []), id])
    this.#events.set(id, { ...event, branch })
    this.#table.append(event)
    return true
  }

  /** As it is now: what is taken later stands at other places. */
  view(): SyncView {
    return new ModelView(this, this.#table.view())
  }

  branchOf(id: string): number {
    return this.#events.get(id)?.branch ?? 0
  }

  originOf(branch: number): BranchOrigin {
    const origin = this.#origins.get(branch)
    if (origin === undefined) throw new Error(`no branch ${branch}`)
    return origin
  }

  idAt({ branch, position }: Place): string {
    const id = this.#branches.get(branch)?.[position - this.originOf(branch).from]
    if (id === undefined) throw new Error(`nothing stands at ${position} of branch ${branch}`)
    return id
  }

  bytesOf(id: string): Uint8Array {
    const event = this.#events.get(id)
    if (event === undefined) throw new Error(`no event ${id}`)
    const { chain, prev, authorSeq } = event
    return utf8(JSON.stringify({ id, chain, prev, authorSeq }))
  }
}

class ModelView implements SyncView {
  readonly namespace = 'test:model'
  readonly membership = sha256('members').subarray(0, 16)
  readonly tips: TipView
  readonly #node: ModelNode

  constructor(node: ModelNode, tips: TipView) {
    this.#node = node
    this.tips = tips
  }

  get reads(): number {
    return this.#node.lookups
  }

  branchOf(_chain: string, { id }: ChainTip): Promise<number> {
    return Promise.resolve(this.#node.branchOf(id))
  }

  originOf(_chain: string, branch: number): Promise<BranchOrigin> {
    return Promise.resolve(this.#node.originOf(branch))
  }

  idsAt(_chain: string, places: readonly Place[]): Promise<readonly string[]> {
    this.#node.lookups += places.length
    return Promise.resolve(places.map((place) => this.#node.idAt(place)))
  }

  async *events(_chain: string, { branch, from, to }: BranchRun): AsyncGenerator<readonly Uint8Array[]> {
    for (let position = from; position <= to; position += 1) {
      yield [this.#node.bytesOf(this.#node.idAt({ branch, position }))]
    }
    await Promise.resolve()
  }
}

/** How a random forest grows. */
export interface ForestShape {
  readonly seed: number
  readonly chains: number
  readonly events: number
  /** How often an event follows any earlier one of its chain instead of the last of a branch: 0 to 1. */
  readonly forks: number
  /** How often an event begins its chain anew: 0 to 1. */
  readonly roots: number
}

/** A random forest, in an order in which each event comes after its predecessor. */
export function forest({ seed, chains, events, forks, roots }: ForestShape): readonly ModelEvent[] {
  const random = seeded(seed)
  const byChain = Array.from({ length: chains }, (): ModelEvent[] => [])
  const tips = byChain.map((): ModelEvent[] => [])
  const grown: ModelEvent[] = []
  for (let index = 0; index < events; index += 1) {
    const at = Math.floor(random() * chains)
    const own = byChain[at] ?? []
    const ends = tips[at] ?? []
    const isRoot = own.length === 0 || random() < roots
    const isFork = !isRoot && random() < forks
    const place = Math.floor(random() * (isFork ? own.length : ends.length))
    const prev = isRoot ? undefined : isFork ? own[place] : ends[place]
    const chain = sha256Hex(`chain ${seed} ${at}`)
    const id = sha256Hex(`event ${seed} ${index}`)
    const event = { id, chain, prev: prev?.id ?? null, authorSeq: (prev?.authorSeq ?? 0) + 1 }
    if (prev !== undefined && ends.includes(prev)) ends[ends.indexOf(prev)] = event
    else ends.push(event)
    own.push(event)
    grown.push(event)
  }
  return grown
}

/** What a side holds of a forest: `share` of its events, drawn at random, and all their ancestors. */
export function holding(all: readonly ModelEvent[], share: number, seed: number): ModelNode {
  const random = seeded(seed)
  const byId = new Map(all.map((event) => [event.id, event]))
  const held = new Set<string>()
  for (const event of all) {
    if (random() >= share) continue
    for (let at: ModelEvent | undefined = event; at !== undefined && !held.has(at.id);) {
      held.add(at.id)
      at = at.prev === null ? undefined : byId.get(at.prev)
    }
  }
  const node = new ModelNode()
  for (const event of all) if (held.has(event.id)) node.take(event)
  return node
}

/** mulberry32: numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

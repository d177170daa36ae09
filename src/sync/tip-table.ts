import { bytesOfHex } from '../../protocols/primitives/bytes.ts'
import {
  BUCKETS,
  BUCKETS_IN_GROUP,
  bucketHash,
  bucketOf,
  chainState,
  groupHash,
  tipsRoot
} from '../../protocols/range-sync/v1/tips-root.ts'

/** An event that none follows. */
export interface ChainTip {
  /** Event id, hex. */
  readonly id: string
  readonly authorSeq: number
}

/** A chain as its tips tell it. */
export interface ChainTips {
  /** Chain id, hex. */
  readonly chain: string
  /** In ascending order of their ids; one, unless the chain is forked. */
  readonly tips: readonly ChainTip[]
  /** 32 bytes; see `chainState`. */
  readonly state: Uint8Array
}

/** An event as the table takes it: by its place in its chain. */
export interface AppendedEvent {
  readonly chain: string
  readonly id: string
  readonly prev: string | null
  readonly authorSeq: number
}

interface Bucket {
  /** In ascending order of chain id. */
  readonly chains: readonly ChainTips[]
  readonly hash: Uint8Array
}

const GROUPS = BUCKETS / BUCKETS_IN_GROUP
const NO_CHAINS: Bucket = { chains: [], hash: bucketHash([]) }
// Nothing changes a group: what changes takes its place. So all that are empty are one.
const EMPTY_GROUP: readonly Bucket[] = Array.from({ length: BUCKETS_IN_GROUP }, () => NO_CHAINS)
const EMPTY_GROUP_HASH = groupHash(EMPTY_GROUP.map(({ hash }) => hash))

/** The chains of a namespace at one moment. Nothing changes it. */
export class TipView {
  readonly #groups: readonly (readonly Bucket[])[]
  readonly #groupHashes: readonly Uint8Array[]
  readonly chains: number
  #root: Uint8Array | null = null

  constructor(groups: readonly (readonly Bucket[])[], groupHashes: readonly Uint8Array[], chains: number) {
    this.#groups = groups
    this.#groupHashes = groupHashes
    this.chains = chains
  }

  /** The tips root (RS-1), 32 bytes. */
  root(): Uint8Array {
    this.#root ??= tipsRoot(this.#groupHashes)
    return this.#root
  }

  /** All chains, in ascending order of chain id. */
  *[Symbol.iterator](): Generator<ChainTips> {
    for (const group of this.#groups) for (const { chains } of group) yield* chains
  }

  /** The chain of this id (hex), or of an id that begins with it: at least the first 12 bits, 3 digits. */
  find(prefix: string): ChainTips | undefined {
    const bucket = Number.parseInt(prefix.slice(0, 3), 16)
    const chains = this.#groups[Math.floor(bucket / BUCKETS_IN_GROUP)]?.[bucket % BUCKETS_IN_GROUP]?.chains
    return chains?.find(({ chain }) => chain.startsWith(prefix))
  }
}

/**
 * The tips of a namespace, kept up with its log. Taking an event costs the hashes of its chain and bucket; a view costs
 * the hashes of the groups that changed since the last one, whatever the number of events and chains.
 */
export class TipTable {
  readonly #groups: (readonly Bucket[])[] = Array.from({ length: GROUPS }, () => EMPTY_GROUP)
  readonly #groupHashes: Uint8Array[] = Array.from({ length: GROUPS }, () => EMPTY_GROUP_HASH)
  readonly #changed = new Map<number, Map<string, Map<string, ChainTip>>>()
  #chains = 0
  #view: TipView | null = null

  /** Takes a tip as the log's index has it. */
  load(chain: string, tip: ChainTip): void {
    this.#changing(chain).set(tip.id, tip)
  }

  /** Takes an event that was appended: it takes its predecessor's place, or stands beside it after a fork. */
  append({ chain, id, prev, authorSeq }: AppendedEvent): void {
    const tips = this.#changing(chain)
    if (prev !== null) tips.delete(prev)
    tips.set(id, { id, authorSeq })
  }

  /** The table as it is now. */
  view(): TipView {
    if (this.#view !== null && this.#changed.size === 0) return this.#view
    const changedGroups = new Map<number, Bucket[]>()
    for (const [index, changes] of this.#changed) {
      const groupIndex = Math.floor(index / BUCKETS_IN_GROUP)
      const group = changedGroups.get(groupIndex) ?? [...(this.#groups[groupIndex] ?? EMPTY_GROUP)]
      changedGroups.set(groupIndex, group)
      const before = group[index % BUCKETS_IN_GROUP] ?? NO_CHAINS
      const after = changedBucket(before, changes)
      this.#chains += after.chains.length - before.chains.length
      group[index % BUCKETS_IN_GROUP] = after
    }
    for (const [groupIndex, group] of changedGroups) {
      this.#groups[groupIndex] = group
      this.#groupHashes[groupIndex] = groupHash(group.map(({ hash }) => hash))
    }
    this.#changed.clear()
    this.#view = new TipView([...this.#groups], [...this.#groupHashes], this.#chains)
    return this.#view
  }

  /**
   * The tips of a chain, by id, to be changed in place; hashes wait for the next view. So of a thousand events of a
   * chain only the last one's are asked for, and an event of a chain with a thousand forks costs no more than another.
   */
  #changing(chain: string): Map<string, ChainTip> {
    const index = bucketOf(bytesOfHex(chain))
    const changes = this.#changed.get(index) ?? new Map<string, Map<string, ChainTip>>()
    this.#changed.set(index, changes)
    const known = changes.get(chain)
    if (known !== undefined) return known
    const { chains } = this.#groups[Math.floor(index / BUCKETS_IN_GROUP)]?.[index % BUCKETS_IN_GROUP] ?? NO_CHAINS
    const before = chains.find((other) => other.chain === chain)?.tips ?? []
    const tips = new Map(before.map((tip) => [tip.id, tip]))
    changes.set(chain, tips)
    return tips
  }
}

function changedBucket({ chains }: Bucket, changes: ReadonlyMap<string, ReadonlyMap<string, ChainTip>>): Bucket {
  const others = chains.filter(({ chain }) => !changes.has(chain))
  const changed = [...changes].map(([chain, tips]) => chainTips(chain, [...tips.values()]))
  const all = [...others, ...changed].sort((left, right) => (left.chain < right.chain ? -1 : 1))
  return { chains: all, hash: bucketHash(all.map(({ state }) => state)) }
}

function chainTips(chain: string, tips: readonly ChainTip[]): ChainTips {
  const sorted = tips.toSorted((left, right) => (left.id < right.id ? -1 : 1))
  return {
    chain,
    tips: sorted,
    state: chainState(
      bytesOfHex(chain),
      sorted.map(({ id }) => bytesOfHex(id))
    )
  }
}

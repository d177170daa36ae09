import { toHex } from '../../protocols/primitives/bytes.ts'
import type { TaggedPosition } from '../../protocols/range-sync/v1/frames.ts'
import { BranchTree } from './branch-tree.ts'
import type { LookupBudget } from './lookups.ts'
import type { BranchRun, Place, SyncView } from './sync-view.ts'
import { tagOf } from './sync-view.ts'
import type { ChainTip, ChainTips } from './tip-table.ts'

/** What a chain is looked at with in a session. */
export interface ChainPorts {
  readonly view: SyncView
  readonly salt: Uint8Array
  readonly budget: LookupBudget
  readonly tipsNamedMax: number
}

interface NamedTip extends TaggedPosition {
  readonly tip: ChainTip
}

/** Looked up at a time: then it is seen what that cost. */
const LOOKUPS_AT_ONCE = 64

/** So many entries of an index are read in the time of a look-up, one after the other. */
const READS_OF_LOOKUP = 16

/** So many branches can be gone through for a position in the time of a look-up. */
const BRANCHES_OF_LOOKUP = 256

/** A chain of this side, by the tips that are named of it, and what is known of what the other side holds of it. */
export class OwnChain {
  readonly chain: string
  /** Whether tips are left unnamed, so that what the other side sends may be held here. */
  readonly isCut: boolean
  readonly #ports: ChainPorts
  readonly #tips: readonly NamedTip[]
  readonly #tagged = new Map<string, NamedTip>()
  /** Tags of places that were looked up, by branch and position. */
  readonly #tags = new Map<string, Uint8Array>()
  #tree: BranchTree | null = null
  /** Which of the named tips the other side lacks; null until it has said so. */
  #lacked: readonly NamedTip[] | null = null
  /** Whether all that the other side holds of the chain is marked in the tree. */
  #isComplete = false

  constructor(chain: ChainTips, ports: ChainPorts) {
    this.chain = chain.chain
    this.#ports = ports
    const tagged = chain.tips.map((tip) => ({ tip, position: tip.authorSeq, tag: tagOf(ports.salt, tip.id) }))
    this.isCut = tagged.length > ports.tipsNamedMax
    // SPEC RS-12: those with the lowest tags.
    const named = this.isCut ? tagged.sort((left, right) => Buffer.compare(left.tag, right.tag)) : tagged
    this.#tips = named.slice(0, ports.tipsNamedMax)
    for (const tip of this.#tips) this.#tagged.set(nameOf(tip), tip)
  }

  /** Position and tag of each named tip. */
  get named(): readonly TaggedPosition[] {
    return this.#tips
  }

  /** How many of the named tips the other side lacks that are not traced. */
  get left(): number {
    return this.#untraced().length
  }

  /**
   * Which of these events of the other side are held here, all their ancestors being marked as held there; null where
   * the budget is spent.
   */
  async compare(theirs: readonly TaggedPosition[]): Promise<readonly boolean[] | null> {
    const places = await this.#locate(theirs)
    if (places === null) return null
    const tree = this.#loaded()
    for (const place of places) if (place !== null) tree.markHeld(place)
    return places.map((place) => place !== null)
  }

  /** Takes that the other side holds nothing of the chain but what was compared and found here. */
  otherIsKnown(): void {
    this.#isComplete = true
    this.#lacked ??= this.#tips
  }

  /** Takes which of the named tips the other side holds. False where that contradicts itself (SPEC RS-16). */
  async takeHeld(held: readonly boolean[]): Promise<boolean> {
    this.#lacked = this.#tips.filter((_, index) => held[index] !== true)
    const tree = await this.#load(this.#budgetFor(1))
    if (tree === null) return true
    for (const [index, { tip, position }] of this.#tips.entries()) {
      const place = { branch: tree.branchOfTip(tip.id), position }
      if (held[index] === true) tree.markHeld(place)
      else tree.markLacked(place)
    }
    return tree.isConsistent
  }

  /** Takes the answers to samples. False where they contradict what was said (SPEC RS-16). */
  takeAnswers(places: readonly Place[], held: readonly boolean[]): boolean {
    const tree = this.#loaded()
    for (const [index, place] of places.entries()) {
      if (held[index] === true) tree.markHeld(place)
      else tree.markLacked(place)
    }
    return tree.isConsistent
  }

  /** Samples that help to trace the tips that the other side lacks (SPEC RS-15), at most `max`. */
  async samples(max: number): Promise<readonly (Place & TaggedPosition)[]> {
    const tree = this.#tree
    if (tree === null || this.#isComplete) return []
    const untraced = this.#untraced().map(({ tip, position }) => ({ branch: tree.branchOfTip(tip.id), position }))
    const places = tree.samplesBelow(untraced, max)
    const tags = await this.#tagsAt(places, this.#budgetFor(places.length))
    return tags === null ? [] : places.map((place, index) => ({ ...place, tag: tags[index] ?? EMPTY }))
  }

  /** What is to be sent, in an order in which each event comes after its predecessor. */
  async runs(): Promise<readonly BranchRun[]> {
    if (this.#lacked === null || this.#lacked.length === 0) return []
    // What is sent is worth reading, whatever the peer has cost so far.
    const tree = await this.#load(null)
    if (tree === null) return []
    const untraced = new Set(this.#untraced())
    const traced = this.#lacked.filter((tip) => !untraced.has(tip))
    return tree.runsTo(traced.map(({ tip, position }) => ({ branch: tree.branchOfTip(tip.id), position })))
  }

  #untraced(): readonly NamedTip[] {
    if (this.#lacked === null || this.#lacked.length === 0) return []
    if (this.#isComplete) return []
    const tree = this.#tree
    if (tree === null) return this.#lacked
    return this.#lacked.filter(({ tip, position }) => !tree.isTraced({ branch: tree.branchOfTip(tip.id), position }))
  }

  async #locate(theirs: readonly TaggedPosition[]): Promise<readonly (Place | null)[] | null> {
    const budget = this.#budgetFor(theirs.length)
    const tree = await this.#load(budget)
    if (tree === null) return null
    const unnamed = theirs.filter((tagged) => !this.#tagged.has(nameOf(tagged)))
    const places = this.#placesAt(tree, new Set(unnamed.map(({ position }) => position)), budget)
    const tags = places === null ? null : await this.#tagsAt(places, budget)
    if (places === null || tags === null) return null
    const byName = new Map(
      places.map((place, index) => [nameOf({ position: place.position, tag: tags[index] ?? EMPTY }), place])
    )
    return theirs.map((tagged) => {
      const own = this.#tagged.get(nameOf(tagged))
      if (own !== undefined) return { branch: tree.branchOfTip(own.tip.id), position: own.position }
      return byName.get(nameOf(tagged)) ?? null
    })
  }

  /** All places at these positions; null where the budget can't pay for looking at them. */
  #placesAt(tree: BranchTree, positions: ReadonlySet<number>, budget: LookupBudget | null): readonly Place[] | null {
    if (budget?.take(Math.floor((positions.size * tree.size) / BRANCHES_OF_LOOKUP)) === false) return null
    const places: Place[] = []
    let unknown = 0
    for (const position of positions) {
      for (const place of tree.innerPlacesAt(position)) {
        // What is looked up once costs nothing more.
        if (!this.#tags.has(keyOf(place))) unknown += 1
        if (budget !== null && unknown > budget.left) return null
        places.push(place)
      }
    }
    return places
  }

  /** Tags of the events at these places; null where the budget is spent. */
  async #tagsAt(places: readonly Place[], budget: LookupBudget | null): Promise<readonly Uint8Array[] | null> {
    const { view, salt } = this.#ports
    const unknown = places.filter((place) => !this.#tags.has(keyOf(place)))
    if (budget?.take(unknown.length) === false) return null
    for (let from = 0; from < unknown.length; from += LOOKUPS_AT_ONCE) {
      const some = unknown.slice(from, from + LOOKUPS_AT_ONCE)
      const before = view.reads
      const ids = await view.idsAt(this.chain, some)
      for (const [index, place] of some.entries()) this.#tags.set(keyOf(place), tagOf(salt, ids[index] ?? ''))
      // Paid for are as many reads as there are places.
      budget?.spend(Math.floor(Math.max(0, view.reads - before - some.length) / READS_OF_LOOKUP))
      if (budget?.left === 0 && from + LOOKUPS_AT_ONCE < unknown.length) return null
    }
    return places.map((place) => this.#tags.get(keyOf(place)) ?? EMPTY)
  }

  /**
   * What looking at so many events of the other side may cost. A chain without forks, of which one is looked at, costs
   * little, whatever else is in the session: else the forks of one key would keep all other chains from being synced.
   */
  #budgetFor(events: number): LookupBudget | null {
    return this.#tips.length === 1 && events <= 1 ? null : this.#ports.budget
  }

  #loaded(): BranchTree {
    if (this.#tree === null) throw new Error('the branches of the chain are not loaded')
    return this.#tree
  }

  /** Null where the budget is spent. */
  async #load(budget: LookupBudget | null): Promise<BranchTree | null> {
    this.#tree ??= await BranchTree.load(
      this.#ports.view,
      this.chain,
      this.#tips.map(({ tip }) => tip),
      budget
    )
    return this.#tree
  }
}

const EMPTY = new Uint8Array()

const keyOf = ({ branch, position }: Place): string => `${branch} ${position}`

const nameOf = ({ position, tag }: TaggedPosition): string => `${position} ${toHex(tag)}`

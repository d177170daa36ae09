import type { LookupBudget } from './lookups.ts'
import type { BranchRun, Place, SyncView } from './sync-view.ts'
import type { ChainTip } from './tip-table.ts'

/** SPEC RS-15: at most so many samples of one path. */
const SAMPLES_OF_PATH_MAX = 15

interface Branch {
  readonly from: number
  readonly parent: number | null
  /** The highest position of it that a path here reaches. */
  to: number
  /** Whether `to` is a tip that was named, so that its tag is known. */
  endsWithTip: boolean
  /** The highest position that the other side is known to hold; below `from` where none is. */
  heldTo: number
  /** The lowest position that the other side is known to lack. */
  lackedFrom: number
}

/** What is known of a path: held up to `low` (0 where nothing is), lacked from `lackedFrom` on. */
interface Known {
  readonly low: number
  readonly lackedFrom: number
}

/**
 * The branches that lead to some tips of a chain, and how far the other side holds them. Who holds an event holds its
 * ancestors, so of each branch it holds a beginning, and lacks the rest.
 */
export class BranchTree {
  readonly #branches: Map<number, Branch>
  readonly #branchOfTip: ReadonlyMap<string, number>
  /** What `#below` found, by branch, until something is marked: one entry for each branch at most. */
  readonly #found = new Map<number, Known>()
  #isConsistent = true

  private constructor(branches: Map<number, Branch>, branchOfTip: ReadonlyMap<string, number>) {
    this.#branches = branches
    this.#branchOfTip = branchOfTip
  }

  /** Reads the branches; null where a budget is given and spent before all are read. */
  static async load(
    view: SyncView,
    chain: string,
    tips: readonly ChainTip[],
    budget: LookupBudget | null
  ): Promise<BranchTree | null> {
    const branches = new Map<number, Branch>()
    const branchOfTip = new Map<string, number>()
    if (budget?.take(tips.length) === false) return null
    for (const tip of tips) {
      let place: Place | null = { branch: await view.branchOf(chain, tip), position: tip.authorSeq }
      branchOfTip.set(tip.id, place.branch)
      let endsWithTip = true
      while (place !== null) {
        const known = branches.get(place.branch)
        if (known !== undefined) {
          if (known.to < place.position) Object.assign(known, { to: place.position, endsWithTip })
          break
        }
        if (budget?.take(1) === false) return null
        const { from, parent } = await view.originOf(chain, place.branch)
        const unknown = { heldTo: from - 1, lackedFrom: Infinity }
        branches.set(place.branch, { from, parent, to: place.position, endsWithTip, ...unknown })
        place = parent === null ? null : { branch: parent, position: from - 1 }
        endsWithTip = false
      }
    }
    return new BranchTree(branches, branchOfTip)
  }

  /** Whether nothing was said to be held whose ancestor was said to be lacking (SPEC RS-16). */
  get isConsistent(): boolean {
    return this.#isConsistent
  }

  /** How many branches there are. */
  get size(): number {
    return this.#branches.size
  }

  branchOfTip(id: string): number {
    const branch = this.#branchOfTip.get(id)
    if (branch === undefined) throw new Error(`${id} is no tip that was loaded`)
    return branch
  }

  /** Every place at this position that is not a named tip. */
  *innerPlacesAt(position: number): Generator<Place> {
    for (const [branch, { from, to, endsWithTip }] of this.#branches) {
      if (position >= from && (position < to || (position === to && !endsWithTip))) yield { branch, position }
    }
  }

  /** The other side holds this event, and so its ancestors. */
  markHeld(place: Place): void {
    this.#found.clear()
    for (let at: Place | null = place; at !== null; at = this.#placeBelow(at.branch)) {
      const branch = this.#at(at.branch)
      if (branch.heldTo >= at.position) return
      branch.heldTo = at.position
      if (branch.heldTo >= branch.lackedFrom) this.#isConsistent = false
    }
  }

  /** The other side lacks this event, and so what follows it. */
  markLacked({ branch, position }: Place): void {
    this.#found.clear()
    const lacked = this.#at(branch)
    lacked.lackedFrom = Math.min(lacked.lackedFrom, position)
    if (lacked.heldTo >= lacked.lackedFrom) this.#isConsistent = false
  }

  /** Whether it is known where the path of this place, which the other side lacks, leaves what the other side holds. */
  isTraced(place: Place): boolean {
    const { low, high } = this.#gap(place)
    return high - low <= 1
  }

  /**
   * Places on the paths of these, which the other side lacks, whose event is not known to be held or lacked: those to
   * ask for next (SPEC RS-15), at most `max`.
   */
  samplesBelow(places: readonly Place[], max: number): readonly Place[] {
    const paths = places.map((place) => ({ place, ...this.#gap(place) }))
    const byStride = paths.map((path) => ({ ...path, stride: strideOf(path.low, path.high) }))
    const samples = new Map<string, Place>()
    const gone = new Set<number>()
    // Paths that meet go on together, and multiples of a greater stride are multiples of a smaller one. So whoever comes
    // to a branch after another need not go further, and a thousand forks cost no more than their branches.
    for (const { place, low, high, stride } of byStride.sort((left, right) => left.stride - right.stride)) {
      for (const { branch, from, to } of this.#runsDown(place)) {
        const first = Math.ceil(Math.max(from, low + 1) / stride) * stride
        for (let position = first; position <= Math.min(to, high - 1); position += stride) {
          if (samples.size === max) return [...samples.values()]
          samples.set(`${branch} ${position}`, { branch, position })
        }
        if (gone.has(branch)) break
        gone.add(branch)
      }
    }
    return [...samples.values()]
  }

  /** What the other side lacks of the paths of these places, each event after its predecessor. */
  runsTo(places: readonly Place[]): readonly BranchRun[] {
    const ends = new Map<number, number>()
    for (const place of places) {
      for (const { branch, to } of this.#runsDown(place)) {
        const known = ends.get(branch) ?? 0
        ends.set(branch, Math.max(known, to))
        // The rest of the way down was gone for another place.
        if (known > 0) break
      }
    }
    return [...ends]
      .sort(([left], [right]) => left - right)
      .map(([branch, to]) => ({ branch, from: this.#at(branch).heldTo + 1, to }))
      .filter(({ from, to }) => from <= to)
  }

  /** The highest position of the path that is known to be held, and the lowest that is known to be lacking. */
  #gap({ branch, position }: Place): { readonly low: number; readonly high: number } {
    const { low, lackedFrom } = this.#upTo({ branch, position })
    return { low, high: Math.min(position, lackedFrom) }
  }

  /** What is known of the path to this place; of what lies below its branch only if that was found before. */
  #upTo({ branch, position }: Place): Known {
    const { from, heldTo, lackedFrom } = this.#at(branch)
    const lacked = lackedFrom <= position ? lackedFrom : Infinity
    if (heldTo >= from) return { low: Math.min(heldTo, position), lackedFrom: lacked }
    const below = this.#below(branch)
    return { low: below.low, lackedFrom: Math.min(lacked, below.lackedFrom) }
  }

  /** What is known of the path below the beginning of a branch. */
  #below(branch: number): Known {
    const known = this.#found.get(branch)
    if (known !== undefined) return known
    const unknown: number[] = []
    for (let at: number | undefined = branch; at !== undefined && !this.#found.has(at);) {
      unknown.push(at)
      const below = this.#placeBelow(at)
      at = below === null || this.#isHeldIn(below.branch) ? undefined : below.branch
    }
    // From the root up, so that each finds that of the branch below it: forks can lie ten thousand deep.
    for (const at of unknown.reverse()) {
      const below = this.#placeBelow(at)
      this.#found.set(at, below === null ? { low: 0, lackedFrom: Infinity } : this.#upTo(below))
    }
    return this.#found.get(branch) ?? { low: 0, lackedFrom: Infinity }
  }

  #isHeldIn(branch: number): boolean {
    const { from, heldTo } = this.#at(branch)
    return heldTo >= from
  }

  /** The runs of a path from its end down to the first that the other side holds any event of. */
  *#runsDown(place: Place): Generator<BranchRun> {
    for (let at: Place | null = place; at !== null; at = this.#placeBelow(at.branch)) {
      const { from, heldTo } = this.#at(at.branch)
      yield { branch: at.branch, from: Math.max(from, heldTo + 1), to: at.position }
      if (heldTo >= from) return
    }
  }

  #placeBelow(branch: number): Place | null {
    const { from, parent } = this.#at(branch)
    return parent === null ? null : { branch: parent, position: from - 1 }
  }

  #at(branch: number): Branch {
    const found = this.#branches.get(branch)
    if (found === undefined) throw new Error(`no branch ${branch} was loaded`)
    return found
  }
}

/** The smallest power of 16 of which at most 15 multiples lie between the two. */
function strideOf(low: number, high: number): number {
  let stride = 1
  while (Math.floor((high - 1) / stride) - Math.floor(low / stride) > SAMPLES_OF_PATH_MAX) stride *= 16
  return stride
}

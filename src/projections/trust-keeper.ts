import type { LogReader, LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { organisationTrust, TrustView } from '../trust/trust-view.ts'
import type { ProjectionInstance } from './instance.ts'
import type { FoldTrust } from './key-effects.ts'
import { KeyEffects, NO_TRUST } from './key-effects.ts'
import type { HeadFact } from './pack-facts.ts'
import { HEADS_PREFIX, headKey } from './pack-facts.ts'
import { stateOfPack } from './pack-fold.ts'
import { isPack, packOf } from './packs.ts'
import type { Table } from './projection.ts'

/** The projection that the others are judged by. */
const TRUST_ANCHORS = 'trust-anchors'

/** In the order in which they are folded: what the others are judged by comes before them. */
export function anchorsFirst(instances: readonly ProjectionInstance[]): readonly ProjectionInstance[] {
  const isAnchors = ({ projection }: ProjectionInstance): boolean => projection.name === TRUST_ANCHORS
  return [...instances].sort((left, right) => Number(isAnchors(right)) - Number(isAnchors(left)))
}

/**
 * What the packs in force say at the position of `trust-anchors`, for the projections that depend on it: they are never
 * ahead of that position, and one that is behind it is folded anew up to it. So a pack that withdraws or restores the
 * effect of logged events is answered by leaving them behind; every other costs no more than it did.
 */
export class TrustKeeper {
  /** `null` where no projection keeps trust anchors: then there are no packs. */
  readonly anchors: ProjectionInstance | null
  readonly #effects: KeyEffects
  #view = new TrustView()

  constructor(instances: readonly ProjectionInstance[], log: LogReader) {
    this.anchors = instances.find(({ projection }) => projection.name === TRUST_ANCHORS) ?? null
    this.#effects = new KeyEffects(log)
  }

  /** At the position of `trust-anchors`. */
  get view(): TrustView {
    return this.#view
  }

  follows({ projection }: ProjectionInstance): boolean {
    return this.anchors !== null && projection.dependsOnTrust === true
  }

  /** Whether the instance is to be folded anew up to the position of `trust-anchors`. */
  isBehind(instance: ProjectionInstance): boolean {
    return this.anchors !== null && this.follows(instance) && instance.state.cursor < this.anchors.state.cursor
  }

  /** Reads the view from the facts, after a start or where `trust-anchors` was folded anew. */
  async load(): Promise<void> {
    let view = new TrustView()
    for await (const [key, fact] of this.anchors?.factsWithPrefix(HEADS_PREFIX) ?? []) {
      const orgId = key.slice(HEADS_PREFIX.length, -1)
      view = view.with(orgId, await trustAt(orgId, fact, this.#storedFacts()))
    }
    this.#view = view
  }

  /** What to ask for records that are folded anew up to a position. */
  trustOf(
    instance: ProjectionInstance,
    policy: PolicyView,
    upTo: number,
    view: TrustView = this.#view
  ): (records: readonly LoggedRecord[]) => Promise<FoldTrust> {
    if (!this.follows(instance)) return () => Promise.resolve(NO_TRUST)
    return (records) => this.#effects.of(records, upTo, { view, policy })
  }

  /** The first of the records that can be folded at once: one that changes what others mean stands alone. */
  async together(
    records: readonly LoggedRecord[],
    instances: readonly ProjectionInstance[]
  ): Promise<readonly LoggedRecord[]> {
    const follower = instances.find((instance) => this.follows(instance))
    if (follower === undefined || follower.policy === null) return records
    const packAt = records.findIndex(isPack)
    const before = packAt < 0 ? records : records.slice(0, Math.max(1, packAt))
    const { policy } = follower
    const restoringAt = await this.#effects.firstRestoring(before, { view: this.#view, policy })
    return restoringAt < 0 ? before : before.slice(0, Math.max(1, restoringAt))
  }

  /** Begins a fold of such records; `commit` makes what it found out the view. */
  turn(records: readonly LoggedRecord[]): TrustTurn {
    return new TrustTurn(records, { before: () => this.#view, effects: this.#effects }, (view) => {
      this.#view = view
    })
  }

  #storedFacts(): Pick<Table, 'get'> {
    const { anchors } = this
    return {
      async get(key) {
        for await (const [, fact] of anchors?.factsWithPrefix(key) ?? []) return fact
        return undefined
      }
    }
  }
}

/** One fold of a group of records by several projections, `trust-anchors` first. */
export class TrustTurn {
  readonly #records: readonly LoggedRecord[]
  /** As of now: a change of policy can have `trust-anchors` folded anew within the turn. */
  readonly #before: () => TrustView
  readonly #effects: KeyEffects
  readonly #onCommit: (view: TrustView) => void
  #after: TrustView | null = null
  #trust: Promise<FoldTrust> | null = null
  #leavesBehind: Promise<boolean> | null = null

  constructor(
    records: readonly LoggedRecord[],
    { before, effects }: { readonly before: () => TrustView; readonly effects: KeyEffects },
    onCommit: (view: TrustView) => void
  ) {
    this.#records = records
    this.#before = before
    this.#effects = effects
    this.#onCommit = onCommit
  }

  /** `trust-anchors` has folded the records; `facts` are those that it will have. */
  async anchorsFolded(facts: Pick<Table, 'get'>): Promise<void> {
    const orgId = this.#organisation()
    if (orgId === null) return
    this.#after = this.#before().with(orgId, await trustAt(orgId, await facts.get(headKey(orgId)), facts))
  }

  /** Whether those that depend on trust can't fold the records on top of what they have, and are to be left behind. */
  async leavesBehind(policy: PolicyView): Promise<boolean> {
    return await (this.#leavesBehind ??= this.#findWhetherAffected(policy))
  }

  /** What they need to know of the records. */
  async trust(policy: PolicyView): Promise<FoldTrust> {
    return await (this.#trust ??= this.#effects.of(this.#records, this.#upTo, { view: this.#view, policy }))
  }

  commit(): void {
    if (this.#after !== null) this.#onCommit(this.#after)
  }

  get #view(): TrustView {
    return this.#after ?? this.#before()
  }

  get #upTo(): number {
    return this.#records.at(-1)?.record.logSeq ?? 0
  }

  async #findWhetherAffected(policy: PolicyView): Promise<boolean> {
    const orgId = this.#organisation()
    if (orgId === null)
      return (await this.#effects.firstRestoring(this.#records, { view: this.#before(), policy })) >= 0
    const [before, after] = [this.#before().of(orgId), this.#view.of(orgId)]
    return await this.#effects.areAffected(orgId, before, after, { policy, upTo: this.#upTo })
  }

  /** Of the pack that the turn is about. */
  #organisation(): string | null {
    const pack = this.#records.find(isPack)
    return pack === undefined ? null : organisationOf(pack)
  }
}

function organisationOf({ event }: SharedRecord): string | null {
  const reading = packOf(event)
  return reading.ok ? reading.pack.orgId : null
}

async function trustAt(orgId: string, head: unknown, facts: Pick<Table, 'get'>) {
  const { hash = null } = (head ?? {}) as Partial<HeadFact>
  return hash === null ? undefined : organisationTrust(await stateOfPack(facts, orgId, hash))
}

import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { EventLog } from '../log/event-log.ts'
import { isStoreUnavailable } from '../log/level-store.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import { parsePolicy } from '../policy/policy.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { TrustView } from '../trust/trust-view.ts'
import { viewPolicy } from '../policy/policy-view.ts'
import { ProjectionInstance } from './instance.ts'
import { FoldProgress } from './fold-progress.ts'
import { NO_TRUST } from './key-effects.ts'
import { meaningAffected } from './policy-change.ts'
import type { EnginePorts } from './engine-ports.ts'
import type { Projection } from './projection.ts'
import { FoldAnew } from './projection.ts'
import { RefoldPace } from './refold-pace.ts'
import { RecordFeed, recordsAfter } from './record-feed.ts'
import type { ProjectionStatus, RebuildProgress, RebuiltProjection } from './projection-status.ts'
import { isOutdated, rebuiltOf, statusOf } from './projection-status.ts'
import { readState } from './state.ts'
import { TrustKeeper, anchorsFirst } from './trust-keeper.ts'

// Folding anew up to a position that the log has gone past begins the journal anew, which readers of changes notice; so
// nearer than this every position is stopped at, and a refold that many records want is done this often at most.
const NEAR_HEAD_RECORDS = 64

// A disk that is full does not become free faster than this.
const RETRY_AFTER_MS = 1_000

/**
 * Folds the log into all projections, in order, each with its own cursor that moves in the batch of its rows.
 * Folding follows the log by itself; readers ask `reached` when they must see a position.
 */
export class ProjectionEngine {
  readonly #log: EventLog
  readonly #store: Store
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #instances: readonly ProjectionInstance[]
  /** The same in the order in which they are folded. */
  readonly #foldOrder: readonly ProjectionInstance[]
  readonly #progress: FoldProgress
  readonly #feed = new RecordFeed()
  readonly #trust: TrustKeeper
  readonly #pace: RefoldPace
  #working: Promise<void> | null = null
  /** Why the last attempt at folding failed, or `null`. */
  #trouble: string | null = null
  /** A write has failed since, and may have written all the same. */
  #isUnsure = false
  #cancelRetry: (() => void) | null = null
  #stopListening: () => void = () => {}
  #closed = false

  private constructor(instances: readonly ProjectionInstance[], ports: EnginePorts) {
    this.#instances = instances
    this.#foldOrder = anchorsFirst(instances)
    this.#log = ports.log
    this.#store = ports.store
    this.#clock = ports.clock
    this.#logger = ports.logger
    this.#progress = new FoldProgress(ports.clock)
    this.#trust = new TrustKeeper(instances, ports.log)
    this.#pace = new RefoldPace(ports.clock, () => this.#advance())
  }

  /**
   * Takes the projections up where their cursors stand. One whose version differs from the stored one is folded anew
   * from the log before this resolves; if that fails it is halted. What an interrupted fold left behind is removed.
   */
  static async start(
    projections: readonly Projection[],
    ports: EnginePorts,
    onProgress?: RebuildProgress
  ): Promise<ProjectionEngine> {
    const instances: ProjectionInstance[] = []
    for (const projection of projections) {
      const state = await readState(ports.store, projection)
      const instance = new ProjectionInstance(projection, state, ports.store, ports.log)
      await instance.removeOtherGenerations()
      instances.push(instance)
    }
    const engine = new ProjectionEngine(instances, ports)
    await engine.#takeUp(onProgress)
    engine.#stopListening = ports.log.onAppended((records) => engine.#take(records))
    engine.#advance()
    return engine
  }

  /** What the packs in force say, as far as `trust-anchors` has come. */
  get trust(): TrustView {
    return this.#trust.view
  }

  /** The position of the log's last record: projections reach it by and by. */
  get head(): number {
    return this.#log.head.logSeq
  }

  /** Moves, and never back, whenever a query of any projection may be answered otherwise than before. */
  get revision(): number {
    return this.#instances.reduce((sum, { revision }) => sum + revision, 0)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The policy in force at a position; `null` before the first. */
  async policyAt(logSeq: number): Promise<PolicyView | null> {
    const body = await this.#log.lastPolicy(logSeq)
    return body === undefined ? null : viewPolicy(parsePolicy(body))
  }

  status(): ProjectionStatus[] {
    return this.#instances.map((instance) => statusOf(instance, this.head, this.#trouble))
  }

  /** Throws `UNKNOWN_PROJECTION`. */
  instance(name: string): ProjectionInstance {
    const found = this.#instances.find(({ projection }) => projection.name === name)
    if (found !== undefined) return found
    const known = this.#instances.map(({ projection }) => projection.name).join(', ')
    throw new AnchormeshError('UNKNOWN_PROJECTION', `there is no projection ${name}`, { hint: `there are: ${known}` })
  }

  get names(): readonly string[] {
    return this.#instances.map(({ projection }) => projection.name)
  }

  /** Calls `watcher` when a cursor moved, a projection halted or was folded anew, and at the end; returns how to stop. */
  onAdvanced(watcher: () => void): () => void {
    return this.#progress.onAdvanced(watcher)
  }

  /**
   * Resolves once the projection (all of them, without a name) has reached `logSeq`. Throws `PROJECTION_HALTED`, or
   * `NOT_YET` after `timeoutMs` (`null`: however long it takes) and when the node closes.
   */
  async reached(logSeq: number, timeoutMs: number | null, name?: string): Promise<void> {
    const waitedFor = name === undefined ? this.#instances : [this.instance(name)]
    await this.#progress.reached(waitedFor, logSeq, timeoutMs)
  }

  /**
   * Resolves once no projection is more than `records` positions behind the log, halted ones apart. Who takes in much
   * at once waits for it: else the folds would read from the log again what they could have had at hand.
   */
  async notFarBehind(records: number): Promise<void> {
    const isFar = (): boolean =>
      this.#instances.some(({ halted, state }) => halted === null && state.cursor < this.head - records)
    // While the store can't be written nothing moves, and the door says so to whoever comes.
    while (isFar() && !this.#closed && this.#trouble === null) await this.#progress.next()
  }

  /** Folds every projection anew from the log, beside the rows in use, and says whether the bytes came out the same. */
  async rebuild(onProgress?: RebuildProgress): Promise<RebuiltProjection[]> {
    return await this.#exclusively(async () => {
      const results: RebuiltProjection[] = []
      for (const instance of this.#foldOrder) {
        const before = await instance.fingerprint()
        await this.#refold(instance, onProgress)
        const after = await instance.fingerprint()
        results.push(rebuiltOf(instance, before, after))
      }
      return results
    })
  }

  /** Ends folding after the group in hand. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening()
    this.#cancelRetry?.()
    this.#pace.close()
    while (this.#working !== null) await this.#working
    this.#progress.close()
  }

  /** `trust-anchors` first: the others are judged by it, so it must not be behind any of them. */
  async #takeUp(onProgress?: RebuildProgress): Promise<void> {
    await this.#takeUpPolicies()
    const { anchors } = this.#trust
    const followers = this.#instances.filter((instance) => this.#trust.follows(instance))
    const least = Math.max(0, ...followers.map(({ state }) => state.cursor))
    if (anchors !== null && isOutdated(anchors, least)) await this.#refoldOrHalt(anchors, onProgress, least)
    else await this.#trust.load()
    for (const instance of this.#instances) {
      if (instance.halted === null && isOutdated(instance)) await this.#refoldOrHalt(instance, onProgress)
    }
  }

  async #takeUpPolicies(): Promise<void> {
    // One view of each policy, because what folds derive from it is kept by view.
    const policies = new Map<number, PolicyView | null>()
    for (const instance of this.#instances) {
      const { cursor } = instance.state
      if (!policies.has(cursor)) policies.set(cursor, await this.policyAt(cursor))
      instance.policy = policies.get(cursor) ?? null
    }
  }

  /** Goes on from what the store holds: what a failed write has written after all must not be folded once more. */
  async #takeUpStored(): Promise<void> {
    // It shows once the store was opened anew.
    await this.#log.recover()
    for (const instance of this.#instances) await instance.takeUpStored()
    await this.#takeUpPolicies()
    await this.#trust.load()
    this.#isUnsure = false
    this.#trouble = null
    this.#progress.tell()
  }

  #take(records: readonly LoggedRecord[]): void {
    this.#feed.take(records)
    this.#advance()
  }

  #advance(): void {
    if (this.#closed || this.#working !== null) return
    this.#working = this.#foldAll()
      .catch((error: unknown) => {
        this.#isUnsure = true
        this.#trouble = messageOf(error)
        this.#logger.error({ reason: this.#trouble }, 'projections could not be written; folding is tried again')
        // The log opens the store anew; without that it would refuse every further write.
        if (isStoreUnavailable(error)) this.#log.writeFailed(this.#trouble)
        this.#progress.tell()
        if (this.#closed) return
        this.#cancelRetry ??= this.#clock.after(RETRY_AFTER_MS, () => {
          this.#cancelRetry = null
          this.#advance()
        })
      })
      .finally(() => {
        this.#working = null
        if (this.#closed || this.#cancelRetry !== null) return
        if (this.#lagging() !== undefined) this.#advance()
        else this.#pace.wakeFor(this.#instances.filter((one) => one.halted === null && this.#trust.isBehind(one)))
      })
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    while (this.#working !== null) await this.#working
    const result = work()
    this.#working = result.then(
      () => undefined,
      () => void (this.#isUnsure = true)
    )
    try {
      return await result
    } finally {
      this.#working = null
      this.#progress.tell()
      this.#advance()
    }
  }

  /**
   * The one to go on with. Those that are to be folded anew wait until `trust-anchors` is near the head: however many
   * of its records want that, while much comes in it is done a few times, each for several times as many records.
   */
  #lagging(): ProjectionInstance | undefined {
    if (this.#closed) return undefined
    const open = this.#instances.filter(({ halted, state }) => halted === null && state.cursor < this.head)
    const behind = open.find((instance) => this.#trust.isBehind(instance) && this.#pace.isRested(instance))
    const others = open.filter((instance) => !this.#trust.isBehind(instance))
    const [last] = others.sort((left, right) => left.state.cursor - right.state.cursor)
    if (behind === undefined || last === undefined) return behind ?? last
    return this.head - (this.#trust.anchors?.state.cursor ?? 0) <= NEAR_HEAD_RECORDS ? behind : last
  }

  async #foldAll(): Promise<void> {
    if (this.#isUnsure) await this.#takeUpStored()
    for (let lagging = this.#lagging(); lagging !== undefined; lagging = this.#lagging()) {
      if (this.#trust.isBehind(lagging)) await this.#pace.measured(lagging, () => this.#refoldOrHalt(lagging))
      else await this.#foldOn(lagging.state.cursor)
      this.#trouble = null
      this.#progress.tell()
    }
  }

  async #foldOn(from: number): Promise<void> {
    const group = this.#foldOrder.filter(
      (instance) => instance.halted === null && instance.state.cursor === from && !this.#trust.isBehind(instance)
    )
    let records: readonly LoggedRecord[] = []
    try {
      records = await this.#trust.together(await recordsAfter(from, this.#log, this.#feed), group)
    } catch (error) {
      this.#haltAll(group, error)
    }
    await this.#foldGroup(group, records)
  }

  /** The log can't be read on: nobody may skip what stands there. */
  #haltAll(group: readonly ProjectionInstance[], error: unknown): void {
    for (const instance of group) this.#halt(instance, error)
  }

  async #foldGroup(group: readonly ProjectionInstance[], records: readonly LoggedRecord[]): Promise<void> {
    const last = records.at(-1)
    if (last === undefined) return
    let next: PolicyView | null
    try {
      next = last.scope === 'local' && last.event.type === 'policy' ? viewPolicy(parsePolicy(last.event.body)) : null
    } catch (error) {
      this.#haltAll(group, error)
      return
    }
    const operations: WriteOperation[] = []
    const turn = this.#trust.turn(records)
    const commits: (() => void)[] = [() => turn.commit()]
    for (const instance of group) {
      if (instance.halted !== null) continue
      const isFollower = this.#trust.follows(instance)
      const policy = next ?? instance.policy
      try {
        if (policy === null) throw new Error('the log does not begin with a policy')
        if (next !== null && (await this.#changesMeaning(instance, next, last.record.logSeq))) {
          await this.#refoldUpTo(instance, last.record.logSeq, next)
          continue
        }
        if (isFollower && (await turn.leavesBehind(policy))) continue
        const folded = await instance.fold(records, { policy, trust: isFollower ? await turn.trust(policy) : NO_TRUST })
        if (instance === this.#trust.anchors) await turn.anchorsFolded(folded.facts)
        for (const operation of folded.operations) operations.push(operation)
        commits.push(folded.commit)
      } catch (error) {
        if (!(error instanceof FoldAnew)) this.#halt(instance, error)
      }
    }
    await this.#store.write(operations, { sync: false })
    for (const commit of commits) commit()
    this.#forget()
    for (const instance of group) await instance.pruneJournal()
  }

  async #changesMeaning(instance: ProjectionInstance, next: PolicyView, logSeq: number): Promise<boolean> {
    if (!instance.projection.dependsOnPolicy || instance.policy === null) return false
    return await meaningAffected(instance.policy, next, this.#log, logSeq)
  }

  /** A store that can't be used just now is no fault of the fold: then this throws, and folding is tried again. */
  #halt(instance: ProjectionInstance, error: unknown): void {
    if (isStoreUnavailable(error)) throw error
    instance.halted = `stopped after position ${instance.state.cursor}: ${messageOf(error)}`
    if (instance === this.#trust.anchors) this.#haltFollowers()
    const fields = { projection: instance.projection.name, cursor: instance.state.cursor, reason: messageOf(error) }
    this.#logger.error(fields, 'a projection halted; it skips nothing: `anchormesh log verify` and `log rebuild` help')
  }

  /** Which events count is not known any more. */
  #haltFollowers(): void {
    for (const instance of this.#instances) {
      if (instance.halted !== null || !this.#trust.follows(instance)) continue
      this.#halt(instance, new Error('trust-anchors halted, which says whose events count'))
    }
  }

  /** Drops parsed records that every projection has folded. */
  #forget(): void {
    const folded = Math.min(...this.#instances.filter(({ halted }) => halted === null).map(({ state }) => state.cursor))
    this.#feed.forget(folded)
  }

  async #refoldOrHalt(instance: ProjectionInstance, onProgress?: RebuildProgress, least = 0): Promise<void> {
    try {
      await this.#refold(instance, onProgress, least)
    } catch (error) {
      this.#halt(instance, error)
    }
  }

  async #refold(instance: ProjectionInstance, onProgress?: RebuildProgress, least = 0): Promise<void> {
    const leader = this.#trust.follows(instance) ? this.#trust.anchors : null
    const own = instance.halted === null ? Math.max(instance.state.cursor, least) : this.head
    const upTo = leader?.state.cursor ?? own
    const policy = await this.policyAt(upTo)
    if (policy !== null) await this.#refoldUpTo(instance, upTo, policy, onProgress)
    else if (upTo > 0) throw new Error('the log does not begin with a policy')
  }

  async #refoldUpTo(
    instance: ProjectionInstance,
    upTo: number,
    policy: PolicyView,
    onProgress?: RebuildProgress
  ): Promise<void> {
    const { name } = instance.projection
    const trustOf = this.#trust.trustOf(instance, policy, upTo)
    await instance.refold(upTo, { policy, trustOf }, (done) => onProgress?.({ projection: name, done, total: upTo }))
    if (instance === this.#trust.anchors) await this.#trust.load()
  }
}

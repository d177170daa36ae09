import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Checkpoint } from '../../protocols/event/v1/checkpoint.ts'
import { CHECKPOINT_TYPE } from '../../protocols/event/v1/checkpoint.ts'
import type { AuthoredEvent, Author } from '../authoring/author.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { Clock } from '../platform/clock.ts'
import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import { messageOf } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import type { Logger } from '../platform/logger.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import { isCheckpoint } from '../projections/checkpointed.ts'
import type { Signer } from '../trust/signer.ts'
import type { KeptPorts } from './kept-checkpoints.ts'
import { checkpointsFolded, checkpointsUpTo, lastCheckpoint } from './kept-checkpoints.ts'
import { nextCheckpoint, ownLogProblem } from './own-log.ts'

// A draft that waits for co-signers, or peers that hold more of the own chain, are seldom gone sooner.
const RETRY_MS = 10_000
// A stop must not wait for peers that do not say what they hold of the own chain; the next start publishes then.
const STOP_MS = 2_000

export interface PublisherPorts extends KeptPorts {
  readonly author: Author
  /** Hands an event of this node, which is in its log, to the mesh. */
  readonly publish: (event: AuthoredEvent) => Promise<unknown>
  readonly signer: () => Signer
  readonly clock: Clock
  readonly logger: Logger
  /** Time between two checkpoints, in milliseconds; without it none is published. */
  readonly checkpointMs: () => number | undefined
  /** Whether an unsigned pack waits for a place in this node's chain, which a checkpoint must not take. */
  readonly holdsDraft: () => boolean
}

/**
 * What came of the attempts to publish a checkpoint. `not-due`: the log has not grown; `held`: something stood in the
 * way, and it is tried again soon.
 */
export type CheckpointCounts = Counts<Attempt>
type Attempt = 'published' | 'not-due' | 'held'

/**
 * Publishes this node's checkpoints: at the interval if the log grew by anything but checkpoints, at once where a
 * restore began a new epoch, and before a clean stop.
 */
export class CheckpointPublisher {
  readonly #ports: PublisherPorts
  readonly #turns = new InTurn()
  readonly #attempts = new Tally<Attempt>({ published: 0, 'not-due': 0, held: 0 })
  #cancel: (() => void) | null = null
  /** The interval that the timer was set by; `null` while none is set. */
  #setBy: number | undefined | null = null
  #started = false
  #stopped = false

  constructor(ports: PublisherPorts) {
    this.#ports = ports
  }

  get counts(): CheckpointCounts {
    return this.#attempts.counts
  }

  start(): void {
    const { log, checkpointMs } = this.#ports
    this.#started = true
    // Neighbours hold a new epoch against the old one until they are told what it goes on from.
    this.#setTimer(log.restoredFrom === null ? checkpointMs() : 0)
  }

  /** To be told when the interval may be another; the same again does not put off what is due. */
  settingsChanged(): void {
    const { checkpointMs } = this.#ports
    if (!this.#started || this.#setBy === null || this.#setBy === checkpointMs()) return
    this.#cancel?.()
    this.#setTimer(checkpointMs())
  }

  /** Publishes for the last time, if there is something to say and nothing keeps it. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#cancel?.()
    if (!this.#started || this.#ports.checkpointMs() === undefined || this.#ports.log.tree.view === null) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#ports.clock.after(STOP_MS, resolve)
    await Promise.race([this.#attempt(), promise])
    cancel()
  }

  #setTimer(delayMs: number | undefined): void {
    if (this.#stopped) return
    const { clock, checkpointMs } = this.#ports
    this.#setBy = checkpointMs()
    this.#cancel =
      delayMs === undefined || this.#setBy === undefined
        ? null
        : clock.after(delayMs, () => void this.#attemptAndGoOn())
  }

  async #attemptAndGoOn(): Promise<void> {
    this.#setBy = null
    const attempt = await this.#attempt()
    const checkpointMs = this.#ports.checkpointMs()
    this.#setTimer(attempt === 'held' && checkpointMs !== undefined ? Math.min(RETRY_MS, checkpointMs) : checkpointMs)
  }

  async #attempt(): Promise<Attempt> {
    const attempt = await this.#tried()
    this.#attempts.add(attempt)
    return attempt
  }

  async #tried(): Promise<Attempt> {
    try {
      return await this.#turns.run(() => this.#publish())
    } catch (error) {
      this.#ports.logger.debug({ reason: messageOf(error) }, 'no checkpoint could be published; it is tried again')
      return 'held'
    }
  }

  async #publish(): Promise<Attempt> {
    const { author, publish, log, holdsDraft } = this.#ports
    // Before it is this node's turn in its chain: building takes long, and packs wait in the same line.
    await log.tree.ready()
    let attempt: Attempt = 'not-due'
    const authored = await author.authorDue(CHECKPOINT_TYPE, TRUST_NAMESPACE, async () => {
      if (holdsDraft()) attempt = 'held'
      return attempt === 'held' ? null : await this.#body()
    })
    if (authored === null) return attempt
    await publish(authored)
    return 'published'
  }

  /** Once this node's own chain is whole here: what it published before a loss is known. */
  async #body(): Promise<JsonObject | null> {
    const { log, signer } = this.#ports
    const { did, kid } = signer()
    await checkpointsFolded(this.#ports)
    const newest = await lastCheckpoint(this.#ports, { signer: did, kid })
    const tree = await log.tree.ready()
    const own = { epoch: log.epoch, restoredFrom: log.restoredFrom, tree }
    if (newest === null) return asJson(await nextCheckpoint(own, kid, none()))
    const { eventId: event, epoch, size, root } = newest
    // What contradicts the last one is said at once, for everybody to see: a node that lies would say nothing.
    const isAsBefore = epoch === log.epoch && (await ownLogProblem(own, { epoch, size, root })) === null
    if (isAsBefore && !(await this.#grewAfter(size))) return null
    return asJson(await nextCheckpoint(own, kid, checkpointsUpTo(this.#ports, event)))
  }

  /** Whether something else than checkpoints stands behind a position: else nodes would answer each other for ever. */
  async #grewAfter(logSeq: number): Promise<boolean> {
    const { log } = this.#ports
    for await (const record of log.records(logSeq, log.head.logSeq)) if (!isCheckpoint(parseRecord(record))) return true
    return false
  }
}

const asJson = (checkpoint: Checkpoint): JsonObject => checkpoint as unknown as JsonObject

async function* none(): AsyncGenerator<never> {
  // Nothing.
}

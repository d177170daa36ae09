import { findSealedBatch, announcedByOwner } from '../authoring/sealed-batches.ts'
import type { BatchIdentity, SealedBatchPorts } from '../authoring/sealed-batches.ts'
import { sealLeaves } from '../authoring/seal.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import type { SealingConfig } from '../policy/config-schema.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { BATCH_RECEIPTS_MAX } from '../projections/batch-sealed.ts'
import { retryDelay } from '../verification/retry-delay.ts'
import type { BatchCut, ReceiptQueue } from './receipt-queue.ts'

// Longer delays overflow the timers of the platform; a day later it is looked again.
const TIMER_MS_MAX = 86_400_000
// Two nodes of one organisation seal at the same second: 2^32 keep their batches apart.
const SUFFIX_BYTES = 4

/** How far sealing by schedule is in a namespace. Times are milliseconds since 1970. */
export interface SealingStatus {
  readonly namespace: string
  /** Receipts that wait to be sealed, and their bytes. */
  readonly receipts: number
  readonly bytes: number
  /** When they are sealed at the latest, while a node runs; null while none waits. */
  readonly nextSealAt: number | null
  /** What keeps them from being sealed; null while nothing does. */
  readonly problem: string | null
}

export interface SealingPorts extends SealedBatchPorts {
  readonly queue: ReceiptQueue
  readonly settings: () => Readonly<Record<string, SealingConfig>>
  readonly log: EventLog
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The chains that a batch of the namespace is anchored on. Throws `RAIL_NOT_CONFIGURED`. */
  readonly chainsOf: (namespace: string) => readonly string[]
  /** Has a sealed batch anchored on the chains, and announced once with all of them. Asking again changes nothing. */
  readonly anchor: (batch: BatchIdentity & { readonly batchRoot: string }, chains: readonly string[]) => Promise<void>
  /** Announces a sealed batch without evidence. */
  readonly announce: (namespace: string, batchId: string) => Promise<void>
}

/**
 * Seals by schedule what was handed in. A batch is cut before it is sealed, and its receipts leave the line only once the
 * log has the batch and what is to happen with it; each step finds out by itself whether it was taken before. So a crash
 * anywhere loses no receipt, seals none twice and announces once.
 */
export class Sealing {
  readonly #ports: SealingPorts
  readonly #timers = new Map<string, () => void>()
  readonly #runs = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, { readonly count: number; readonly reason: string; readonly retryMs: number }>()
  #started = false
  #stopped = false

  constructor(ports: SealingPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#started = true
    for (const namespace of Object.keys(this.#ports.settings())) void this.look(namespace)
  }

  /** Looks anew when each namespace is due, also at those that could not be sealed before. */
  settingsChanged(): void {
    this.#failures.clear()
    const names = new Set([...Object.keys(this.#ports.settings()), ...this.#timers.keys()])
    for (const namespace of names) void this.look(namespace)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const cancel of this.#timers.values()) cancel()
    await Promise.all(this.#runs.values())
  }

  async status(): Promise<readonly SealingStatus[]> {
    const { queue } = this.#ports
    const settings = this.#ports.settings()
    const names = new Set([...Object.keys(settings), ...(await queue.namespaces())])
    return await Promise.all(
      [...names].sort().map(async (namespace) => {
        const { receipts, bytes } = await queue.waiting(namespace)
        const reason = this.#failures.get(namespace)?.reason ?? null
        const problem = settings[namespace] === undefined ? 'sealing in federation.yaml no longer names it' : reason
        return { namespace, receipts, bytes, nextSealAt: await this.#dueAt(namespace), problem }
      })
    )
  }

  /**
   * Something was handed in, or it is time: seals now if that is due, else when it will be. Never rejects: what was
   * handed in stays so, whatever becomes of this look.
   */
  async look(namespace: string): Promise<void> {
    if (!this.#started || this.#stopped || this.#runs.has(namespace)) return
    const { clock, random, logger } = this.#ports
    try {
      const dueAt = await this.#dueAt(namespace)
      if (this.#stopped || this.#runs.has(namespace)) return
      this.#timers.get(namespace)?.()
      this.#timers.delete(namespace)
      if (dueAt === null) return
      const retryMs = this.#failures.get(namespace)?.retryMs ?? Number.NEGATIVE_INFINITY
      const delayMs = Math.max(dueAt - clock.now(), retryMs - clock.monotonicMs())
      if (delayMs <= 0) this.#run(namespace)
      else this.#lookLater(namespace, delayMs)
    } catch (error) {
      logger.error({ namespace, reason: messageOf(error) }, 'receipts that wait could not be counted')
      this.#lookLater(namespace, retryDelay(1, 0, random))
    }
  }

  #lookLater(namespace: string, delayMs: number): void {
    if (this.#stopped) return
    this.#timers.get(namespace)?.()
    this.#timers.set(
      namespace,
      this.#ports.clock.after(Math.min(TIMER_MS_MAX, delayMs), () => {
        this.#timers.delete(namespace)
        void this.look(namespace)
      })
    )
  }

  /** Never rejects: what goes wrong is told, and tried again. */
  #run(namespace: string): void {
    const run = this.#sealNext(namespace)
      .then(() => void this.#failures.delete(namespace))
      .catch((error: unknown) => {
        if (this.#stopped) return
        const reason = messageOf(error)
        const { clock, random } = this.#ports
        const count = (this.#failures.get(namespace)?.count ?? 0) + 1
        this.#failures.set(namespace, { count, reason, retryMs: clock.monotonicMs() + retryDelay(count, 0, random) })
        this.#ports.logger.error({ namespace, reason }, 'receipts could not be sealed; it is tried again')
      })
      .then(async () => {
        this.#runs.delete(namespace)
        await this.look(namespace)
      })
    this.#runs.set(namespace, run)
  }

  async #sealNext(namespace: string): Promise<void> {
    const { queue, engine } = this.#ports
    await queue.recover()
    const sealed = await queue.undisturbed(() => this.#cutAndSeal(namespace))
    if (sealed === null) return
    const { cut, identity, batchRoot } = sealed
    if (cut.chains.length > 0) await this.#ports.anchor({ ...identity, batchRoot }, cut.chains)
    else if (!(await announcedByOwner(engine, identity))) await this.#ports.announce(namespace, cut.batchId)
    await queue.finish(namespace, cut)
  }

  /** `null` where no receipt is left of those that were to be sealed: all were forgotten. */
  async #cutAndSeal(
    namespace: string
  ): Promise<{ readonly cut: BatchCut; readonly identity: BatchIdentity; readonly batchRoot: string } | null> {
    const { queue, log, engine, policy } = this.#ports
    const cut = (await queue.cut(namespace)) ?? (await this.#newCut(namespace))
    if (cut === null) return null
    const identity = { namespace, owner: policy().self.orgId, batchId: cut.batchId }
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'batches')
    const before = await findSealedBatch(this.#ports, identity)
    if (before !== null) return { cut, identity, batchRoot: before.batchRoot }
    if ((await queue.leaves(namespace, cut).next()).done === true) {
      await queue.finish(namespace, cut)
      return null
    }
    const { batchRoot } = await sealLeaves(identity, queue.leaves(namespace, cut), this.#ports)
    return { cut, identity, batchRoot }
  }

  /** Nothing is sealed that could not be anchored and announced: until then the receipts wait, where they are safe. */
  async #newCut(namespace: string): Promise<BatchCut | null> {
    const { queue, policy, clock, random, chainsOf } = this.#ports
    const settings = this.#ports.settings()
    if ((await queue.waiting(namespace)).receipts === 0) return null
    const { self } = policy()
    if (!policy().hasRole(namespace, self.did, 'announce'))
      throw new AnchormeshError('PUBLISH_REFUSED', `this node may not announce in ${namespace}`)
    const most = Math.min(settings[namespace]?.maxReceipts ?? BATCH_RECEIPTS_MAX, BATCH_RECEIPTS_MAX)
    const batchId = `scheduled-${basicTime(clock.now())}-${toHex(random.bytes(SUFFIX_BYTES))}`
    return await queue.makeCut(namespace, most, { batchId, chains: chainsOf(namespace) })
  }

  /**
   * At the next whole multiple of the interval after the oldest was handed in, or as soon as enough wait. A batch that is
   * being sealed is finished first, also where nothing waits any more because its receipts were forgotten meanwhile.
   */
  async #dueAt(namespace: string): Promise<number | null> {
    const { queue, clock } = this.#ports
    const setting = this.#ports.settings()[namespace]
    const { receipts, oldestAt } = await queue.waiting(namespace)
    if (setting === undefined) return null
    const now = clock.now()
    if ((await queue.cut(namespace)) !== null) return now
    if (oldestAt === null) return null
    const { everyMs, maxReceipts } = setting
    if (receipts >= Math.min(maxReceipts, BATCH_RECEIPTS_MAX)) return now
    // A clock that was set back puts nothing off for longer.
    return Math.min((Math.floor(oldestAt / everyMs) + 1) * everyMs, now + everyMs)
  }
}

/** `20261121T181500Z`: ISO 8601 basic, in UTC, to the second. */
function basicTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.[0-9]{3}/g, '')
}

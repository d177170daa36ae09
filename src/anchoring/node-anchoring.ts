import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { BatchIdentity } from '../authoring/sealed-batches.ts'
import { findSealedBatch, unknownBatch } from '../authoring/sealed-batches.ts'
import type { BlobStore } from '../log/blob-store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { SealingConfig } from '../policy/config-schema.ts'
import type { AnchoringRecord } from '../projections/anchoring-record.ts'
import type { Anchorer, RailName } from './anchorer.ts'
import { DRAFT_CHARACTERS_MAX, askAnchorer } from './ask-anchorer.ts'
import type { AnchoringCounts, AnchoringPorts, AnchoringResult, Group } from './anchoring.ts'
import { Anchoring } from './anchoring.ts'
import type { JobBookPorts } from './job-book.ts'
import { JobBook } from './job-book.ts'
import { chooseAnchorer } from './rails.ts'
import type { HandedIn, ReceiptQueue } from './receipt-queue.ts'
import type { SealingStatus } from './sealing.ts'
import { Sealing } from './sealing.ts'

// What a person can look through; the projection has all.
const STATUS_JOBS_MAX = 20
// A draft holds the proof as base64url, in an object.
export const PROOF_CHARACTERS_MAX = DRAFT_CHARACTERS_MAX - 64

/** Which batch is to be anchored where: on the chain, or on the first of the rail that is configured and counts. */
export interface AnchorRequest {
  readonly namespace: string
  readonly batchId: string
  readonly rail: RailName
  readonly chainId?: string
}

/** Which evidence the others that are announced with it are not to wait for. */
export interface SplitAnchorsRequest {
  readonly namespace: string
  readonly batchId: string
  /** Whole, as `eip155:1`. */
  readonly chainId: string
}

export interface ImportProofRequest {
  readonly namespace: string
  readonly batchId: string
  /** A pending OpenTimestamps proof over the batch's root (a `.ots` file), base64url, at most 32 KiB. */
  readonly proof: string
}

/** What was handed in, and when it is sealed at the latest, while a node runs; milliseconds since 1970. */
export interface HandInResult extends HandedIn {
  readonly nextSealAt: number | null
}

/** Making evidence, for operators. */
export interface AnchoringStatus {
  /** Batches and chains of which the evidence is under way, and those that failed for good. */
  readonly underWay: number
  readonly failed: number
  /** The first of them, in the order of their namespaces and batches. */
  readonly jobs: readonly AnchoringResult[]
  readonly sealing: readonly SealingStatus[]
}

export interface NodeAnchoringPorts extends Omit<AnchoringPorts, 'jobs' | 'self'>, JobBookPorts {
  readonly blobs: BlobStore
  readonly queue: ReceiptQueue
  readonly sealing: () => Readonly<Record<string, SealingConfig>>
}

/** What a node does to have its batches anchored: by command, and by schedule once it was started. */
export class NodeAnchoring {
  readonly #ports: NodeAnchoringPorts
  readonly #jobs: JobBook
  readonly #anchoring: Anchoring
  readonly #queue: ReceiptQueue
  readonly #sealing: Sealing

  constructor(ports: NodeAnchoringPorts) {
    this.#ports = ports
    this.#jobs = new JobBook(ports)
    this.#anchoring = new Anchoring({ ...ports, jobs: this.#jobs, self: ports.policy().self.did })
    this.#queue = ports.queue
    this.#sealing = new Sealing({
      ...ports,
      queue: this.#queue,
      settings: ports.sealing,
      chainsOf: (namespace) => this.#chainsOf(namespace),
      anchor: (batch, chains) => this.#anchorScheduled(batch, chains),
      announce: async (namespace, batchId) => void (await ports.announce({ namespace, batchId, timestampAnchors: [] }))
    })
  }

  start(): void {
    this.#anchoring.start()
    this.#sealing.start()
  }

  async stop(): Promise<void> {
    // At once: sealing may wait for a place among what is being anchored.
    await Promise.all([this.#sealing.stop(), this.#anchoring.stop()])
  }

  /** Other settings are in force: what waited for a rail, or for its time, is looked at anew. */
  settingsChanged(): void {
    this.#anchoring.goOnWithAll()
    this.#sealing.settingsChanged()
  }

  /**
   * Makes evidence for a sealed batch and announces it, as far as it goes now; asking again goes on with what is under
   * way, and never pays twice for it. Throws `RAIL_NOT_CONFIGURED`, `BATCH_UNKNOWN`, `PUBLISH_REFUSED`,
   * `ANCHORINGS_FULL`.
   */
  async anchor(request: AnchorRequest): Promise<AnchoringResult> {
    const batch = await this.#sealedBatch(request)
    const { chainId } = this.#anchorer(request)
    const alone: Group = { ...request, together: [chainId] }
    let group = alone
    await this.#anchoring.plan(alone, async ([known = null]) => {
      const isToBegin = known === null || (await this.#isToBeginAnew(known))
      if (known !== null && !(isToBegin && isAnnounced(known))) group = { ...request, together: known.together }
      return isToBegin ? [begunAnew(known, plannedJob(batch, chainId, group.together))] : []
    })
    return await this.#resultOn(group, chainId)
  }

  /** Goes on with all that is under way (in a namespace), now, and says how far each is. */
  async upgrade(
    namespace: string | undefined,
    onProgress: (done: number, total: number) => void
  ): Promise<readonly AnchoringResult[]> {
    const groups = await this.#anchoring.openGroups(namespace)
    let done = 0
    const results = await Promise.all(
      groups.map(async (group) => {
        const result = await this.#anchoring.goOn(group)
        done += 1
        onProgress(done, groups.length)
        return result
      })
    )
    return results.flat()
  }

  /**
   * Has the evidence of a batch on one chain no longer hold up what is announced together with it: the others are
   * announced as soon as they are whole, and it is gone on with by itself. Says how far each is. Throws
   * `BATCH_UNKNOWN`, `PUBLISH_REFUSED`, and `ANCHORING_UNKNOWN` where nothing waits for it.
   */
  async split(request: SplitAnchorsRequest): Promise<readonly AnchoringResult[]> {
    const { namespace, batchId, chainId } = request
    await this.#sealedBatch(request)
    const job = await this.#jobs.find(namespace, batchId, chainId)
    if (job === null || job.state === 'announced' || job.together.length === 1)
      throw new AnchormeshError('ANCHORING_UNKNOWN', `nothing of batch ${batchId} waits for evidence on ${chainId}`, {
        hint: 'anchormesh query anchorings shows what is announced together with what'
      })
    const groups = await this.#anchoring.split(job, chainId)
    return (await Promise.all(groups.map((group) => this.#anchoring.goOn(group)))).flat()
  }

  /**
   * Takes over an OpenTimestamps proof that somebody had made for the batch's root. Throws as `anchor` does, and
   * `ANCHORING_EXISTS` where the batch has evidence on Bitcoin, or it is under way, and `PROOF_INVALID` where nobody here
   * can go on with the proof.
   */
  async importProof({ namespace, batchId, proof }: ImportProofRequest): Promise<AnchoringResult> {
    const batch = await this.#sealedBatch({ namespace, batchId })
    const anchorer = this.#anchorer({ namespace, rail: 'btc' })
    const { chainId } = anchorer
    let group: Group = { namespace, batchId, together: [chainId] }
    await this.#anchoring.plan(group, async ([known = null], signal) => {
      const isFree = known === null || known.state === 'planned' || (await this.#isToBeginAnew(known))
      if (!isFree)
        throw new AnchormeshError(
          'ANCHORING_EXISTS',
          `batch ${batchId} has evidence on ${chainId}, or it is under way`,
          {
            hint: 'anchormesh query anchorings shows it; anchormesh anchor upgrade goes on with it'
          }
        )
      if (known !== null && !isAnnounced(known)) group = { namespace, batchId, together: known.together }
      const draft = { otsProof: proof }
      const job = { ...plannedJob(batch, chainId, group.together), state: 'under-way', attempts: 1, draft } as const
      return [await this.#takenOver(anchorer, job, signal)]
    })
    return await this.#resultOn(group, chainId)
  }

  /**
   * Queues receipts for the next scheduled batch, durably, all of them or none. Throws `SEALING_NOT_CONFIGURED`,
   * `RECEIPTS_INVALID`, `RECEIPTS_QUEUE_FULL`, `STORE_FULL`.
   */
  async handIn(namespace: string, receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>): Promise<HandInResult> {
    if (!Object.hasOwn(this.#ports.sealing(), namespace))
      throw new AnchormeshError('SEALING_NOT_CONFIGURED', `nothing is sealed by schedule in ${namespace}`, {
        hint: `Add ${namespace} under sealing in federation.yaml and reload it, or seal a batch now with --batch.`
      })
    const handedIn = await this.#queue.handIn(namespace, receipts)
    await this.#sealing.look(namespace)
    const status = (await this.#sealing.status()).find((sealing) => sealing.namespace === namespace)
    return { ...handedIn, nextSealAt: status?.nextSealAt ?? null }
  }

  get counts(): AnchoringCounts {
    return this.#anchoring.counts
  }

  async status(): Promise<AnchoringStatus> {
    const rows = await this.#jobs.openByNow()
    const failed = rows.filter(({ status }) => status === 'failed').length
    const shown = await Promise.all(rows.slice(0, STATUS_JOBS_MAX).map((row) => this.#jobs.recordOf(row)))
    const jobs = shown.map((job) => this.#anchoring.resultOf(job))
    return { underWay: rows.length - failed, failed, jobs, sealing: await this.#sealing.status() }
  }

  /** A sentence for each thing that an operator has to look into. */
  warningsOf({ failed, sealing }: AnchoringStatus): readonly string[] {
    const stalled = this.#anchoring.stalled()
    return [
      ...(stalled === null
        ? []
        : [
            `evidence does not get on, ${stalled.count} in all, on ${stalled.chainId} since ` +
              `${new Date(stalled.since).toISOString()} (${stalled.why}): mend it, or announce the rest without it ` +
              'with anchormesh anchor split'
          ]),
      ...(failed === 0
        ? []
        : [`the evidence for ${failed} batches failed too often: anchormesh query anchorings --status failed`]),
      ...sealing.flatMap(({ namespace, problem }) =>
        problem === null ? [] : [`receipts of ${namespace} wait and are not sealed: ${problem}`]
      )
    ]
  }

  /**
   * The job with the next step of a proof that came from outside. One that comes to nothing must not become a job that is
   * begun anew, because that might be paid for. It may be asked about before it is logged, because asking costs nothing.
   */
  async #takenOver(anchorer: Anchorer, job: AnchoringRecord, signal: AbortSignal): Promise<AnchoringRecord> {
    const answer = await askAnchorer(anchorer, job, this.#ports, signal)
    if (answer.state === 'failed')
      throw new AnchormeshError('PROOF_INVALID', `the proof is not taken over: ${answer.code}: ${answer.detail}`, {
        hint: 'It must be a pending proof over the root of this batch, by a calendar that federation.yaml names.'
      })
    return answer.state === 'under-way' ? { ...job, draft: answer.draft } : job
  }

  async #resultOn(group: Group, chainId: string): Promise<AnchoringResult> {
    const result = (await this.#anchoring.goOn(group)).find((of) => of.chainId === chainId)
    if (result === undefined) throw new Error(`no anchoring on ${chainId} was planned`)
    return result
  }

  /** After it failed for good, or was announced and its evidence turned out to be none. */
  async #isToBeginAnew(job: AnchoringRecord): Promise<boolean> {
    if (job.state !== 'announced') return job.state === 'failed'
    return (await this.#jobs.evidenceRow(job))?.status === 'invalid'
  }

  /** Who could not announce the evidence must not pay for it. */
  async #sealedBatch(request: Pick<BatchIdentity, 'namespace' | 'batchId'>): Promise<RootedBatch> {
    const { policy, log, engine } = this.#ports
    const { namespace, batchId } = request
    const { did, orgId } = policy().self
    if (policy().settings(namespace) === undefined) throw refused('NAMESPACE_NOT_CARRIED', namespace, 'is not carried')
    if (!policy().hasRole(namespace, did, 'announce'))
      throw refused('ROLE_MISSING', namespace, 'this node may not announce there')
    const identity = { namespace, owner: orgId, batchId }
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'batches')
    const sealed = await findSealedBatch(this.#ports, identity)
    if (sealed === null) throw unknownBatch(identity)
    return { ...identity, batchRoot: sealed.batchRoot }
  }

  #anchorer(request: Omit<AnchorRequest, 'batchId'>): Anchorer {
    const { anchorers, policy } = this.#ports
    return chooseAnchorer(request, anchorers(), policy())
  }

  #chainsOf(namespace: string): readonly string[] {
    const rails = this.#ports.sealing()[namespace]?.rails ?? []
    return rails.map((rail) => this.#anchorer({ namespace, rail }).chainId).sort()
  }

  async #anchorScheduled(batch: RootedBatch, together: readonly string[]): Promise<void> {
    const { namespace, batchId } = batch
    await this.#anchoring.plan({ namespace, batchId, together }, async (known) => {
      // All are written at once, so some are known only where somebody anchored the batch by hand meanwhile.
      const missing = together.filter((_, index) => known[index] === null)
      return missing.map((chainId) => plannedJob(batch, chainId, missing))
    })
    for (const group of await this.#anchoring.openGroups(namespace))
      if (group.batchId === batchId) this.#anchoring.begin(group)
  }
}

type RootedBatch = BatchIdentity & { readonly batchRoot: string }

function plannedJob(batch: RootedBatch, chainId: string, together: readonly string[]): AnchoringRecord {
  const nothing = { draft: null, timestampAnchor: null, code: null, detail: null, eventId: null }
  return { ...batch, chainId, together, state: 'planned', attempts: 0, ...nothing }
}

/** What is with it in an announce stands already, so that what takes its place is announced by itself. */
const isAnnounced = ({ state }: AnchoringRecord): boolean => state === 'announced'

/** What was paid for and announced may be in another block by now: its draft finds it there, and pays no second time. */
function begunAnew(known: AnchoringRecord | null, planned: AnchoringRecord): AnchoringRecord {
  if (known === null || !isAnnounced(known) || known.draft === null) return planned
  return { ...planned, state: 'under-way', attempts: 1, draft: known.draft }
}

function refused(code: string, namespace: string, why: string): AnchormeshError {
  return new AnchormeshError('PUBLISH_REFUSED', `not anchored: ${code}: ${namespace}: ${why}`, { detail: { code } })
}

import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { hasNoBatches } from '../policy/not-carried.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { sealReceipts } from './seal.ts'
import type { SealedBatch } from './seal.ts'
import { announcedByOwner, findSealedBatch } from './sealed-batches.ts'

export interface NewBatchesPorts {
  readonly engine: ProjectionEngine
  readonly log: EventLog
  readonly blobs: BlobStore
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly random: Random
}

/** Seals batches of this node's organisation, each once. */
export class NewBatches {
  readonly #ports: NewBatchesPorts
  /**
   * Batches whose receipts are being read, as many as there are callers: two seals of one batch could both find that it
   * is new.
   */
  readonly #sealing = new Set<string>()

  constructor(ports: NewBatchesPorts) {
    this.#ports = ports
  }

  /** Throws `BATCH_EXISTS`, `RECEIPTS_INVALID`, `NOT_FOUND`. */
  async seal(namespace: string, batchId: string, receipts: Parameters<typeof sealReceipts>[1]): Promise<SealedBatch> {
    const key = `${namespace}!${batchId}`
    if (this.#sealing.has(key)) throw batchExists(namespace, batchId, 'is being sealed right now')
    this.#sealing.add(key)
    try {
      return await this.#sealNew(namespace, batchId, receipts)
    } finally {
      this.#sealing.delete(key)
    }
  }

  async #sealNew(
    namespace: string,
    batchId: string,
    receipts: Parameters<typeof sealReceipts>[1]
  ): Promise<SealedBatch> {
    const { engine, log, blobs } = this.#ports
    const policy = this.#ports.policy()
    if (policy.settings(namespace) === undefined) throw hasNoBatches(namespace, policy.namespaces)
    const identity = { namespace, owner: policy.self.orgId, batchId }
    // A write that seemed to fail may have sealed the batch: the log must know what it holds before it is asked.
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'batches')
    if ((await findSealedBatch({ engine, blobs }, identity)) !== null) {
      throw batchExists(namespace, batchId, 'is sealed already')
    }
    // After a loss of the store its announcement came back by the mesh; a new root beside it would contradict it.
    if (await announcedByOwner(engine, identity)) {
      throw batchExists(namespace, batchId, 'was announced already, though its receipts are not here')
    }
    return await sealReceipts(identity, receipts, this.#ports)
  }
}

function batchExists(namespace: string, batchId: string, how: string): AnchormeshError {
  return new AnchormeshError('BATCH_EXISTS', `batch ${batchId} of ${namespace} ${how}`, {
    hint: 'choose another batch id'
  })
}

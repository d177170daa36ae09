import { MerkleTree } from '../../protocols/batch/v1/merkle.ts'
import { bytesOfHex, toHex } from '../../protocols/primitives/bytes.ts'
import type { BlobStore } from '../log/blob-store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { receiptsOfBatch } from '../projections/receipts.ts'

// As many blobs as are worth one read.
const BLOBS_PER_READ = 256

/** Where the batches of this node's organisation are looked up. */
export interface SealedBatchPorts {
  readonly engine: ProjectionEngine
  readonly blobs: BlobStore
}

export interface BatchIdentity {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
}

/** Root and number of receipts of a batch that was sealed here; `null` when there is none. */
export async function findSealedBatch(
  { engine }: SealedBatchPorts,
  { namespace, owner, batchId }: BatchIdentity
): Promise<{ batchRoot: string; receiptCount: number } | null> {
  for await (const row of engine.instance('batches').rowsWithPrefix(`${namespace}!${owner}!${batchId}!`)) {
    const receiptCount = row['receiptsSealed'] as number
    if (receiptCount > 0) return { batchRoot: row['batchRoot'] as string, receiptCount }
  }
  return null
}

/** Whether the log holds an announcement of the batch by its owner, with whatever root. */
export async function announcedByOwner(
  engine: ProjectionEngine,
  { namespace, owner, batchId }: BatchIdentity
): Promise<boolean> {
  for await (const row of engine.instance('batches').rowsWithPrefix(`${namespace}!${owner}!${batchId}!`)) {
    const announcements = row['announcements'] as readonly { readonly byOwner: boolean }[]
    if (announcements.some(({ byOwner }) => byOwner)) return true
  }
  return false
}

/** A receipt with its inclusion proof; hashes in hex, `record` as text or `null` when it was erased. */
export interface ReceiptProof extends BatchIdentity {
  readonly batchRoot: string
  readonly index: number
  readonly treeSize: number
  readonly leafHash: string
  readonly path: readonly string[]
  readonly record: string | null
}

/**
 * The receipts of a batch that was sealed here, in order. Keeps two hashes a receipt in memory. Throws `BATCH_UNKNOWN`.
 */
export async function* provenReceipts(ports: SealedBatchPorts, identity: BatchIdentity): AsyncGenerator<ReceiptProof> {
  const sealed = await findSealedBatch(ports, identity)
  if (sealed === null) throw unknownBatch(identity)
  const leaves: string[] = []
  for await (const row of ports.engine
    .instance('receipts')
    .rowsWithPrefix(receiptsOfBatch({ ...identity, batchRoot: sealed.batchRoot }))) {
    leaves.push(row['leafHash'] as string)
  }
  const tree = new MerkleTree(leaves.map(bytesOfHex))
  for (let from = 0; from < leaves.length; from += BLOBS_PER_READ) {
    const hashes = leaves.slice(from, from + BLOBS_PER_READ)
    const records = await ports.blobs.getMany(hashes)
    for (const [offset, leafHash] of hashes.entries()) {
      const index = from + offset
      const bytes = records[offset]
      const record = bytes === undefined ? null : Buffer.from(bytes).toString('utf8')
      const path = tree.inclusionProof(index).map(toHex)
      yield { ...identity, batchRoot: sealed.batchRoot, index, treeSize: leaves.length, leafHash, path, record }
    }
  }
}

export function unknownBatch({ namespace, batchId }: BatchIdentity): AnchormeshError {
  return new AnchormeshError('BATCH_UNKNOWN', `no batch ${batchId} of ${namespace} was sealed here`, {
    hint: 'seal it first: anchormesh seal'
  })
}

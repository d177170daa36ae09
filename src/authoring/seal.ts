import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { MerkleAccumulator, leafHash } from '../../protocols/batch/v1/merkle.ts'
import { SALT_BYTES, encodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { localEvent } from '../events/local.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import type { BatchSealed } from '../projections/batch-sealed.ts'
import { BATCH_RECEIPTS_MAX, LEAVES_PER_RECORD } from '../projections/batch-sealed.ts'
import type { BlobStore } from '../log/blob-store.ts'

const BLOBS_PER_WRITE = 256

export interface SealedBatch {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  /** RFC 6962 root over the receipts in the order in which they came, hex. */
  readonly batchRoot: string
  readonly receiptCount: number
  /** The log position of the batch's last record. */
  readonly logSeq: number
}

export interface SealPorts {
  readonly log: EventLog
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly random: Random
}

/**
 * Seals receipts into a batch: each gets its own salt and becomes a blob, their leaf hashes go into the log as one
 * append. Throws `RECEIPTS_INVALID` for none, too many, one that is too large or no I-JSON, or a bad batch id; then the
 * log holds nothing of it.
 */
export async function sealReceipts(
  identity: { readonly namespace: string; readonly owner: string; readonly batchId: string },
  receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>,
  ports: SealPorts
): Promise<SealedBatch> {
  if (!NAME_PATTERN.test(identity.batchId))
    throw invalid(`${identity.batchId} is no batch id`, 'use letters, digits and . _ : # -, at most 128')
  const leaves: string[] = []
  let batchRoot: string
  try {
    batchRoot = await storeReceipts(leaves, receipts, ports)
  } catch (error) {
    // Nothing would ever name them, so nobody could ask for their erasure. That this fails too, on a full disk, is not
    // what the caller must know.
    await Promise.allSettled([ports.blobs.delete(leaves, { sync: false })])
    throw error
  }
  const sealed = { ...identity, batchRoot, receiptCount: leaves.length }
  const ts = ports.clock.now()
  // The log may hold the batch even if this seems to fail, so the receipts stay.
  const records = await ports.log.append(
    parts(sealed, leaves).map((body) => ({ scope: 'local', event: localEvent('batch-sealed', ts, body) }))
  )
  return { ...sealed, logSeq: records.at(-1)?.record.logSeq ?? 0 }
}

/** Makes each receipt a blob, adds their leaf hashes to `leaves` as they come, and gives the root over them, hex. */
async function storeReceipts(
  leaves: string[],
  receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>,
  ports: SealPorts
): Promise<string> {
  const tree = new MerkleAccumulator()
  let blobs: { hash: string; bytes: Uint8Array }[] = []
  for await (const receipt of receipts) {
    const index = leaves.length
    if (index === BATCH_RECEIPTS_MAX)
      throw invalid(`a batch has at most ${BATCH_RECEIPTS_MAX} receipts`, 'seal the rest as another batch')
    const encoded = encodeReceipt({ receipt, salt: ports.random.bytes(SALT_BYTES) })
    if (!encoded.ok)
      throw invalid(
        `receipt ${index + 1}: ${encoded.code}: ${encoded.detail}`,
        'a receipt is a JSON value of at most 64 KiB',
        { index }
      )
    const leaf = leafHash(encoded.record)
    tree.append(leaf)
    leaves.push(toHex(leaf))
    blobs.push({ hash: toHex(leaf), bytes: encoded.record })
    if (blobs.length < BLOBS_PER_WRITE) continue
    await ports.blobs.put(blobs, { sync: false })
    blobs = []
  }
  if (leaves.length === 0) throw invalid('there are no receipts', 'give at least one')
  // The receipts must be as durable as the log that names them, before it does.
  await ports.blobs.put(blobs, { sync: true })
  return toHex(tree.root())
}

function parts(sealed: Omit<BatchSealed, 'firstIndex' | 'leaves'>, leaves: readonly string[]): BatchSealed[] {
  const bodies: BatchSealed[] = []
  for (let firstIndex = 0; firstIndex < leaves.length; firstIndex += LEAVES_PER_RECORD) {
    bodies.push({ ...sealed, firstIndex, leaves: leaves.slice(firstIndex, firstIndex + LEAVES_PER_RECORD) })
  }
  return bodies
}

function invalid(message: string, hint: string, detail?: Readonly<Record<string, unknown>>): AnchormeshError {
  return new AnchormeshError('RECEIPTS_INVALID', message, detail === undefined ? { hint } : { hint, detail })
}

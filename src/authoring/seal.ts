import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { MerkleAccumulator, leafHash } from '../../protocols/batch/v1/merkle.ts'
import { SALT_BYTES, encodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { bytesOfHex, toHex } from '../../protocols/primitives/bytes.ts'
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
    throw receiptsInvalid(`${identity.batchId} is no batch id`, 'use letters, digits and . _ : # -, at most 128')
  const leaves: string[] = []
  const tree = new MerkleAccumulator()
  try {
    // The receipts must be as durable as the log that names them, before it does.
    await storeReceipts(receipts, ports, { sync: true }, (leaf) => {
      if (leaves.length === BATCH_RECEIPTS_MAX)
        throw receiptsInvalid(`a batch has at most ${BATCH_RECEIPTS_MAX} receipts`, 'seal the rest as another batch')
      tree.append(leaf)
      leaves.push(toHex(leaf))
    })
  } catch (error) {
    // Nothing would ever name them, so nobody could ask for their erasure. That this fails too, on a full disk, is not
    // what the caller must know.
    await Promise.allSettled([ports.blobs.delete(leaves, { sync: false })])
    throw error
  }
  return await logSealed({ ...identity, batchRoot: toHex(tree.root()), receiptCount: leaves.length }, leaves, ports)
}

/**
 * Seals receipts that are durable blobs already, by their leaf hashes (hex, in the batch's order): at least one, at most
 * `BATCH_RECEIPTS_MAX`.
 */
export async function sealLeaves(
  identity: { readonly namespace: string; readonly owner: string; readonly batchId: string },
  leaves: AsyncIterable<string>,
  ports: Pick<SealPorts, 'log' | 'clock'>
): Promise<SealedBatch> {
  const tree = new MerkleAccumulator()
  const hashes: string[] = []
  for await (const leaf of leaves) {
    tree.append(bytesOfHex(leaf))
    hashes.push(leaf)
  }
  if (hashes.length === 0 || hashes.length > BATCH_RECEIPTS_MAX) throw new RangeError(`${hashes.length} leaves`)
  return await logSealed({ ...identity, batchRoot: toHex(tree.root()), receiptCount: hashes.length }, hashes, ports)
}

async function logSealed(
  sealed: Omit<SealedBatch, 'logSeq'>,
  leaves: readonly string[],
  ports: Pick<SealPorts, 'log' | 'clock'>
): Promise<SealedBatch> {
  const ts = ports.clock.now()
  // The log may hold the batch even if this seems to fail, so the receipts stay.
  const records = await ports.log.append(
    parts(sealed, leaves).map((body) => ({ scope: 'local', event: localEvent('batch-sealed', ts, body) }))
  )
  return { ...sealed, logSeq: records.at(-1)?.record.logSeq ?? 0 }
}

/**
 * Makes each receipt, with a salt of its own, a blob under its leaf hash. `onLeaf` is told of each before it is written;
 * what it throws ends the work. With `sync` all of them are durable when it resolves. Throws `RECEIPTS_INVALID` for none,
 * and for one that is too large or no I-JSON.
 */
export async function storeReceipts(
  receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>,
  { blobs, random }: Pick<SealPorts, 'blobs' | 'random'>,
  options: { readonly sync: boolean },
  onLeaf: (leaf: Uint8Array, recordBytes: number) => void
): Promise<void> {
  let index = 0
  let stored: { hash: string; bytes: Uint8Array }[] = []
  for await (const receipt of receipts) {
    const encoded = encodeReceipt({ receipt, salt: random.bytes(SALT_BYTES) })
    if (!encoded.ok)
      throw receiptsInvalid(
        `receipt ${index + 1}: ${encoded.code}: ${encoded.detail}`,
        'a receipt is a JSON value of at most 64 KiB',
        { index }
      )
    const leaf = leafHash(encoded.record)
    onLeaf(leaf, encoded.record.length)
    index += 1
    stored.push({ hash: toHex(leaf), bytes: encoded.record })
    if (stored.length < BLOBS_PER_WRITE) continue
    await blobs.put(stored, { sync: false })
    stored = []
  }
  if (index === 0) throw receiptsInvalid('there are no receipts', 'give at least one')
  await blobs.put(stored, options)
}

function parts(sealed: Omit<BatchSealed, 'firstIndex' | 'leaves'>, leaves: readonly string[]): BatchSealed[] {
  const bodies: BatchSealed[] = []
  for (let firstIndex = 0; firstIndex < leaves.length; firstIndex += LEAVES_PER_RECORD) {
    bodies.push({ ...sealed, firstIndex, leaves: leaves.slice(firstIndex, firstIndex + LEAVES_PER_RECORD) })
  }
  return bodies
}

/** What was handed in is no receipts, or not as many as it may be. */
export function receiptsInvalid(
  message: string,
  hint: string,
  detail?: Readonly<Record<string, unknown>>
): AnchormeshError {
  return new AnchormeshError('RECEIPTS_INVALID', message, detail === undefined ? { hint } : { hint, detail })
}

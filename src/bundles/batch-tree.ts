import { MerkleAccumulator } from '../../protocols/batch/v1/merkle.ts'
import { provingSubtrees } from '../../protocols/bundle/v1/range-proof.ts'
import type { Subtree } from '../../protocols/bundle/v1/range-proof.ts'
import { bytesOfHex, toHex } from '../../protocols/primitives/bytes.ts'
import { receiptKey, receiptsOfBatch } from '../projections/receipts.ts'
import type { ReceiptRow, RootedBatch } from '../projections/receipts.ts'
import type { RowsView } from '../projections/rows-view.ts'

/** A power of two. A batch of the largest size has 1,024 blocks: 100 KiB in memory, and one read to look into a block. */
export const BLOCK_LEAVES = 256

/**
 * The upper part of a batch's Merkle tree: one hash for each 256 leaves, so that range proofs need neither all leaves
 * in memory nor a walk over all of them. The leaves under a root never change, so it holds for ever.
 */
export class BatchTree {
  readonly batch: RootedBatch
  /** How many leaves the batch has. */
  readonly size: number
  /** Of 256 leaves each, the last perhaps of fewer. */
  readonly #blocks: readonly Uint8Array[]

  private constructor(batch: RootedBatch, size: number, blocks: readonly Uint8Array[]) {
    this.batch = batch
    this.size = size
    this.#blocks = blocks
  }

  /** Reads all leaves once; null where this node does not know each of them, or they don't stand under the root. */
  static async read(view: RowsView, batch: RootedBatch, size: number): Promise<BatchTree | null> {
    const blocks: Uint8Array[] = []
    let block = new MerkleAccumulator()
    let next = 0
    for await (const [, row] of view.range(receiptsOfBatch(batch))) {
      const { index, leafHash } = row as ReceiptRow
      if (index !== next || index >= size) return null
      next += 1
      block.append(bytesOfHex(leafHash))
      if (block.size < BLOCK_LEAVES) continue
      blocks.push(block.root())
      block = new MerkleAccumulator()
    }
    if (block.size > 0) blocks.push(block.root())
    if (next !== size || toHex(rootOver(blocks)) !== batch.batchRoot) return null
    return new BatchTree(batch, size, blocks)
  }

  /** The range proof (hashes, hex) of the leaves `from` ≤ index < `to`. */
  async proof(view: RowsView, from: number, to: number): Promise<readonly string[]> {
    const hashes: string[] = []
    for (const subtree of provingSubtrees(this.size, from, to)) hashes.push(toHex(await this.#hashOf(view, subtree)))
    return hashes
  }

  async #hashOf(view: RowsView, { start, count }: Subtree): Promise<Uint8Array> {
    const end = start + count
    // Subtrees begin at multiples of the largest power of two that they hold, so these are whole blocks.
    if (start % BLOCK_LEAVES === 0 && (count % BLOCK_LEAVES === 0 || end === this.size))
      return rootOver(this.#blocks.slice(start / BLOCK_LEAVES, Math.ceil(end / BLOCK_LEAVES)))
    const keys = Array.from({ length: count }, (_, offset) => receiptKey(this.batch, start + offset))
    return rootOver((await view.rows(keys)).map((row) => bytesOfHex((row as ReceiptRow).leafHash)))
  }
}

/** Whole subtrees of one size and a last one of any size make a tree as leaves do (BAT-7). */
function rootOver(hashes: readonly Uint8Array[]): Uint8Array {
  const accumulator = new MerkleAccumulator()
  for (const hash of hashes) accumulator.append(hash)
  return accumulator.root()
}

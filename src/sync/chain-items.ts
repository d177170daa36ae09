import { CHAIN_PREFIX_BYTES } from '../../protocols/range-sync/v1/frames.ts'
import { PackedItems } from '../../protocols/negentropy/v1/items.ts'
import { bytesOfHex } from '../../protocols/primitives/bytes.ts'
import type { ChainTips, TipView } from './tip-table.ts'

/** Timestamps of items are the first 4 bytes of chain ids (SPEC RS-10), in hex digits. */
const TIMESTAMP_DIGITS = 8
const ID_BYTES = 32

/** The items that stand for the chains of a view (SPEC RS-10). */
export function chainItems(tips: TipView): PackedItems {
  const timestamps = new BigUint64Array(tips.chains)
  const ids = new Uint8Array(tips.chains * ID_BYTES)
  let index = 0
  let group: ChainTips[] = []
  const flush = (): void => {
    // Chains stand in the order of their ids; those that share a timestamp have to be in that of their states.
    if (group.length > 1) group.sort((left, right) => Buffer.compare(left.state, right.state))
    for (const { chain, state } of group) {
      timestamps[index] = BigInt(timestampOf(chain))
      ids.set(state, index * ID_BYTES)
      index += 1
    }
    group = []
  }
  for (const chain of tips) {
    const [first] = group
    if (first !== undefined && timestampOf(first.chain) !== timestampOf(chain.chain)) flush()
    group.push(chain)
  }
  flush()
  return new PackedItems(timestamps, ids)
}

/** The bytes of a chain's prefix (RS-12). */
export function prefixOf(chain: string): Uint8Array {
  return bytesOfHex(chain).subarray(0, CHAIN_PREFIX_BYTES)
}

const timestampOf = (chain: string): number => Number.parseInt(chain.slice(0, TIMESTAMP_DIGITS), 16)

import { bytesOfHex, concat } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { TAG_BYTES } from '../../protocols/range-sync/v1/frames.ts'
import type { ChainTip, TipView } from './tip-table.ts'

/** A run of consecutive events of a branch: positions in the chain, both inclusive, from 1. */
export interface BranchRun {
  readonly branch: number
  readonly from: number
  readonly to: number
}

/** A place in a chain that may be forked. */
export interface Place {
  readonly branch: number
  readonly position: number
}

/** Where a branch begins. */
export interface BranchOrigin {
  /** The position of its first event. */
  readonly from: number
  /** The branch that holds the event before that; `null` where `from` is 1. */
  readonly parent: number | null
}

/**
 * What a session reads of this node: one frozen moment of one namespace. A *branch* is a piece of a chain without
 * forks. Its number means nothing, but that it is greater than that of the branch it leaves.
 */
export interface SyncView {
  readonly namespace: string
  /** The first 16 bytes of the membership digest. */
  readonly membership: Uint8Array
  readonly tips: TipView
  /** How much was read so far to find ids: grows by more than one for an id where a chain is forked again and again. */
  readonly reads: number
  /** The branch that ends with this tip. */
  branchOf(chain: string, tip: ChainTip): Promise<number>
  originOf(chain: string, branch: number): Promise<BranchOrigin>
  /** Event ids (hex) at places of a chain, in their order. */
  idsAt(chain: string, places: readonly Place[]): Promise<readonly string[]>
  /** The bytes of the events of a run, in order, in batches as they are read. */
  events(chain: string, run: BranchRun): AsyncIterable<readonly Uint8Array[]>
}

/** The tag of an event id (hex) under the salt of a session: 12 bytes. */
export function tagOf(salt: Uint8Array, id: string): Uint8Array {
  return sha256(concat(salt, bytesOfHex(id))).subarray(0, TAG_BYTES)
}

import type { Checkpoint, PreviousCheckpoint, RestoredCheckpoint } from '../../event/v1/checkpoint.ts'
import { bytesOfHex, toHex } from '../../primitives/bytes.ts'
import { emptyRoot, verifyConsistency } from './tree.ts'

/** Why a checkpoint contradicts another of the same log. */
export type AlarmCode = 'LOG_ROLLED_BACK' | 'LOG_REWRITTEN' | 'LOG_FORKED' | 'EPOCH_UNEXPLAINED'

/** A checkpoint that stands before another one in its chain. */
export interface KnownCheckpoint {
  /** The id of its event. */
  readonly event: string
  readonly epoch: string
  readonly size: number
  readonly root: string
  /** The size in the first of the checkpoints of its epoch that lead to it without another epoch between them. */
  readonly firstSizeOfEpoch: number
}

/** A log of one size. Root: hex. */
interface TreeState {
  readonly size: number
  readonly root: string
}

/**
 * What a checkpoint is an alarm for (SPEC CHK-20 to CHK-24), or null. `before` is the one before it in its chain; `base`
 * the one that `restored.event` names, if that is `before` or stands before it.
 */
export function judgeCheckpoint(
  checkpoint: Checkpoint,
  before: KnownCheckpoint | null,
  base: KnownCheckpoint | null
): AlarmCode | null {
  if (before === null) return null
  if (checkpoint.epoch !== before.epoch) return isExplained(checkpoint, before, base) ? null : 'EPOCH_UNEXPLAINED'
  if (checkpoint.size < before.size) return 'LOG_ROLLED_BACK'
  const { previous } = checkpoint
  const goesOn = names(previous, before) && isConsistent(before, checkpoint, previous.consistency ?? [])
  return goesOn ? null : 'LOG_REWRITTEN'
}

/** Whether the tree of `now` begins with that of `then`; every tree begins with the empty one, by the empty proof. */
export function isConsistent(then: TreeState, now: TreeState, proof: readonly string[]): boolean {
  if (then.size === 0)
    return proof.length === 0 && then.root === toHex(emptyRoot()) && (now.size > 0 || now.root === then.root)
  return verifyConsistency({
    from: then.size,
    fromRoot: bytesOfHex(then.root),
    to: now.size,
    toRoot: bytesOfHex(now.root),
    proof: proof.map(bytesOfHex)
  })
}

function isExplained(checkpoint: Checkpoint, before: KnownCheckpoint, base: KnownCheckpoint | null): boolean {
  const { previous, restored } = checkpoint
  if (!names(previous, before) || restored === undefined) return false
  if (!isConsistent(restored, checkpoint, restored.consistency)) return false
  const isOfLastEpoch = restored.epoch === before.epoch
  // Where nothing was lost, that must be shown.
  const isWhole = isOfLastEpoch && restored.size >= before.size
  if (isWhole && !isConsistent(before, checkpoint, previous.consistency ?? [])) return false
  if (restored.event !== undefined) return isBase(restored, base)
  return isOfLastEpoch && restored.size < before.firstSizeOfEpoch
}

function isBase({ event, epoch, size, root }: RestoredCheckpoint, base: KnownCheckpoint | null): boolean {
  return base !== null && base.event === event && base.epoch === epoch && base.size === size && base.root === root
}

function names(
  previous: PreviousCheckpoint | undefined,
  { event, size, root }: KnownCheckpoint
): previous is PreviousCheckpoint {
  return previous?.event === event && previous.size === size && previous.root === root
}

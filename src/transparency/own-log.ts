import type { AlarmCode } from '../../protocols/checkpoint/v1/judge.ts'
import type { Checkpoint, PreviousCheckpoint, RestoredCheckpoint } from '../../protocols/event/v1/checkpoint.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import type { RestoredFrom } from '../log/checkpoint-file.ts'
import type { TreeView } from '../log/tree-view.ts'

/** A checkpoint of this node's log, under whichever of its keys. */
export interface OwnCheckpoint {
  readonly event: string
  readonly kid: string
  readonly epoch: string
  readonly size: number
  readonly root: string
}

/** This node's log: its tree, and where that comes from. */
export interface OwnLog {
  readonly epoch: string
  readonly restoredFrom: RestoredFrom | null
  readonly tree: TreeView
}

/** In what this node's log is not the one that its own newest checkpoint speaks of; `null` where it is. */
export async function ownLogProblem(
  { epoch, restoredFrom, tree }: OwnLog,
  newest: Omit<OwnCheckpoint, 'event' | 'kid'>
): Promise<AlarmCode | null> {
  if (newest.epoch !== epoch) return restoredFrom === null ? 'EPOCH_UNEXPLAINED' : null
  if (newest.size > tree.size) return 'LOG_ROLLED_BACK'
  return (await holds(tree, newest)) ? null : 'LOG_REWRITTEN'
}

/**
 * The next checkpoint of this node's log, under the key `kid`. It says what is the case, also where that is an alarm: a proof that can't be
 * made is left out. `ancestors`: the checkpoint before it, then those before that.
 */
export async function nextCheckpoint(
  own: OwnLog,
  kid: string,
  ancestors: AsyncIterable<OwnCheckpoint>
): Promise<Checkpoint> {
  const { epoch, restoredFrom, tree } = own
  const { size } = tree
  let before: OwnCheckpoint | null = null
  let restored: RestoredCheckpoint | null = null
  for await (const ancestor of ancestors) {
    before ??= ancestor
    if (before.epoch === epoch || restoredFrom === null) break
    // What of its own past the restored log still holds, it goes on from; the rest was lost.
    if (ancestor.size > restoredFrom.size || !(await holds(tree, ancestor))) continue
    restored = { ...place(ancestor), epoch: ancestor.epoch, consistency: await proofFrom(tree, ancestor.size) }
    break
  }
  if (restored === null && restoredFrom !== null && before?.epoch !== epoch)
    restored = { ...restoredFrom, consistency: await proofFrom(tree, restoredFrom.size) }
  return {
    epoch,
    size,
    root: toHex(await tree.root(size)),
    ...(before === null ? {} : { previous: await previousOf(tree, before, kid) }),
    ...(restored === null ? {} : { restored })
  }
}

async function previousOf(tree: TreeView, before: OwnCheckpoint, kid: string): Promise<PreviousCheckpoint> {
  const named = before.kid === kid ? place(before) : { ...place(before), kid: before.kid }
  if (!(await holds(tree, before))) return named
  return { ...named, consistency: await proofFrom(tree, before.size) }
}

async function holds(
  tree: TreeView,
  { size, root }: { readonly size: number; readonly root: string }
): Promise<boolean> {
  return size <= tree.size && toHex(await tree.root(size)) === root
}

async function proofFrom(tree: TreeView, size: number): Promise<readonly string[]> {
  return size === 0 || size > tree.size ? [] : (await tree.consistency(size, tree.size)).map(toHex)
}

function place({ event, size, root }: OwnCheckpoint): { event: string; size: number; root: string } {
  return { event, size, root }
}

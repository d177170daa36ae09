import { verifyInclusion } from '../../../protocols/batch/v1/merkle.ts'
import { isSignedBy, originOf, parseCheckpoint } from '../../../protocols/checkpoint/v1/note.ts'
import type { CheckpointNote } from '../../../protocols/checkpoint/v1/note.ts'
import { recordHashAt, recordLeaf, verifyConsistency } from '../../../protocols/checkpoint/v1/tree.ts'
import { bytesOfHex, equalBytes, fromBase64url, toHex, utf8 } from '../../../protocols/primitives/bytes.ts'
import type { LogConsistencyAnswer, LogInclusionAnswer } from '../../api/log-proofs.ts'
import { verificationFailed } from '../errors.ts'
import type { Trust } from './trust.ts'

/** What a node's signed checkpoint says. */
export interface CheckedLog {
  /** `first`: there was none to hold it against. */
  readonly outcome: 'first' | 'same' | 'grown'
  /** The log: DID and kid of its key. */
  readonly origin: string
  readonly epoch: string
  readonly size: number
  /** Hex. */
  readonly root: string
  /** The note, to be kept. */
  readonly note: string
}

export type AskConsistency = (from: number, to: number) => Promise<LogConsistencyAnswer>

/**
 * Reads a checkpoint whose signature is good under a key that the app knows. Throws `VERIFICATION_FAILED` for
 * `CHECKPOINT_MALFORMED`, `SIGNER_NOT_TRUSTED`, `KEY_UNKNOWN`, `KEY_WEAK`, `SIGNATURE_INVALID`.
 */
export function readSignedCheckpoint(text: string, trust: Trust): CheckpointNote {
  const reading = parseCheckpoint(utf8(text))
  if (!reading.ok) throw verificationFailed(reading.code, reading.detail)
  const { note } = reading
  const { signer, kid } = note.name
  if (!trust.meansLogOf(signer)) throw verificationFailed('SIGNER_NOT_TRUSTED', `it is the log of ${signer}`)
  const keys = trust.findKeys(signer, kid)
  if (!keys.ok) throw verificationFailed(keys.code, keys.detail)
  if (!keys.keys.some((key) => isSignedBy(note, key)))
    throw verificationFailed('SIGNATURE_INVALID', `the checkpoint of ${originOf(note.name)} is not signed by its key`)
  return note
}

/**
 * Holds a checkpoint against the one that was kept. Throws `VERIFICATION_FAILED`: `ORIGIN_CHANGED` (another log),
 * `EPOCH_CHANGED` (the node was restored, or began anew), `LOG_ROLLED_BACK`, `LOG_FORKED` (two roots at one size),
 * `LOG_REWRITTEN` (it does not begin with what it was).
 */
export async function judgeLog(
  text: string,
  keptText: string | null,
  trust: Trust,
  ask: AskConsistency
): Promise<CheckedLog> {
  const note = readSignedCheckpoint(text, trust)
  const checked = {
    origin: originOf(note.name),
    epoch: note.epoch,
    size: note.size,
    root: toHex(note.root),
    note: text
  }
  if (keptText === null) return { outcome: 'first', ...checked }
  const kept = readSignedCheckpoint(keptText, trust)
  if (originOf(kept.name) !== checked.origin)
    throw verificationFailed('ORIGIN_CHANGED', `the log was ${originOf(kept.name)}, and is ${checked.origin}`)
  if (kept.epoch !== note.epoch)
    throw verificationFailed('EPOCH_CHANGED', `the log of epoch ${kept.epoch} has become one of epoch ${note.epoch}`)
  if (note.size < kept.size)
    throw verificationFailed('LOG_ROLLED_BACK', `the log had ${kept.size} records, and has ${note.size}`)
  if (note.size === kept.size) {
    if (!equalBytes(note.root, kept.root))
      throw verificationFailed('LOG_FORKED', `two roots over the same ${note.size} records are signed`)
    return { outcome: 'same', ...checked }
  }
  // Every log begins with the empty one.
  if (kept.size > 0) await requireConsistent(kept, note, ask)
  return { outcome: 'grown', ...checked }
}

async function requireConsistent(kept: CheckpointNote, note: CheckpointNote, ask: AskConsistency): Promise<void> {
  const { proof } = await ask(kept.size, note.size)
  const claim = { from: kept.size, fromRoot: kept.root, to: note.size, toRoot: note.root }
  if (!verifyConsistency({ ...claim, proof: proof.map(bytesOfHex) }))
    throw verificationFailed('LOG_REWRITTEN', `no proof leads from ${kept.size} to ${note.size} records`)
}

/**
 * Checks that the log under a checkpoint holds these wire bytes (base64url) at `logSeq`. Throws `VERIFICATION_FAILED`:
 * `NOT_IN_LOG`.
 */
export function requireIncluded(
  { logSeq, bytes }: { readonly logSeq: number; readonly bytes: string },
  note: CheckpointNote,
  { record, proof }: LogInclusionAnswer
): void {
  const wire = fromBase64url(bytes)
  if (record === null || wire === null || record.bytes !== bytes)
    throw verificationFailed('NOT_IN_LOG', `the log has something else at position ${logSeq}`)
  const { previousHash, recordedAt } = record
  const hash = recordHashAt(logSeq, { previousHash: bytesOfHex(previousHash), scope: 1, recordedAt, bytes: wire })
  const claim = { index: logSeq - 1, treeSize: note.size, path: proof.map(bytesOfHex), root: note.root }
  if (!verifyInclusion({ ...claim, leafHash: recordLeaf(hash) }))
    throw verificationFailed(
      'NOT_IN_LOG',
      `no proof leads from position ${logSeq} to the root over ${note.size} records`
    )
}

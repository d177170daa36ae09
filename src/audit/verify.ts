import { AuditChain, FIRST_BASE } from '../../protocols/audit/v1/record.ts'
import type { ChainProblem } from '../../protocols/audit/v1/record.ts'
import type { Store } from '../log/store.ts'
import { PROBLEMS_LISTED_MAX } from './limits.ts'
import type { AuditVerification } from './operations.ts'
import { lastStored, readBase, readHead, readSent, recordIn, storedAfter } from './stored.ts'

/** Of a node whose records go elsewhere. */
export const NOTHING_AUDITED: AuditVerification = {
  ok: true,
  records: 0,
  baseSeq: FIRST_BASE.seq,
  headSeq: FIRST_BASE.seq,
  headHash: FIRST_BASE.hash,
  problems: [],
  problemCount: 0
}

// Told so often that a person sees it move.
const PROGRESS_EVERY_RECORDS = 1_000

/**
 * Reads every record: does each stand for itself, does each follow the one before, is the last one that which was
 * written last, and is what the collector has got still the same. Works on one moment of the store.
 */
export async function verifyAudit(
  store: Store,
  onProgress: (done: number, total: number) => void = () => {}
): Promise<AuditVerification> {
  const snapshot = await store.snapshot()
  try {
    const problems: ChainProblem[] = []
    let problemCount = 0
    const found = (problem: ChainProblem | null): void => {
      if (problem === null) return
      problemCount += 1
      if (problems.length < PROBLEMS_LISTED_MAX) problems.push(problem)
    }
    const base = await readBase(snapshot)
    const head = await readHead(snapshot)
    const sent = await readSent(snapshot)
    const total = Math.max(0, ((await lastStored(snapshot))?.seq ?? 0) - base.seq)
    const chain = new AuditChain(base)
    let records = 0
    // From the very first: what stands before the base was to be dropped with it.
    for await (const { seq, bytes } of storedAfter(snapshot, 0)) {
      records += 1
      if (seq <= base.seq) found({ seq, problem: 'it was dropped, and is there again' })
      else found(chain.take(seq, bytes))
      const isOther = seq === sent?.seq && seq > base.seq && (recordIn(bytes)?.hash ?? sent.hash) !== sent.hash
      if (isOther) found({ seq, problem: 'it is not the one that the collector has got' })
      if (records % PROGRESS_EVERY_RECORDS === 0) onProgress(records, total)
    }
    onProgress(records, total)
    for (const problem of endProblems(chain.last, head, sent)) found(problem)
    return {
      ok: problemCount === 0,
      records,
      baseSeq: base.seq,
      headSeq: chain.last.seq,
      headHash: chain.last.hash,
      problems,
      problemCount
    }
  } finally {
    await snapshot.close()
  }
}

type Place = { readonly seq: number; readonly hash: string } | null

function endProblems(last: NonNullable<Place>, head: Place, sent: Place): ChainProblem[] {
  const next = last.seq + 1
  if (head === null)
    return last.seq === 0 ? [] : [{ seq: next, problem: 'what was noted of the last record is missing' }]
  if (head.seq > last.seq) return [{ seq: next, problem: `missing, up to ${head.seq}` }]
  if (head.seq < last.seq) return [{ seq: head.seq + 1, problem: 'it was not written by the node' }]
  if (head.hash !== last.hash) return [{ seq: last.seq, problem: 'it is not the one that was written' }]
  if (sent !== null && sent.seq > last.seq)
    return [{ seq: next, problem: `missing: the collector has got up to ${sent.seq}` }]
  return []
}

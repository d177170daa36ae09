import type { AuditBase } from '../../protocols/audit/v1/record.ts'
import { AuditChain } from '../../protocols/audit/v1/record.ts'
import type { StoreReader } from '../log/store.ts'
import { CHECKED_AT_OPEN } from './limits.ts'
import { lastStored, readBase, readHead, recordIn, storedAfter } from './stored.ts'
import type { AuditHead, StoredRecord } from './stored.ts'

/** An audit log as it was found. */
export interface OpenedAudit {
  readonly base: AuditBase
  /** Behind which the chain goes on. */
  readonly head: AuditHead
  readonly oldest: number | null
  readonly newest: number | null
  /** What is wrong with its end, or null. */
  readonly damage: string | null
}

/**
 * Reads where the chain stands, and checks its last records. Whatever is missing or altered, it goes on behind the last
 * record that was ever written, as far as that is known: the place of what is gone stays visible.
 */
export async function openAudit(store: StoreReader): Promise<OpenedAudit> {
  const base = await readBase(store)
  const noted = await readHead(store)
  const last = await lastStored(store)
  const lastSeq = Math.max(base.seq, last?.seq ?? 0)
  const head = noted !== null && noted.seq >= lastSeq ? noted : headOf(last, base, noted)
  const checkedAfter = Math.max(base.seq, lastSeq - CHECKED_AT_OPEN)
  const end = await recordsFrom(store, checkedAfter)
  return {
    base,
    head,
    oldest: await oldestAt(store, base.seq),
    newest: last === null ? null : (recordIn(last.bytes)?.at ?? null),
    damage: damageOf(noted, lastSeq, end, checkedAfter === base.seq ? base : null)
  }
}

function headOf(last: StoredRecord | null, base: AuditBase, noted: AuditHead | null): AuditHead {
  const policySeq = noted?.policySeq ?? 0
  if (last === null || last.seq <= base.seq) return { ...base, policySeq }
  return { seq: last.seq, hash: recordIn(last.bytes)?.hash ?? '0'.repeat(64), policySeq }
}

/** What is wrong with the last records, behind `base` where that is known; what has a record is not told again. */
function damageOf(
  noted: AuditHead | null,
  lastSeq: number,
  end: readonly StoredRecord[],
  base: AuditBase | null
): string | null {
  const told = end.findLastIndex(({ bytes }) => recordIn(bytes)?.action === 'AUDIT_DAMAGED')
  const [first, ...rest] = told < 0 ? end : end.slice(told)
  if (first !== undefined) {
    const chain = new AuditChain(told < 0 && base !== null ? base : beforeOf(first))
    for (const { seq, bytes } of [first, ...rest]) {
      const problem = chain.take(seq, bytes)
      if (problem !== null) return `record ${problem.seq}: ${problem.problem}`
    }
    if (noted?.seq === chain.last.seq && noted.hash !== chain.last.hash)
      return `record ${noted.seq}: it is not the one that was written`
  }
  if (noted === null) return lastSeq === 0 ? null : 'what was noted of the last record is missing'
  if (noted.seq > lastSeq) return `record ${lastSeq + 1}: missing, up to ${noted.seq}`
  return noted.seq < lastSeq ? `record ${noted.seq + 1}: it was not written by the node` : null
}

/** What the record itself says that it follows: whether that is so is not for the end of the chain to show. */
function beforeOf({ seq, bytes }: StoredRecord): AuditBase {
  return { seq: seq - 1, hash: recordIn(bytes)?.prev ?? '' }
}

async function recordsFrom(store: StoreReader, after: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for await (const stored of storedAfter(store, after)) records.push(stored)
  return records
}

async function oldestAt(store: StoreReader, after: number): Promise<number | null> {
  for await (const { bytes } of storedAfter(store, after)) {
    const record = recordIn(bytes)
    if (record !== null) return record.at
  }
  return null
}

import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { Verdict } from '../timestamps/verdict.ts'
import { verdictOf } from '../timestamps/verdict.ts'
import type { Candidate, Loser } from '../../protocols/winner/v1/winner.ts'
import { selectWinner } from '../../protocols/winner/v1/winner.ts'
import { Candidates } from './candidates.ts'
import type { FoldedClaim } from './claims.ts'
import { claimIn } from './claims.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

// Enough to see why a batch was decided as it was; all stand in `timestamp-anchors`. 64 are about 35 KiB of row.
const LOSERS_SHOWN_MAX = 64

export type WinnerRow = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  /** `proposed` while nothing that counts is verified here. */
  readonly status: 'proposed' | 'verified'
  readonly batchRoot: string | null
  readonly winner: Omit<Candidate, 'batchRoot'> | null
  /** The strongest of them, strongest first. */
  readonly losers: readonly Loser[]
  readonly loserCount: number
  /** Among the winner and all losers; milliseconds since 1970. */
  readonly earliestProvenTime: number | null
  /** Local: where this node first saw the owner announce the batch; `null` while only others speak of it. */
  readonly firstSeenLogSeq: number | null
  /** Local: how much evidence is verified here, that for roots which the owner did not announce included. */
  readonly verifiedHere: number
}

/**
 * The winner of each batch that its owner announced: the strongest timestamp anchor that this node verified, on a chain
 * that the namespace's policy lists, for a root that the owner announced. An owner's first announce of a batch costs
 * one row; what it says beside is looked up in the log when the first verdict comes. Further announces of a batch are
 * remembered among the facts.
 */
export const winners: Projection = {
  name: 'winners',
  version: 3,
  layout: {
    key: ['namespace', 'owner', 'batchId'],
    columns: [
      'status',
      'batchRoot',
      'winner',
      'losers',
      'loserCount',
      'earliestProvenTime',
      'firstSeenLogSeq',
      'verifiedHere'
    ]
  },
  dependsOnPolicy: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value
  },

  reads(record, policy) {
    if (record.scope === 'local') {
      const verdict = verdictOf(record.event)
      return verdict === null ? NO_KEYS : [batchKey(verdict)]
    }
    const claim = claimIn(record, policy)
    return claim === null || saysNothing(claim) ? NO_KEYS : [claimedBatch(claim)]
  },

  fold(record, context) {
    if (record.scope === 'shared') return foldAnnounce(record, context)
    const verdict = verdictOf(record.event)
    return verdict === null ? undefined : foldVerdict(verdict, context)
  },

  shared(row) {
    const { firstSeenLogSeq, verifiedHere: _local, ...shared } = row as WinnerRow
    return firstSeenLogSeq === null ? null : shared
  }
}

function foldAnnounce(record: SharedRecord, context: FoldContext): Promise<void> | void {
  const claim = claimIn(record, context.policy)
  if (claim === null || saysNothing(claim)) return undefined
  const key = claimedBatch(claim)
  const row = context.rows.at(key) as WinnerRow | undefined
  if (row !== undefined || !counts(claim)) return foldFurtherAnnounce(record, claim, row, context)
  const { namespace, owner } = claim
  context.rows.put(key, {
    ...emptyRow({ namespace, owner, batchId: claim.announce.batchId }),
    firstSeenLogSeq: record.record.logSeq
  })
  return undefined
}

async function foldFurtherAnnounce(
  record: SharedRecord,
  claim: FoldedClaim,
  row: WinnerRow | undefined,
  { rows, facts }: FoldContext
): Promise<void> {
  const key = claimedBatch(claim)
  const candidates = candidatesOf(key, row, facts)
  await candidates.announced(claim, record.event.id, counts(claim))
  if (row === undefined) return
  const seenFirst = counts(claim) && row.firstSeenLogSeq === null
  if (!seenFirst && !candidates.changed) return
  rows.put(key, await decided({ ...row, firstSeenLogSeq: row.firstSeenLogSeq ?? record.record.logSeq }, candidates))
}

async function foldVerdict(verdict: Verdict, context: FoldContext): Promise<void> {
  const { rows, facts, policy } = context
  const key = batchKey(verdict)
  const row = rows.at(key) as WinnerRow | undefined
  const { outcome, provenTime, position } = verdict
  const listed = policy.finality(verdict.namespace, verdict.chainId) !== undefined
  const verified = outcome === 'verified' && listed ? { provenTime, position } : null
  if (verified === null && (row?.verifiedHere ?? 0) === 0) return
  const candidates = candidatesOf(key, row, facts)
  if (row !== undefined && row.verifiedHere === 0) await rememberFirstAnnounce(row, candidates, context)
  if (await candidates.judged(verdict, verified)) rows.put(key, await decided(row ?? emptyRow(verdict), candidates))
}

/** The announce that made the row; remembering it again changes nothing. */
async function rememberFirstAnnounce(
  row: WinnerRow,
  candidates: Candidates,
  { log, policy }: FoldContext
): Promise<void> {
  if (row.firstSeenLogSeq === null) return
  const record = await log.read(row.firstSeenLogSeq)
  const first = record === undefined ? undefined : parseRecord(record)
  const claim = first === undefined ? null : claimIn(first, policy)
  if (claim === null || first?.scope !== 'shared') throw new Error(`position ${row.firstSeenLogSeq} holds no announce`)
  await candidates.announced(claim, first.event.id, counts(claim))
}

async function decided(row: WinnerRow, candidates: Candidates): Promise<JsonObject> {
  const { verified, counting } = candidates.counts
  const selected = selectWinner(await candidates.strongest(1 + LOSERS_SHOWN_MAX))
  const { batchRoot = null, ...winner } = selected?.winner ?? {}
  return {
    ...row,
    status: selected === null ? 'proposed' : 'verified',
    batchRoot,
    winner: selected === null ? null : winner,
    losers: selected?.losers ?? [],
    loserCount: Math.max(0, counting - 1),
    earliestProvenTime: await candidates.earliestProvenTime(),
    verifiedHere: verified
  }
}

function candidatesOf(key: string, row: WinnerRow | undefined, facts: FoldContext['facts']): Candidates {
  const counting = row === undefined || row.winner === null ? 0 : 1 + row.loserCount
  return new Candidates(facts, key, { verified: row?.verifiedHere ?? 0, counting })
}

function emptyRow({ namespace, owner, batchId }: Pick<WinnerRow, 'namespace' | 'owner' | 'batchId'>): WinnerRow {
  return {
    namespace,
    owner,
    batchId,
    status: 'proposed',
    batchRoot: null,
    winner: null,
    losers: [],
    loserCount: 0,
    earliestProvenTime: null,
    firstSeenLogSeq: null,
    verifiedHere: 0
  }
}

/** Whether the claim decides what a root of the batch is. */
const counts = ({ byOwner, effect }: FoldedClaim): boolean => byOwner && effect === null

const saysNothing = (claim: FoldedClaim): boolean => !counts(claim) && claim.announce.timestampAnchors.length === 0

const batchKey = ({ namespace, owner, batchId }: Pick<WinnerRow, 'namespace' | 'owner' | 'batchId'>): string =>
  `${namespace}!${owner}!${batchId}`

const claimedBatch = ({ namespace, owner, announce }: FoldedClaim): string =>
  `${namespace}!${owner}!${announce.batchId}`

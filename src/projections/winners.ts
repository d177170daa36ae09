import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { QuorumCount, WinnerState } from '../../protocols/winner/v1/quorum.ts'
import { countQuorum, winnerState } from '../../protocols/winner/v1/quorum.ts'
import type { Loser } from '../../protocols/winner/v1/winner.ts'
import { selectWinner } from '../../protocols/winner/v1/winner.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { attestationEffect } from '../policy/effect-rules.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { EvidenceIdentity, Verdict } from '../timestamps/verdict.ts'
import { verdictOf } from '../timestamps/verdict.ts'
import type { FoldedAttestation } from './attested.ts'
import { attestationIn } from './attested.ts'
import { Candidates, bringsEvidence } from './candidates.ts'
import type { FoldedClaim } from './claims.ts'
import { claimIn } from './claims.ts'
import { isPack, packOf } from './packs.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'
import { rememberStatement, statementsOn } from './quorum-statements.ts'
import { batchesBoundOtherwise, rememberMade } from './quorum-validity.ts'
import type { SeenCandidate } from './winner-change.ts'
import { winnerChange, winnerOf } from './winner-change.ts'

// Enough to see why a batch was decided as it was; all stand in `timestamp-anchors`. 64 are about 35 KiB of row.
const LOSERS_SHOWN_MAX = 64

export type WinnerRow = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  /** By SPEC WIN-9: what is `settled` is verified here, and attested by the quorum that policy asks for. */
  readonly status: WinnerState
  readonly batchRoot: string | null
  /** Its `firstSeenLogSeq`, and that of losers, is local. */
  readonly winner: Omit<SeenCandidate, 'batchRoot'> | null
  /** The strongest of them, strongest first. */
  readonly losers: readonly Loser<SeenCandidate>[]
  readonly loserCount: number
  /** What the DIDs that policy names say of the winner; `null` without a winner or a quorum. */
  readonly quorum: QuorumCount | null
  /** Among the winner and all losers; milliseconds since 1970. */
  readonly earliestProvenTime: number | null
  /** Local: where this node first saw the owner announce the batch; `null` while only others speak of it. */
  readonly firstSeenLogSeq: number | null
  /** Local: how much evidence is verified here, whether or not its root or its announce counts. */
  readonly verifiedHere: number
}

/**
 * The winner of each batch that its owner announced: the strongest timestamp anchor that this node verified, on a chain
 * that the namespace's policy lists, for a root that the owner announced (winner/v1). An owner's first announce of a batch costs
 * one row; what it says beside is looked up in the log when the first verdict comes. Further announces of a batch are
 * remembered among the facts.
 */
export const winners: Projection = {
  name: 'winners',
  version: 8,
  layout: {
    key: ['namespace', 'owner', 'batchId'],
    columns: [
      'status',
      'batchRoot',
      'winner',
      'losers',
      'loserCount',
      'quorum',
      'earliestProvenTime',
      'firstSeenLogSeq',
      'verifiedHere'
    ],
    listed: 3
  },
  dependsOnPolicy: true,
  dependsOnTrust: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value,
    fromTs: (row, value) => ((row as WinnerRow).winner?.provenTime ?? -1) >= Number(value),
    toTs: (row, value) => ((row as WinnerRow).winner?.provenTime ?? Infinity) <= Number(value)
  },

  reads(record, policy, trust) {
    if (record.scope === 'local') {
      const verdict = verdictOf(record.event)
      return verdict === null ? NO_KEYS : [batchKey(verdict)]
    }
    const attested = attestationIn(record, trust)
    if (attested !== null) return isAsked(attested, policy) ? [batchKey(attested.identity)] : NO_KEYS
    const claim = claimIn(record, { policy, trust })
    return claim === null || saysNothing(claim) ? NO_KEYS : [claimedBatch(claim)]
  },

  fold(record, context) {
    if (record.scope === 'shared') {
      if (isPack(record)) return foldPackValidity(record, context)
      const attested = attestationIn(record, context.trust)
      return attested === null ? foldAnnounce(record, context) : foldAttestation(attested, context)
    }
    const verdict = verdictOf(record.event)
    return verdict === null ? undefined : foldVerdict(verdict, context)
  },

  derived: {
    remember: (before) => winnerOf(before as WinnerRow),
    change: (previous, after) => ({
      winnerChanged: winnerChange(previous as SeenCandidate | null, after as WinnerRow | null)
    })
  },

  shared(row) {
    const { firstSeenLogSeq, verifiedHere: _local, winner, losers, ...shared } = row as WinnerRow
    if (firstSeenLogSeq === null) return null
    return { ...shared, winner: winner === null ? null : withoutSeen(winner), losers: losers.map(withoutSeen) }
  }
}

function foldAnnounce(record: SharedRecord, context: FoldContext): Promise<void> | void {
  const claim = claimIn(record, context)
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
  context: FoldContext
): Promise<void> {
  const { rows, facts } = context
  const key = claimedBatch(claim)
  const { logSeq } = record.record
  const candidates = candidatesOf(key, row, facts)
  await candidates.announced(claim, { eventId: record.event.id, logSeq }, counts(claim))
  if (row === undefined) return
  const seenFirst = counts(claim) && row.firstSeenLogSeq === null
  if (!seenFirst && !candidates.changed) return
  rows.put(key, await decided({ ...row, firstSeenLogSeq: row.firstSeenLogSeq ?? logSeq }, candidates, context))
}

/** Those whom policy does not name are seen in `attestations` alone. */
async function foldAttestation(attested: FoldedAttestation, context: FoldContext): Promise<void> {
  const { rows, facts, policy } = context
  if (!isAsked(attested, policy)) return
  const { identity, place } = attested
  const key = batchKey(identity)
  const row = rows.at(key) as WinnerRow | undefined
  if (!(await rememberStatement(facts, key, attested))) return
  await rememberMade(identity.owner, key, place.ts, context)
  if (row === undefined || !mayTouchWinner(identity, row)) return
  rows.put(key, await decided(row, candidatesOf(key, row, facts), context))
}

/** A pack can let attestations count that came too late before. */
async function foldPackValidity(record: SharedRecord, context: FoldContext): Promise<void> {
  const { rows, facts } = context
  const reading = packOf(record.event)
  if (!reading.ok) return
  for (const key of await batchesBoundOtherwise(reading.pack.orgId, context)) {
    const row = (await rows.get(key)) as WinnerRow | undefined
    if (row === undefined || row.winner === null) continue
    const after = await decided(row, candidatesOf(key, row, facts), context)
    if (JSON.stringify(after.quorum) !== JSON.stringify(row.quorum)) rows.put(key, after)
  }
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
  if (await candidates.judged(verdict, verified))
    rows.put(key, await decided(row ?? emptyRow(verdict), candidates, context))
}

/** The announce that made the row; remembering it again changes nothing. */
async function rememberFirstAnnounce(row: WinnerRow, candidates: Candidates, context: FoldContext): Promise<void> {
  if (row.firstSeenLogSeq === null) return
  const record = await context.log.read(row.firstSeenLogSeq)
  const first = record === undefined ? undefined : parseRecord(record)
  const claim = first === undefined ? null : claimIn(first, context)
  if (claim === null || first?.scope !== 'shared') throw new Error(`position ${row.firstSeenLogSeq} holds no announce`)
  await candidates.announced(claim, { eventId: first.event.id, logSeq: row.firstSeenLogSeq }, counts(claim))
}

async function decided(row: WinnerRow, candidates: Candidates, context: FoldContext): Promise<WinnerRow> {
  const { verified, counting } = candidates.counts
  const selected = selectWinner(await candidates.strongest(1 + LOSERS_SHOWN_MAX))
  const quorum = selected === null ? null : await quorumOn(selected.winner, row, context)
  return {
    ...row,
    status: winnerState(selected !== null, quorum),
    batchRoot: selected?.winner.batchRoot ?? null,
    winner: selected === null ? null : withoutRoot(selected.winner),
    losers: selected?.losers ?? [],
    loserCount: Math.max(0, counting - 1),
    quorum,
    earliestProvenTime: await candidates.earliestProvenTime(),
    verifiedHere: verified
  }
}

async function quorumOn(
  winner: SeenCandidate,
  row: WinnerRow,
  { facts, policy, trust }: FoldContext
): Promise<QuorumCount | null> {
  const rule = policy.settings(row.namespace)?.quorum
  if (rule === undefined) return null
  const { provenTime, position } = winner
  const statements = await statementsOn(facts, batchKey(row), winner, rule.of.length)
  return countQuorum(rule, { outcome: 'verified', provenTime, position }, statements, trust.validUntil(row.owner))
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
    quorum: null,
    earliestProvenTime: null,
    firstSeenLogSeq: null,
    verifiedHere: 0
  }
}

/** Whether policy names the signer in the quorum of the namespace, and takes its word under that key there. */
const isAsked = ({ signer, kid, identity: { namespace } }: FoldedAttestation, policy: PolicyView): boolean =>
  (policy.settings(namespace)?.quorum?.of.includes(signer) ?? false) &&
  attestationEffect({ namespace, signer, kid }, policy) === null

/** What is said of other evidence for the winner's root on its chain can count, too (SPEC WIN-8). */
const mayTouchWinner = (identity: EvidenceIdentity, { winner, batchRoot }: WinnerRow): boolean =>
  winner?.chainId === identity.chainId && batchRoot === identity.batchRoot

const withoutRoot = ({ batchRoot: _root, ...winner }: SeenCandidate): Omit<SeenCandidate, 'batchRoot'> => winner

const withoutSeen = ({ firstSeenLogSeq: _local, ...shared }: { readonly firstSeenLogSeq: number }): JsonObject => shared

/** Whether the claim decides what a root of the batch is. */
const counts = ({ byOwner, effect }: FoldedClaim): boolean => byOwner && effect === null

const saysNothing = (claim: FoldedClaim): boolean =>
  !bringsEvidence(claim) || (!counts(claim) && claim.announce.timestampAnchors.length === 0)

const batchKey = ({ namespace, owner, batchId }: Pick<WinnerRow, 'namespace' | 'owner' | 'batchId'>): string =>
  `${namespace}!${owner}!${batchId}`

const claimedBatch = ({ namespace, owner, announce }: FoldedClaim): string =>
  `${namespace}!${owner}!${announce.batchId}`

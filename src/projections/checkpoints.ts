import type { AlarmCode } from '../../protocols/checkpoint/v1/judge.ts'
import { judgeCheckpoint } from '../../protocols/checkpoint/v1/judge.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { CheckpointFact, PlacedCheckpoint } from './checkpoint-chain.ts'
import {
  ancestorOf,
  keepWaiting,
  linkCheckpoint,
  linkedBefore,
  nearestBefore,
  noteNearest,
  waitingFor
} from './checkpoint-chain.ts'
import { forkAfter, forkAt } from './checkpoint-forks.ts'
import type { CheckpointAlarm, CheckpointRow } from './checkpointed.ts'
import { checkpointKey, checkpointReadingIn, isCheckpoint } from './checkpointed.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

/**
 * The newest checkpoint under each key, and whether one of them contradicts another of the signer's log (checkpoint/v1,
 * CHK-19 to CHK-25). All that decides is named by ids, and what is not held yet is waited for, so the order of arrival
 * has no part in it.
 */
export const checkpoints: Projection = {
  name: 'checkpoints',
  version: 2,
  layout: {
    key: ['signer', 'kid'],
    columns: ['epoch', 'size', 'root', 'eventId', 'authorSeq', 'ts', 'checkpoints', 'unlinked', 'restoredFrom', 'alarm']
  },
  dependsOnPolicy: false,
  rowsChangeOften: true,
  namespacePrefix: () => null,
  filters: {
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => ((row as CheckpointRow).alarm?.code ?? 'ok') === value,
    fromTs: (row, value) => (row as CheckpointRow).ts >= Number(value),
    toTs: (row, value) => (row as CheckpointRow).ts <= Number(value)
  },
  // Checkpoints come once in some minutes of each node: what they touch is read when they come.
  reads: () => NO_KEYS,

  fold(record, context) {
    // In every other chain nothing is looked for.
    if (record.scope === 'local' || record.event.envelope.namespace !== TRUST_NAMESPACE) return undefined
    return foldTrust(record, context)
  },

  shared: (row) => row
}

async function foldTrust(record: SharedRecord, context: FoldContext): Promise<void> {
  const { facts } = context
  const { id, envelope } = record.event
  const nearest = await nearestBefore(record, facts)
  const reading = isCheckpoint(record) ? checkpointReadingIn(record) : null
  if (reading?.ok !== true) {
    if (nearest !== null) await noteNearest(id, nearest, facts)
    return
  }
  await noteNearest(id, id, facts)
  const { checkpoint } = reading
  const { signer, kid, authorSeq, ts } = envelope
  const { previous } = checkpoint
  const inChain = nearest === null ? null : { event: nearest, kid }
  const before = previous?.kid === undefined ? inChain : { event: previous.event, kid: previous.kid }
  const placed: PlacedCheckpoint = { event: id, signer, kid, authorSeq, checkpoint, before }
  await showCheckpoint(placed, ts, context)
  const twice = await forkAt(record.event, facts)
  if (twice !== null) await raise(placed, { code: 'LOG_FORKED', ...twice, authorSeq }, context)
  const branches = await forkAfter(placed, facts)
  for (const of of branches?.kids ?? []) {
    const { event, against } = branches as NonNullable<typeof branches>
    await raise({ signer, kid: of }, { code: 'LOG_FORKED', event, against, authorSeq: null }, context)
  }
  await linkAll(placed, context)
}

/** Counts it in the row of its key, as one that is not linked yet. */
async function showCheckpoint(placed: PlacedCheckpoint, ts: number, { rows }: FoldContext): Promise<void> {
  const { event: eventId, signer, kid, authorSeq, checkpoint } = placed
  const { epoch, size, root, restored } = checkpoint
  const key = checkpointKey(signer, kid)
  const known = (await rows.get(key)) as CheckpointRow | undefined
  const said = { epoch, size, root, eventId, authorSeq, ts }
  // Of two at one position either could be the newest; the smaller id is.
  const newest = known === undefined || isAfter(said, known) ? said : known
  const restoredFrom = known?.restoredFrom ?? null
  const isRestore = restored !== undefined && (restoredFrom === null || isNewerRestore(said, restoredFrom))
  const row: CheckpointRow = {
    ...newest,
    signer,
    kid,
    checkpoints: (known?.checkpoints ?? 0) + 1,
    unlinked: (known?.unlinked ?? 0) + 1,
    restoredFrom: isRestore ? { epoch: restored.epoch, size: restored.size, event: eventId, authorSeq } : restoredFrom,
    alarm: known?.alarm ?? null
  }
  rows.put(key, row)
}

/** Judges it if the one before it is linked, and then those that waited for it; else it waits itself. */
async function linkAll(placed: PlacedCheckpoint, context: FoldContext): Promise<void> {
  const { facts } = context
  if (!(await linked(placed, context))) return await keepWaiting(placed, facts)
  const done = [placed.event]
  for (let event = done.pop(); event !== undefined; event = done.pop()) {
    let page = await waitingFor(event, facts, undefined)
    while (page.length > 0) {
      for (const [key, waiting] of page) {
        if (!(await linked(waiting, context))) continue
        await facts.get(key)
        facts.del(key)
        done.push(waiting.event)
      }
      page = await waitingFor(event, facts, page.at(-1)?.[0])
    }
  }
}

/** Whether the one before it is linked; then it is judged and linked, too. */
async function linked(placed: PlacedCheckpoint, context: FoldContext): Promise<boolean> {
  const { rows, facts } = context
  const before = await linkedBefore(placed, facts)
  if (before === undefined) return false
  const { event, signer, kid, authorSeq } = placed
  const code = await verdictOn(placed, before, context)
  await linkCheckpoint(placed, before, facts)
  const key = checkpointKey(signer, kid)
  const row = (await rows.get(key)) as CheckpointRow
  rows.put(key, { ...row, unlinked: row.unlinked - 1 })
  if (code !== null && before !== null) await raise(placed, { code, event, against: before.event, authorSeq }, context)
  return true
}

async function verdictOn(
  { checkpoint }: PlacedCheckpoint,
  before: CheckpointFact | null,
  { facts }: FoldContext
): Promise<AlarmCode | null> {
  const named = checkpoint.restored?.event
  const base = before === null || named === undefined ? null : await ancestorOf(before, named, facts)
  return judgeCheckpoint(checkpoint, before, base)
}

async function raise(
  { signer, kid }: { readonly signer: string; readonly kid: string },
  alarm: CheckpointAlarm,
  { rows }: FoldContext
): Promise<void> {
  const key = checkpointKey(signer, kid)
  const row = (await rows.get(key)) as CheckpointRow
  rows.put(key, { ...row, alarm: furtherOf(row.alarm, alarm) })
}

interface Place {
  readonly eventId: string
  readonly authorSeq: number
}

/** The one further along the chain; of two at one position, that with the smaller id. */
function isAfter(one: Place, other: Place): boolean {
  return one.authorSeq === other.authorSeq ? one.eventId < other.eventId : one.authorSeq > other.authorSeq
}

function isNewerRestore(one: Place, { event, authorSeq }: NonNullable<CheckpointRow['restoredFrom']>): boolean {
  return isAfter(one, { eventId: event, authorSeq })
}

/** A total order, so that of any number of alarms the same is shown whatever came first. */
function furtherOf(one: CheckpointAlarm | null, other: CheckpointAlarm): CheckpointAlarm {
  if (one === null) return other
  const [seq, otherSeq] = [one.authorSeq ?? 0, other.authorSeq ?? 0]
  if (seq !== otherSeq) return seq < otherSeq ? other : one
  return orderOf(other) < orderOf(one) ? other : one
}

/** Ids have one length. */
const orderOf = ({ code, event, against }: CheckpointAlarm): string => `${code} ${event} ${against}`

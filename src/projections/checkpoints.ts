import type { Checkpoint } from '../../protocols/event/v1/checkpoint.ts'
import { judgeCheckpoint } from '../../protocols/checkpoint/v1/judge.ts'
import { sortableNumber } from '../log/keys.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { CheckpointFact } from './checkpoint-chain.ts'
import { ancestorOf, checkpointBefore, linkCheckpoint, noteNearest } from './checkpoint-chain.ts'
import type { CheckpointAlarm, CheckpointRow } from './checkpointed.ts'
import { checkpointKey, checkpointReadingIn, isCheckpoint } from './checkpointed.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection, Table } from './projection.ts'

/** The two smallest ids of the checkpoints at one position of a chain: more of them prove nothing more. */
type PositionFact = { readonly first: string; readonly second: string | null }

/**
 * The newest checkpoint of each key's log, and whether one of its checkpoints contradicts another (checkpoint/v1,
 * CHK-20 to CHK-24). All that decides stands before an event in its chain, or at its position, so the order of arrival
 * has no part in it.
 */
export const checkpoints: Projection = {
  name: 'checkpoints',
  version: 1,
  layout: {
    key: ['signer', 'kid'],
    columns: ['epoch', 'size', 'root', 'eventId', 'authorSeq', 'ts', 'checkpoints', 'restoredFrom', 'alarm']
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
  const before = await checkpointBefore(record, facts)
  const reading = isCheckpoint(record) ? checkpointReadingIn(record) : null
  if (reading?.ok === true) await foldCheckpoint(record, reading.checkpoint, before, context)
  else if (before !== null) await noteNearest(record.event.id, before.event, facts)
}

async function foldCheckpoint(
  record: SharedRecord,
  checkpoint: Checkpoint,
  before: CheckpointFact | null,
  { rows, facts }: FoldContext
): Promise<void> {
  const { id, envelope } = record.event
  const { signer, kid, authorSeq, ts } = envelope
  const { epoch, size, root, restored } = checkpoint
  const base = before === null || restored?.event === undefined ? null : await ancestorOf(before, restored.event, facts)
  const code = judgeCheckpoint(checkpoint, before, base)
  const firstSizeOfEpoch = before?.epoch === epoch ? before.firstSizeOfEpoch : size
  await linkCheckpoint({ event: id, epoch, size, root, firstSizeOfEpoch }, before, facts)
  await noteNearest(id, id, facts)

  const found: CheckpointAlarm[] = []
  if (code !== null && before !== null) found.push({ code, event: id, against: before.event, authorSeq })
  const fork = await forkAt(record, facts)
  if (fork !== null) found.push({ code: 'LOG_FORKED', ...fork, authorSeq })

  const key = checkpointKey(signer, kid)
  const known = (await rows.get(key)) as CheckpointRow | undefined
  const said = { epoch, size, root, eventId: id, authorSeq, ts }
  // Of two at one position either could be the newest; the smaller id is.
  const newest = known === undefined || isAfter(said, known) ? said : known
  const restoredFrom = known?.restoredFrom ?? null
  const isRestore = restored !== undefined && (restoredFrom === null || isNewerRestore(said, restoredFrom))
  const row: CheckpointRow = {
    ...newest,
    signer,
    kid,
    checkpoints: (known?.checkpoints ?? 0) + 1,
    restoredFrom: isRestore ? { epoch: restored.epoch, size: restored.size, event: id, authorSeq } : restoredFrom,
    alarm: found.reduce<CheckpointAlarm | null>(furtherOf, known?.alarm ?? null)
  }
  rows.put(key, row)
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
  if (one === null || one.authorSeq < other.authorSeq) return other
  if (one.authorSeq > other.authorSeq) return one
  return orderOf(other) < orderOf(one) ? other : one
}

/** Ids have one length. */
const orderOf = ({ code, event, against }: CheckpointAlarm): string => `${code} ${event} ${against}`

/** The two smallest ids at the position of the record, once there are two. */
async function forkAt(
  { event }: SharedRecord,
  facts: Table
): Promise<{ readonly event: string; readonly against: string } | null> {
  const key = `position!${event.chain}!${sortableNumber(event.envelope.authorSeq)}`
  const known = (await facts.get(key)) as PositionFact | undefined
  const ids = [event.id, known?.first ?? null, known?.second ?? null].filter((id) => id !== null).sort()
  const [first = event.id, second = null] = ids
  facts.put(key, { first, second } satisfies PositionFact)
  return second === null ? null : { event: first, against: second }
}

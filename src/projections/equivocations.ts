import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sortableNumber } from '../log/keys.ts'
import type { LogReader, SharedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

// Two events prove it; more than a few only repeat the proof, and a row must not grow with a hostile signer.
const EVENTS_SHOWN_MAX = 8
// Looking for the events at one position stops here; all of them are counted one by one as they are folded.
const SIBLINGS_LOOKED_AT_MAX = 64

type EquivocationRow = {
  readonly namespace: string
  readonly signer: string
  readonly kid: string
  readonly authorSeq: number
  /** Ids of the events at this position, ascending; the smallest eight. The events themselves are the proof. */
  readonly events: readonly string[]
  readonly count: number
}

/** Positions of chains at which a key signed two different events. */
export const equivocations: Projection = {
  name: 'equivocations',
  version: 2,
  layout: { key: ['namespace', 'signer', 'kid', null], columns: ['authorSeq', 'events', 'count'] },
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: { signer: (row, value) => row['signer'] === value },
  reads: () => NO_KEYS,
  fold: (record, context) => (record.scope === 'shared' ? foldPosition(record, context) : undefined),

  shared: (row) => row
}

function foldPosition(record: SharedRecord, context: FoldContext): Promise<void> | undefined {
  const { facts } = context
  const { chain } = record.event
  return facts.isAtHand(chain) ? foldAfter(record, context, facts.at(chain)) : foldUnread(record, context)
}

async function foldUnread(record: SharedRecord, context: FoldContext): Promise<void> {
  await foldAfter(record, context, await context.facts.get(record.event.chain))
}

/**
 * `known`, the fact under the chain's name, is its event that was folded last. While each event follows that, there is
 * nothing to look for.
 */
function foldAfter(
  record: SharedRecord,
  context: FoldContext,
  known: JsonObject | undefined
): Promise<void> | undefined {
  const straight = known?.['forked'] !== true && (known?.['id'] ?? null) === record.event.envelope.prev
  context.facts.put(record.event.chain, { id: record.event.id, forked: !straight })
  return straight ? undefined : foldFork(record, context)
}

async function foldFork(record: SharedRecord, { rows, log }: FoldContext): Promise<void> {
  const { namespace, signer, kid, authorSeq } = record.event.envelope
  const key = [namespace, signer, kid, sortableNumber(authorSeq)].join('!')
  const before = (await rows.get(key)) as EquivocationRow | undefined
  const others = before?.events ?? (await siblings(record, log, record.event.chain))
  if (others.length === 0) return
  const events = [...others, record.event.id].sort().slice(0, EVENTS_SHOWN_MAX)
  rows.put(key, { namespace, signer, kid, authorSeq, events, count: (before?.count ?? others.length) + 1 })
}

/** Ids of the other events at the record's position of its chain that the log holds before it. */
async function siblings(record: SharedRecord, log: LogReader, chain: string): Promise<string[]> {
  const positions = await log.positionsAt(chain, record.event.envelope.authorSeq, SIBLINGS_LOOKED_AT_MAX)
  const ids: string[] = []
  for (const logSeq of positions) {
    if (logSeq >= record.record.logSeq) continue
    const other = await log.read(logSeq)
    const parsed = other === undefined ? undefined : parseRecord(other)
    if (parsed?.scope === 'shared') ids.push(parsed.event.id)
  }
  return ids
}

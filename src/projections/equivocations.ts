import { chainIdOf } from '../events/chain.ts'
import { sortableNumber } from '../log/keys.ts'
import type { LogReader, LoggedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

// Two events prove it; more than a few only repeat the proof, and a row must not grow with a hostile signer.
const EVENTS_SHOWN_MAX = 8
// Looking for the events at one position stops here; all of them are counted one by one as they are folded.
const SIBLINGS_LOOKED_AT_MAX = 64

type SharedRecord = Extract<LoggedRecord, { scope: 'shared' }>

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
  version: 1,
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: { signer: (row, value) => row['signer'] === value },
  reads: () => NO_KEYS,
  fold: (record, context) => (record.scope === 'shared' ? foldPosition(record, context) : undefined),

  shared: (row) => row
}

async function foldPosition(record: SharedRecord, { rows, facts, log }: FoldContext): Promise<void> {
  const { namespace, signer, kid, authorSeq, prev } = record.event.envelope
  const chain = chainIdOf(record.event.envelope)
  const last = `last!${chain}`
  const known = await facts.get(last)
  const straight = known?.['forked'] !== true && (known?.['id'] ?? null) === prev
  facts.put(last, { id: record.event.id, forked: !straight })
  // While each event follows the last one there is nothing to look for.
  if (straight) return
  const key = [namespace, signer, kid, sortableNumber(authorSeq)].join('!')
  const before = (await rows.get(key)) as EquivocationRow | undefined
  const others = before?.events ?? (await siblings(record, log, chain))
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

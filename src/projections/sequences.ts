import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { chainIdOf } from '../events/chain.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import type { StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import { foldPack } from './pack-fold.ts'
import { isPack } from './packs.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'
import type { ProjectionState } from './state.ts'
import { factsOfState } from './state.ts'

// A chain has one tip unless its key signed a fork; a row that lists more would grow with each event of a hostile
// signer.
const TIPS_SHOWN_MAX = 64

type Tip = { readonly authorSeq: number; readonly id: string }

type SequenceRow = {
  readonly namespace: string
  readonly signer: string
  readonly kid: string
  /** Events that none follows, sorted by id; the first 64 of them. */
  readonly tips: readonly Tip[]
  /** Whether two events stand at one position of the chain. */
  readonly forked: boolean
  readonly events: number
}

// As many as chains whose names are kept; the key of another is simply put together again.
const KEYS_KEPT_MAX = 10_000
const keys = new BoundedMap<string, string>(KEYS_KEPT_MAX)

function rowKey({ event: { chain, envelope } }: SharedRecord): string {
  const known = keys.get(chain)
  if (known !== undefined) return known
  const key = `${envelope.namespace}!${envelope.signer}!${envelope.kid}`
  keys.set(chain, key)
  return key
}

/** How far each chain has come, and each organisation's packs. */
export const sequences: Projection = {
  name: 'sequences',
  version: 3,
  layout: { key: ['namespace', 'signer', 'kid'], columns: ['tips', 'forked', 'events'] },
  // Which packs count depends on who belongs to the organisation.
  dependsOnPolicy: true,
  rowsChangeOften: true,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => statusOf(row) === value
  },

  reads: (record) => (record.scope === 'shared' ? [rowKey(record)] : NO_KEYS),

  fold(record, context) {
    if (record.scope === 'local') return undefined
    const forking = foldTip(record, context)
    return forking !== undefined || isPack(record) ? foldRare(record, context, forking) : undefined
  },

  shared: (row) => row
}

/** What filters call a row's status. */
function statusOf({ forked, frozen }: JsonObject): 'linear' | 'forked' | 'frozen' {
  if (frozen === true) return 'frozen'
  return forked === true ? 'forked' : 'linear'
}

/** How many events a row stands for, and the ids of all their tips; nothing for the row of an organisation's packs. */
export async function chainTips(
  row: JsonObject,
  reader: StoreReader,
  state: ProjectionState
): Promise<{ readonly events: number; readonly tips: readonly string[] }> {
  if (row['tips'] === undefined) return { events: 0, tips: [] }
  const { namespace, signer, kid, tips, forked, events } = row as SequenceRow
  if (!forked) return { events, tips: tips.map(({ id }) => id) }
  const prefix = factsOfState(sequences.name, state) + tipsPrefix(chainIdOf({ namespace, signer, kid }))
  const ids: string[] = []
  for await (const [key] of reader.range(prefixRange(prefix))) ids.push(key.slice(prefix.length))
  return { events, tips: ids }
}

const tipsPrefix = (chain: string): string => `tip!${chain}!`

async function foldRare(record: SharedRecord, context: FoldContext, forking: Promise<void> | undefined): Promise<void> {
  await forking
  if (isPack(record)) await foldPackHead(record, context)
}

function foldTip(record: SharedRecord, context: FoldContext): Promise<void> | undefined {
  const key = rowKey(record)
  const { namespace, signer, kid, authorSeq, prev } = record.event.envelope
  const before = context.rows.at(key) as SequenceRow | undefined
  const follows = before === undefined ? prev === null : before.tips.some(({ id }) => id === prev)
  if (before?.forked === true || !follows) return foldFork(record, context, before)
  const tips = [{ authorSeq, id: record.event.id }]
  context.rows.put(key, { namespace, signer, kid, tips, forked: false, events: (before?.events ?? 0) + 1 })
  return undefined
}

/** From the first fork on, the tips are facts, so that any number of them costs one entry an event. */
async function foldFork(record: SharedRecord, context: FoldContext, before: SequenceRow | undefined): Promise<void> {
  const { namespace, signer, kid, authorSeq, prev } = record.event.envelope
  const prefix = tipsPrefix(record.event.chain)
  if (before?.forked === false) for (const known of before.tips) context.facts.put(prefix + known.id, known)
  if (prev !== null) context.facts.del(prefix + prev)
  context.facts.put(prefix + record.event.id, { authorSeq, id: record.event.id })
  const tips = await context.facts.range(prefix, TIPS_SHOWN_MAX)
  const shown = tips.map(([, tip]) => tip as Tip)
  context.rows.put(rowKey(record), {
    namespace,
    signer,
    kid,
    tips: shown,
    forked: true,
    events: (before?.events ?? 0) + 1
  })
}

async function foldPackHead(record: SharedRecord, context: FoldContext): Promise<void> {
  const folded = await foldPack(record, context)
  if (folded === null) return
  const { orgId, head, headMoved } = folded
  // A colon can't begin a DID, so this key never meets that of a chain.
  const key = `${TRUST_NAMESPACE}!:${orgId}`
  if ((await context.rows.get(key)) !== undefined && !headMoved) return
  const { packSeq, hash, forkedAt } = head
  context.rows.put(key, { namespace: TRUST_NAMESPACE, orgId, packSeq, packHash: hash, frozen: forkedAt !== null })
}

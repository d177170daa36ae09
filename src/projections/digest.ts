import { createHash } from 'node:crypto'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { LogReader } from '../log/log-reader.ts'
import type { Store, StoreReader } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from './engine.ts'
import { rowsInOrder } from './query.ts'

// A digest is of one moment; folding what was logged before it takes milliseconds, a rebuild perhaps more.
const WAIT_MS_MAX = 5_000

/** The projections that two nodes compare, and those of them that make up `state` (DESIGN section 5, "Digests"). */
const COMPARED = ['batches', 'timestamp-anchors', 'trust-anchors', 'sequences', 'equivocations'] as const
const STATE = ['timestamp-anchors', 'trust-anchors', 'sequences', 'equivocations'] as const

/** What two nodes compare to know that they agree; every hash is SHA-256, hex. */
export interface NamespaceDigest {
  readonly namespace: string
  readonly logSeq: number
  /** Shared events of the namespace. */
  readonly count: number
  readonly membershipDigest: string
  /** Over the sorted tips: equal for equal sets of events. */
  readonly events: string
  /** Over the shared fields of the projections that only events and membership decide. */
  readonly state: string
  readonly projections: Readonly<Record<string, string>>
  /** Comparable between nodes whose policy and verdict digests match. */
  readonly winners: { readonly digest: string; readonly policyDigest: string; readonly verdictSetDigest: string }
}

/**
 * The digest of a namespace at the log's head. Throws `NOT_FOUND` for a namespace that is not carried, `NOT_YET` and
 * `PROJECTION_HALTED` as `ProjectionEngine.reached`.
 */
export async function digestNamespace(
  engine: ProjectionEngine,
  store: Store,
  policy: PolicyView,
  head: number,
  namespace: string
): Promise<NamespaceDigest> {
  if (!policy.carries(namespace)) {
    throw new AnchormeshError('NOT_FOUND', `this node does not carry ${namespace}`, { hint: `it carries: ${policy.namespaces.join(', ')}` })
  }
  await engine.reached(head, WAIT_MS_MAX)
  // Cursor, prefixes and snapshot are taken in one turn, so they belong together.
  const logSeq = engine.instance('sequences').state.cursor
  const prefixes = new Map(engine.names.map((name) => [name, engine.instance(name).rowsPrefix]))
  const snapshot = store.snapshot()
  try {
    const reader: Reading = { engine, snapshot, prefixes, policy, namespace }
    const projections: Record<string, string> = {}
    for (const name of COMPARED) projections[name] = await rowsDigest(reader, name)
    const log = new LogReader(snapshot)
    return {
      namespace,
      logSeq,
      count: await log.count(namespace),
      membershipDigest: policy.membershipDigest(namespace),
      events: await tipsDigest(log, namespace),
      state: sha256Hex(encodeCanonical(Object.fromEntries(STATE.map((name) => [name, projections[name] ?? ''])))),
      projections,
      winners: {
        digest: await rowsDigest(reader, 'winners'),
        policyDigest: policy.policyDigest(namespace),
        verdictSetDigest: await verdictSetDigest(reader)
      }
    }
  } finally {
    await snapshot.close()
  }
}

interface Reading {
  readonly engine: ProjectionEngine
  readonly snapshot: StoreReader
  readonly prefixes: ReadonlyMap<string, string>
  readonly policy: PolicyView
  readonly namespace: string
}

/** SHA-256 over the ids of the tips, each 32 bytes, in ascending order. */
async function tipsDigest(log: LogReader, namespace: string): Promise<string> {
  const ids: string[] = []
  for await (const { id } of log.tips(namespace)) ids.push(id)
  const hash = createHash('sha256')
  for (const id of ids.sort()) hash.update(Buffer.from(id, 'hex'))
  return hash.digest('hex')
}

/** SHA-256 over the JCS lines of the rows' shared fields, in key order. */
async function rowsDigest(reading: Reading, name: string): Promise<string> {
  const { projection } = reading.engine.instance(name)
  const hash = createHash('sha256')
  for await (const row of rowsOf(reading, name)) {
    const shared = projection.shared(row)
    if (shared !== null) hash.update(`${encodeCanonical(shared)}\n`)
  }
  return hash.digest('hex')
}

/** Which evidence has which outcome here, without times. */
async function verdictSetDigest(reading: Reading): Promise<string> {
  const hash = createHash('sha256')
  for await (const row of rowsOf(reading, 'timestamp-anchors')) {
    const { evidenceHash, status, code } = row
    if (status !== 'unverified') hash.update(`${encodeCanonical({ evidenceHash, status, code })}\n`)
  }
  return hash.digest('hex')
}

/** The rows of the namespace; of trust anchors, those of its members' organisations. */
async function* rowsOf(reading: Reading, name: string): AsyncGenerator<JsonObject> {
  const { engine, snapshot, prefixes, policy, namespace } = reading
  const prefix = engine.instance(name).projection.namespacePrefix(namespace)
  const organisations = new Set(policy.members(namespace).map(({ orgId }) => orgId))
  for await (const [, row] of rowsInOrder(snapshot, prefixes.get(name) ?? '', prefix ?? '', undefined, new Map())) {
    if (prefix !== null || organisations.has(row['orgId'] as string)) yield row
  }
}

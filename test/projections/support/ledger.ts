import { decodeEvent } from '../../../protocols/event/v1/codec.ts'
import { encodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { createVirtualClock } from '../../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../../simulations/ports/virtual-clock.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import type { LocalEvent } from '../../../src/events/local.ts'
import { localEvent } from '../../../src/events/local.ts'
import { fromOwnLog } from '../../../src/events/verified.ts'
import { memoryCheckpoint } from '../../../src/log/checkpoint-file.ts'
import type { AppendEntry, EventLog } from '../../../src/log/event-log.ts'
import { openMemoryStore } from '../../../src/log/level-store.ts'
import { openLog } from '../../../src/log/open-log.ts'
import type { Store } from '../../../src/log/store.ts'
import type { Logger } from '../../../src/platform/logger.ts'
import { silentLogger } from '../../../src/platform/logger.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import { viewPolicy } from '../../../src/policy/policy-view.ts'
import { PROJECTIONS } from '../../../src/projections/all.ts'
import type { ChangesQuery, ProjectionUpdate } from '../../../src/projections/changes.ts'
import { followChanges } from '../../../src/projections/changes.ts'
import type { Digest } from '../../../src/projections/digest.ts'
import { NamespaceDigests } from '../../../src/projections/digest.ts'
import { ProjectionEngine } from '../../../src/projections/engine.ts'
import type { Projection } from '../../../src/projections/projection.ts'
import type { ProjectionPage, ProjectionQuery } from '../../../src/projections/query.ts'
import { queryRows } from '../../../src/projections/query.ts'
import type { SignedEvent } from '../../support/events.ts'
import { settled } from '../../support/settled.ts'

/** A log and its projections, without door and network: what is appended counts as admitted. */
export interface Ledger {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly clock: VirtualClock
  /** Appends shared events in one go. */
  append(...events: readonly SignedEvent[]): Promise<void>
  appendLocal(...events: readonly LocalEvent[]): Promise<void>
  appendPolicy(policy: EffectivePolicy): Promise<void>
  /** Resolves once every projection has reached the log's head. */
  caughtUp(): Promise<void>
  query(projection: string, query?: ProjectionQuery): Promise<ProjectionPage>
  changes(projection: string, query?: ChangesQuery): AsyncGenerator<ProjectionUpdate>
  /** By the newest policy that was appended here. */
  digest(namespace: string): Promise<Digest>
  /** Ends folding; the store stays open. */
  close(): Promise<void>
}

export interface LedgerOptions {
  /** Default: a new one in memory. */
  readonly store?: Store
  readonly projections?: readonly Projection[]
  readonly clock?: VirtualClock
  readonly logger?: Logger
  /** Logged first, if the log is empty. */
  readonly policy?: EffectivePolicy
}

/** Opens a ledger; projections catch up by themselves. */
export async function openLedger(options: LedgerOptions = {}): Promise<Ledger> {
  const store = options.store ?? (await openMemoryStore())
  const clock = options.clock ?? createVirtualClock({ settle: settled })
  const logger = options.logger ?? silentLogger
  const log = await openLog({ store, clock, logger, checkpoint: memoryCheckpoint(), random: seededRandom('ledger') })
  let policy = options.policy
  if (policy !== undefined && log.head.logSeq === 0) await log.append([policyEntry(policy)])
  const engine = await ProjectionEngine.start(options.projections ?? PROJECTIONS, { log, store, clock, logger })
  const digests = new NamespaceDigests({
    engine,
    store,
    policy() {
      if (policy === undefined) throw new Error('the ledger was opened without a policy')
      return viewPolicy(policy)
    }
  })
  const append = async (entries: readonly AppendEntry[]): Promise<void> => void (await log.append(entries))
  return {
    log,
    engine,
    store,
    clock,
    append: (...events) => append(events.map(sharedEntry)),
    appendLocal: (...events) => append(events.map((event) => ({ scope: 'local', event }))),
    appendPolicy(next) {
      policy = next
      return append([policyEntry(next)])
    },
    caughtUp: () => engine.reached(log.head.logSeq, null),
    query: (projection, query = {}) => queryRows(engine, store, log.epoch, projection, query),
    changes: (projection, query = {}) => followChanges(engine, store, log.epoch, projection, query),
    digest: (namespace) => digests.at(log.head.logSeq, namespace),
    async close() {
      await log.close()
      await engine.close()
    }
  }
}

export function sharedEntry({ wire }: SignedEvent): AppendEntry {
  const decoded = decodeEvent(wire)
  if (!decoded.ok) throw new Error(`${decoded.code}: ${decoded.detail}`)
  return { scope: 'shared', event: fromOwnLog(decoded.event) }
}

export function policyEntry(policy: EffectivePolicy): AppendEntry {
  return { scope: 'local', event: localEvent('policy', 1_700_000_000_000, policy) }
}

/** Whatever answers one page of a projection at a time: a ledger or a node. */
export interface Queried {
  query(projection: string, query: ProjectionQuery): Promise<ProjectionPage>
}

/** All rows of a projection, page by page. */
export async function allRows(
  queried: Queried,
  projection: string,
  query: ProjectionQuery = {}
): Promise<JsonObject[]> {
  const rows: JsonObject[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: ProjectionPage = await queried.query(projection, {
      ...query,
      ...(cursor === undefined ? {} : { cursor })
    })
    rows.push(...page.rows)
    cursor = page.nextCursor
  }
  return rows
}

/** What two nodes compare of every projection: the JCS lines of its rows' shared fields, in key order. */
export async function sharedLines(queried: Queried): Promise<Record<string, string[]>> {
  const lines: Record<string, string[]> = {}
  for (const projection of PROJECTIONS) {
    const rows = await allRows(queried, projection.name)
    lines[projection.name] = rows.flatMap((row) => {
      const compared = projection.shared(row)
      return compared === null ? [] : [encodeCanonical(compared)]
    })
  }
  return lines
}

/** All rows of every projection, local columns too. */
export async function everyRow(queried: Queried): Promise<Record<string, JsonObject[]>> {
  const rows: Record<string, JsonObject[]> = {}
  for (const { name } of PROJECTIONS) rows[name] = await allRows(queried, name)
  return rows
}

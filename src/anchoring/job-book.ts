import type { EventLog } from '../log/event-log.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { Store } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import { evidenceHashOf, evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import type { AnchoringRecord } from '../projections/anchoring-record.ts'
import { anchoringEvent, anchoringOf } from '../projections/anchoring-record.ts'
import { ANCHORINGS, OPEN_JOBS_PREFIX, anchoringKey } from '../projections/anchorings.ts'
import type { AnchoringRow } from '../projections/anchorings.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { timestampAnchorKey } from '../projections/evidence.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'

const TIMESTAMP_ANCHORS = 'timestamp-anchors'
// Rows that are read at once.
const ROWS_PER_READ = 256

export interface JobBookPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly clock: Clock
}

/** The jobs of this node as its log has them: what was written is read again, after a restart as before. */
export class JobBook {
  readonly #ports: JobBookPorts

  constructor(ports: JobBookPorts) {
    this.#ports = ports
  }

  /** The job as it is now; `null` where nobody asked for it. */
  async find(namespace: string, batchId: string, chainId: string): Promise<AnchoringRecord | null> {
    await this.#upToDate(ANCHORINGS)
    const key = anchoringKey(namespace, batchId, chainId)
    const [row] = await this.#view(ANCHORINGS, (view) => view.rows([key]))
    return row === undefined ? null : await this.recordOf(row as AnchoringRow)
  }

  /** The record that the row tells of. */
  async recordOf({ logSeq }: AnchoringRow): Promise<AnchoringRecord> {
    const record = await this.#ports.log.read(logSeq)
    const logged = record === undefined ? undefined : parseRecord(record)
    const job = logged?.scope === 'local' ? anchoringOf(logged.event) : null
    if (job === null) throw new Error(`the log holds no anchoring at position ${logSeq}`)
    return job
  }

  /** The jobs that are not announced yet (of a namespace), in the order of their keys. */
  async open(namespace?: string): Promise<readonly AnchoringRow[]> {
    await this.#upToDate(ANCHORINGS)
    return await this.openByNow(namespace)
  }

  /** The same as far as the projection has come, also where it goes no further. */
  async openByNow(namespace?: string): Promise<readonly AnchoringRow[]> {
    const prefix = OPEN_JOBS_PREFIX + (namespace === undefined ? '' : `${namespace}!`)
    return await this.#view(ANCHORINGS, async (view) => {
      const keys: string[] = []
      for await (const [key] of view.factsRange(prefix)) keys.push(key.slice(OPEN_JOBS_PREFIX.length))
      const rows: AnchoringRow[] = []
      for (let from = 0; from < keys.length; from += ROWS_PER_READ)
        rows.push(...((await view.rows(keys.slice(from, from + ROWS_PER_READ))) as AnchoringRow[]))
      return rows
    })
  }

  /** Writes the jobs as they are from now on, all or none, durably. */
  async write(jobs: readonly AnchoringRecord[]): Promise<void> {
    const { log, clock } = this.#ports
    const ts = clock.now()
    await log.append(jobs.map((job) => ({ scope: 'local', event: anchoringEvent(ts, job) })))
  }

  /** What the node shows of the evidence of a job; `undefined` while nobody announced it. */
  async evidenceRow(job: AnchoringRecord): Promise<TimestampAnchorRow | undefined> {
    const { timestampAnchor, namespace, owner, batchId, batchRoot, chainId } = job
    if (timestampAnchor === null) return undefined
    await this.#upToDate(TIMESTAMP_ANCHORS)
    const [evidenceId, evidenceHash] = [evidenceIdOf(timestampAnchor), evidenceHashOf(timestampAnchor)]
    const key = timestampAnchorKey({ namespace, owner, batchId, batchRoot, chainId, evidenceId, evidenceHash })
    const [row] = await this.#view(TIMESTAMP_ANCHORS, (view) => view.rows([key]))
    return row as TimestampAnchorRow | undefined
  }

  /** A write that seemed to fail may stand in the log: it must know what it holds before it is asked. */
  async #upToDate(projection: string): Promise<void> {
    const { log, engine } = this.#ports
    await log.recover()
    await engine.reached(log.head.logSeq, null, projection)
  }

  async #view<Result>(name: string, read: Parameters<typeof viewRows<Result>>[3]): Promise<Result> {
    return await viewRows(this.#ports.engine, this.#ports.store, name, read)
  }
}

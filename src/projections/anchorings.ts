import { evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import { anchoringOf } from './anchoring-record.ts'
import type { AnchoringState } from './anchoring-record.ts'
import { NO_KEYS } from './projection.ts'
import type { Projection } from './projection.ts'

/** One job: the evidence that this node makes, or has made, for a batch on a chain. All of it is local. */
export type AnchoringRow = {
  readonly namespace: string
  readonly batchId: string
  readonly chainId: string
  readonly owner: string
  readonly batchRoot: string
  readonly status: AnchoringState
  /** How often evidence was begun, or had to be looked for again. */
  readonly attempts: number
  /** The chains that are announced in one event with this one, itself among them. */
  readonly together: readonly string[]
  /** What the evidence is known by (a transaction's hash, the SHA-256 of a token); `null` until it is whole. */
  readonly evidenceId: string | null
  readonly eventId: string | null
  /** The last failure, until something succeeds. */
  readonly code: string | null
  readonly detail: string | null
  /** Since when it is so, milliseconds since 1970. */
  readonly changedAt: number
  /** Where the record with all of it stands in the log. */
  readonly logSeq: number
}

export const ANCHORINGS = 'anchorings'

/** The key of a job's row. */
export const anchoringKey = (namespace: string, batchId: string, chainId: string): string =>
  `${namespace}!${batchId}!${chainId}`

/** The facts that name the jobs which are not announced yet: `o!<key of the row>`. */
export const OPEN_JOBS_PREFIX = 'o!'

/** The evidence that this node makes for batches that it sealed, by itself or when it is told to. */
export const anchorings: Projection = {
  name: ANCHORINGS,
  version: 1,
  layout: {
    key: ['namespace', 'batchId', 'chainId'],
    columns: [
      'owner',
      'batchRoot',
      'status',
      'attempts',
      'together',
      'evidenceId',
      'eventId',
      'code',
      'detail',
      'changedAt',
      'logSeq'
    ]
  },
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value,
    fromTs: (row, value) => (row as AnchoringRow).changedAt >= Number(value),
    toTs: (row, value) => (row as AnchoringRow).changedAt <= Number(value)
  },

  reads(record) {
    const job = record.scope === 'local' ? anchoringOf(record.event) : null
    return job === null ? NO_KEYS : [anchoringKey(job.namespace, job.batchId, job.chainId)]
  },

  fold({ record, ...logged }, { rows, facts }) {
    const job = logged.scope === 'local' ? anchoringOf(logged.event) : null
    if (job === null || logged.scope !== 'local') return
    const { namespace, batchId, chainId, owner, batchRoot, state, attempts, together, timestampAnchor } = job
    const key = anchoringKey(namespace, batchId, chainId)
    const row: AnchoringRow = {
      namespace,
      batchId,
      chainId,
      owner,
      batchRoot,
      status: state,
      attempts,
      together,
      evidenceId: timestampAnchor === null ? null : evidenceIdOf(timestampAnchor),
      eventId: job.eventId,
      code: job.code,
      detail: job.detail,
      changedAt: logged.event.ts,
      logSeq: record.logSeq
    }
    rows.put(key, row)
    if (state === 'announced') facts.del(OPEN_JOBS_PREFIX + key)
    else facts.put(OPEN_JOBS_PREFIX + key, {})
  },

  shared: () => null
}

import type { LocalEvent } from '../events/local.ts'
import { NO_KEYS } from './projection.ts'
import type { Projection } from './projection.ts'
import { forgottenOf } from './receipt-records.ts'

/** The body of the local event `delivery`: a payload that a partner handed to this node over HTTP. */
export type DeliveryTaken = {
  /** SHA-256 of the signed canonical bytes, hex; they are a blob under it. */
  readonly deliveryHash: string
  /** The DID that signed. */
  readonly from: string
  readonly kid: string
  readonly namespace: string
  /** Of the canonical bytes. */
  readonly bytes: number
  /** When it was signed, milliseconds since 1970. */
  readonly ts: number
}

/** One delivery. All of it is local. */
export type DeliveryRow = DeliveryTaken & {
  /** `forgotten`: the payload was erased here. */
  readonly status: 'held' | 'forgotten'
  /** When it was taken, by this node's clock. */
  readonly takenAt: number
  readonly logSeq: number
}

const DELIVERIES = 'deliveries'

/** The fact that finds the row of a delivery by its hash alone: `d!<delivery hash>`. */
const placeKey = (deliveryHash: string): string => `d!${deliveryHash}`

const rowKey = (namespace: string, deliveryHash: string): string => `${namespace}!${deliveryHash}`

/** What partners delivered to this node over HTTP. */
export const deliveries: Projection = {
  name: DELIVERIES,
  version: 1,
  layout: {
    key: ['namespace', 'deliveryHash'],
    columns: ['from', 'kid', 'bytes', 'ts', 'status', 'takenAt', 'logSeq']
  },
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    signer: (row, value) => row['from'] === value,
    status: (row, value) => row['status'] === value,
    fromTs: (row, value) => (row['ts'] as number) >= (value as number),
    toTs: (row, value) => (row['ts'] as number) <= (value as number)
  },

  reads(record) {
    const taken = record.scope === 'local' ? deliveryOf(record.event) : null
    return taken === null ? NO_KEYS : [rowKey(taken.namespace, taken.deliveryHash)]
  },

  async fold({ record, ...logged }, { rows, facts }) {
    if (logged.scope !== 'local') return
    const { event } = logged
    const taken = deliveryOf(event)
    if (taken !== null) {
      const { namespace, deliveryHash } = taken
      const row: DeliveryRow = { ...taken, status: 'held', takenAt: event.ts, logSeq: record.logSeq }
      rows.put(rowKey(namespace, deliveryHash), row)
      facts.put(placeKey(deliveryHash), { namespace })
      return
    }
    // One operation erases whatever stands under a hash: receipts and deliveries.
    const forgotten = forgottenOf(event)
    const place = forgotten === null ? undefined : await facts.get(placeKey(forgotten.receipt))
    if (forgotten === null || place === undefined) return
    const key = rowKey(place['namespace'] as string, forgotten.receipt)
    const row = await rows.get(key)
    if (row !== undefined) rows.put(key, { ...row, status: 'forgotten' })
  },

  shared: () => null
}

function deliveryOf(event: LocalEvent): DeliveryTaken | null {
  return event.type === 'delivery' ? (event.body as DeliveryTaken) : null
}

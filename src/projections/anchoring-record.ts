import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import type { LocalEvent } from '../events/local.ts'
import { localEvent } from '../events/local.ts'

/**
 * How far the evidence for a batch on one chain is: nothing that lasts was done (`planned`); it can be gone on with from
 * the draft (`under-way`); it is whole, and the node's own verifier has yet to find it final (`complete`); it stands in
 * an announce (`announced`); it failed too often, and an operator has to look (`failed`).
 */
export type AnchoringState = 'planned' | 'under-way' | 'complete' | 'announced' | 'failed'

/**
 * The body of the local event `anchoring`: all of one job (a batch and a chain) as it is from now on. The newest one
 * counts, and holds everything that is needed to go on.
 */
export type AnchoringRecord = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
  readonly chainId: string
  readonly state: AnchoringState
  /** The chains whose evidence goes into one announce, this one among them; in byte order. */
  readonly together: readonly string[]
  /** How often evidence was begun, or had to be looked for again; what was not reached at all is not counted. */
  readonly attempts: number
  /** Stays when the evidence is announced: a block that is left behind later may leave its transactions to another one. */
  readonly draft: JsonObject | null
  readonly timestampAnchor: TimestampAnchor | null
  /** The last failure, until something succeeds. */
  readonly code: string | null
  readonly detail: string | null
  /** The announce that holds the evidence. */
  readonly eventId: string | null
}

/** The body of an `anchoring` event; `null` for another local event. */
export function anchoringOf(event: LocalEvent): AnchoringRecord | null {
  return event.type === 'anchoring' ? (event.body as AnchoringRecord) : null
}

export function anchoringEvent(ts: number, record: AnchoringRecord): LocalEvent {
  return localEvent('anchoring', ts, record as unknown as JsonObject)
}

import type { Delivery } from '../../protocols/delivery/v1/request.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Signer } from '../trust/signer.ts'
import type { TargetPins } from '../proofs/node-keys.ts'
import type { Secrets } from './secrets.ts'
import type { StepBook } from './steps.ts'
import type { TargetCalls } from './target-calls.ts'
import type { DrillTls } from './tls.ts'

/** A node that is to be tried. */
export interface DrillTarget {
  readonly name: string
  /** The public listener. */
  readonly base: URL
  /** The admin listener. */
  readonly admin: URL
  readonly tls: DrillTls
  /** Whom the report names: a name, or the target's own DID, which is then checked. */
  readonly remoteNodeId: string
  /** Where to deliver; by default the first namespace that the target carries. */
  readonly namespace?: string
  /** What is known of the target beforehand. */
  readonly pins?: TargetPins
  /** For one exchange. */
  readonly timeoutMs: number
  /** Waits until a token has expired, some sixty seconds, and tries it. */
  readonly waitForExpiry?: boolean
}

export interface DrillPorts {
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** Learns every token. */
  readonly secrets: Secrets
  readonly adminToken: string
  /** That of the package. */
  readonly version: string
}

/** One drill under way. */
export interface Exercise {
  readonly target: DrillTarget
  /** The external node's key. */
  readonly signer: Signer
  readonly drillId: string
  readonly calls: TargetCalls
  readonly steps: StepBook
  readonly ports: DrillPorts
}

/** What a delivery of this drill says, but for the token. */
export type DeliveryMembers = Pick<Delivery, 'audience' | 'namespace' | 'payload'>

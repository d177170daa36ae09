import type { Outcome } from '../events/outcome.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { EffectivePolicy } from '../policy/policy.ts'
import type { AnchorStore } from './anchors.ts'
import type { PackTransport } from './transport.ts'
import type { AnchorOrganisation } from './walk.ts'

/** An organisation whose packs can be had beside the mesh. */
export interface SyncedOrganisation extends AnchorOrganisation {
  /** `http(s)://…`, `file:PATH` or the DID of a peer, the first asked first. */
  readonly sources: readonly string[]
}

/** Takes the events of packs into a node. */
export interface AnchorDoor {
  submit(wire: Uint8Array): Promise<Outcome>
  /** Resolves when what was submitted is folded, or won't be soon. */
  settled(orgId: string, hash: string | null): Promise<void>
}

/** What planning and running a sync work with. */
export interface AnchorSyncOptions {
  readonly store: AnchorStore
  /** The organisation that asks. */
  readonly orgId: string
  readonly policy: Pick<EffectivePolicy, 'crossOrg'>
  /** All that could be asked for, the asking one's own left out. */
  readonly organisations: readonly SyncedOrganisation[]
  /** What speaks to a source; `null` for a source of a kind that nothing here speaks. */
  readonly transport: (source: string) => PackTransport | null
  readonly clock: Clock
  readonly audit?: AuditTrail
  /** Joins the audit records of one sync. */
  readonly requestId?: () => string
  /** Without one, anchors are stored and nothing else happens. */
  readonly door?: AnchorDoor
  /** Events of a page; default 64. */
  readonly limit?: number
  /** From how far a clock is off it is worth a warning, in milliseconds; default five minutes. */
  readonly skewMs?: number
}

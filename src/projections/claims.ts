import type { Claim } from '../events/claim.ts'
import { ANNOUNCE_TYPE, claimOf } from '../events/claim.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'

/** An announce as the folds of batches see it. */
export interface FoldedClaim extends Claim {
  readonly namespace: string
  readonly signer: string
  /** Why the announce has no effect under the policy, apart from ownership; `null` when it has. */
  readonly effect: 'ROLE_MISSING' | null
}

const folded = new WeakMap<object, { readonly policy: PolicyView; readonly claim: FoldedClaim | null }>()

/** The claim in a record, or `null` where it holds none: a local event, another type, a body that is no announce. */
export function claimIn(record: LoggedRecord, policy: PolicyView): FoldedClaim | null {
  if (record.scope === 'local') return null
  const known = folded.get(record.event)
  if (known?.policy === policy) return known.claim
  const claim = readClaim(record.event, policy)
  folded.set(record.event, { policy, claim })
  return claim
}

function readClaim(event: VerifiedEvent, policy: PolicyView): FoldedClaim | null {
  const { namespace, signer, type } = event.envelope
  if (type !== ANNOUNCE_TYPE || namespace === TRUST_NAMESPACE) return null
  const claim = claimOf(event, policy.orgOf(signer))
  if (claim === null) return null
  return { ...claim, namespace, signer, effect: policy.hasRole(namespace, signer, 'announce') ? null : 'ROLE_MISSING' }
}

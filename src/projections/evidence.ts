import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import type { EvidenceIdentity } from '../timestamps/verdict.ts'
import type { FoldedClaim } from './claims.ts'

const identities = new WeakMap<TimestampAnchor, EvidenceIdentity>()

/** What names a timestamp anchor of a claim. Hashing the evidence is most of the work of the folds that ask; they share it. */
export function evidenceIdentity(claim: FoldedClaim, timestampAnchor: TimestampAnchor): EvidenceIdentity {
  const known = identities.get(timestampAnchor)
  if (known !== undefined && known.owner === claim.owner) return known
  const identity = {
    namespace: claim.namespace,
    batchId: claim.announce.batchId,
    chainId: timestampAnchor.chainId,
    evidenceId: evidenceIdOf(timestampAnchor),
    owner: claim.owner,
    batchRoot: claim.announce.batchRoot,
    evidenceHash: evidenceHashOf(timestampAnchor)
  }
  identities.set(timestampAnchor, identity)
  return identity
}

/** The key of its row in `timestamp-anchors`. */
export function timestampAnchorKey({ namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash }: EvidenceIdentity): string {
  // Half of each hash tells variants apart: nobody finds a second content for 128 given bits.
  const variant = `${batchRoot.slice(0, 32)}${evidenceHash.slice(0, 32)}`
  return `${namespace}!${batchId}!${chainId}!${evidenceId}!${owner}!${variant}`
}

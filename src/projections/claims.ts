import type { Announce, AnnounceReading, TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, evidenceIdOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import type { Claim } from '../events/claim.ts'
import { ANNOUNCE_TYPE, claimOf } from '../events/claim.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import type { PolicyEffect } from '../policy/effect-rules.ts'
import { policyEffect } from '../policy/effect-rules.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { EvidenceIdentity } from '../timestamps/verdict.ts'
import { timestampAnchorKey } from './evidence.ts'

/** A timestamp anchor of a claim, by what names it and by the key of its row in `timestamp-anchors`. */
export interface ClaimedEvidence {
  readonly key: string
  readonly identity: EvidenceIdentity
}

/** An announce as the folds of batches see it. */
export interface FoldedClaim extends Claim {
  readonly namespace: string
  readonly signer: string
  /** Why the announce has no effect under the policy, apart from ownership; `null` when it has. */
  readonly effect: PolicyEffect['code'] | null
  /** The key of the batch's row in `winners`, and of the claimed root's in `batches`. */
  readonly batchKey: string
  readonly rootKey: string
  readonly evidence: readonly ClaimedEvidence[]
}

interface FoldedAnnounce {
  readonly policy: PolicyView
  readonly reading: AnnounceReading
  readonly claim: FoldedClaim | null
}

/** What names a batch. */
export const batchKeyOf = (namespace: string, owner: string, batchId: string): string =>
  `${namespace}!${owner}!${batchId}`

/** What names a root that was claimed for a batch. */
export const rootKeyOf = (batchKey: string, batchRoot: string): string => `${batchKey}!${batchRoot}`

/** Parsing an announce and hashing its evidence is most of the work of the folds that ask; they share it. */
const folded = new WeakMap<VerifiedEvent, FoldedAnnounce>()

/** The claim in a record, or `null` where it holds none: a local event, another type, a body that is no announce. */
export function claimIn(record: LoggedRecord, policy: PolicyView): FoldedClaim | null {
  return record.scope === 'local' || !isAnnounce(record) ? null : foldedAnnounce(record.event, policy).claim
}

/** Whether the record is an announce in a namespace of announces. */
export function isAnnounce({ event: { envelope } }: SharedRecord): boolean {
  return envelope.type === ANNOUNCE_TYPE && envelope.namespace !== TRUST_NAMESPACE
}

/** The announce in a record that `isAnnounce`. */
export function announceIn(record: SharedRecord, policy: PolicyView): AnnounceReading {
  return foldedAnnounce(record.event, policy).reading
}

function foldedAnnounce(event: VerifiedEvent, policy: PolicyView): FoldedAnnounce {
  const known = folded.get(event)
  if (known?.policy === policy) return known
  const reading = known?.reading ?? parseAnnounce(event.envelope.body)
  const announce = { policy, reading, claim: reading.ok ? readClaim(event, reading.announce, policy) : null }
  folded.set(event, announce)
  return announce
}

/** Why policy gives an announce no effect; `null` where it does. */
export function announceEffect(
  { namespace, signer, kid }: Pick<VerifiedEvent['envelope'], 'namespace' | 'signer' | 'kid'>,
  { owner, timestampAnchors, attestationMeasurementHash: measurement }: Announce,
  policy: PolicyView
): PolicyEffect | null {
  const facts = {
    namespace,
    signer,
    kid,
    // A signer whom policy no longer knows has no role, which is said before ownership matters.
    owner: owner ?? policy.orgOf(signer) ?? '',
    hasEvidence: timestampAnchors.length > 0,
    ...(measurement === undefined ? {} : { attestationMeasurementHash: measurement })
  }
  return policyEffect(facts, policy)
}

function readClaim({ envelope }: VerifiedEvent, announce: Announce, policy: PolicyView): FoldedClaim | null {
  const { namespace, signer } = envelope
  const claim = claimOf(announce, policy.orgOf(signer))
  if (claim === null) return null
  const effect = announceEffect(envelope, announce, policy)?.code ?? null
  const evidence = announce.timestampAnchors.map((timestampAnchor) =>
    claimedEvidence(namespace, claim, timestampAnchor)
  )
  const batchKey = batchKeyOf(namespace, claim.owner, announce.batchId)
  const rootKey = rootKeyOf(batchKey, announce.batchRoot)
  const { owner, byOwner } = claim
  return { announce, owner, byOwner, namespace, signer, effect, batchKey, rootKey, evidence }
}

function claimedEvidence(
  namespace: string,
  { owner, announce }: Claim,
  timestampAnchor: TimestampAnchor
): ClaimedEvidence {
  const identity = {
    namespace,
    batchId: announce.batchId,
    chainId: timestampAnchor.chainId,
    evidenceId: evidenceIdOf(timestampAnchor),
    owner,
    batchRoot: announce.batchRoot,
    evidenceHash: evidenceHashOf(timestampAnchor)
  }
  return { key: timestampAnchorKey(identity), identity }
}

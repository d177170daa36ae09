import type { Announce, AnnounceReading, TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, evidenceIdOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import type { Claim } from '../events/claim.ts'
import { ANNOUNCE_TYPE, claimOf } from '../events/claim.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import type { PolicyEffectCode } from '../policy/effect-rules.ts'
import { policyEffect } from '../policy/effect-rules.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { EvidenceIdentity } from '../timestamps/verdict.ts'
import { timestampAnchorKey } from './evidence.ts'
import type { FoldBasis } from './projection.ts'

/** A timestamp anchor of a claim, by what names it and by the key of its row in `timestamp-anchors`. */
export interface ClaimedEvidence {
  readonly key: string
  readonly identity: EvidenceIdentity
}

/** The code, and the reason for people. */
export interface NoEffect<Code extends string> {
  readonly code: Code
  readonly detail: string
}

/** Why an announce that is one has no effect, whoever owns the batch. */
export type ClaimEffect = 'KEY_CUT_OFF' | PolicyEffectCode

/** An announce as the folds of batches see it. */
export interface FoldedClaim extends Claim {
  readonly namespace: string
  readonly signer: string
  /** Why the announce has no effect, apart from ownership; `null` when it has. */
  readonly effect: ClaimEffect | null
  /** The key of the batch's row in `winners`, and of the claimed root's in `batches`. */
  readonly batchKey: string
  readonly rootKey: string
  readonly evidence: readonly ClaimedEvidence[]
}

interface FoldedAnnounce {
  readonly policy: PolicyView
  readonly cutOff: boolean
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
export function claimIn(record: LoggedRecord, basis: FoldBasis): FoldedClaim | null {
  return record.scope === 'local' || !isAnnounce(record) ? null : foldedAnnounce(record.event, basis).claim
}

/** Whether the record is an announce in a namespace of announces. */
export function isAnnounce({ event: { envelope } }: SharedRecord): boolean {
  return envelope.type === ANNOUNCE_TYPE && envelope.namespace !== TRUST_NAMESPACE
}

/** The announce in a record that `isAnnounce`. */
export function announceIn(record: SharedRecord, basis: FoldBasis): AnnounceReading {
  return foldedAnnounce(record.event, basis).reading
}

/** Why the announce of this event has no effect, apart from ownership: the first reason that holds, `null` if none. */
export function effectOfAnnounce(
  event: VerifiedEvent,
  { owner, timestampAnchors, attestationMeasurementHash: measurement }: Announce,
  { policy, trust }: FoldBasis
): NoEffect<ClaimEffect> | null {
  if (trust.isCutOff(event)) return cutOffEffect(event)
  const { namespace, signer, kid } = event.envelope
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

/** What is said of an event under a key of which it is none of the last good ones, nor before one. */
export function cutOffEffect({ envelope: { kid } }: VerifiedEvent): NoEffect<'KEY_CUT_OFF'> {
  const detail = `the key ${kid} counts only up to its last good events, and this is none of them nor before one`
  return { code: 'KEY_CUT_OFF', detail }
}

function foldedAnnounce(event: VerifiedEvent, basis: FoldBasis): FoldedAnnounce {
  const { policy } = basis
  const cutOff = basis.trust.isCutOff(event)
  const known = folded.get(event)
  if (known?.policy === policy && known.cutOff === cutOff) return known
  const reading = known?.reading ?? parseAnnounce(event.envelope.body)
  const announce = { policy, cutOff, reading, claim: reading.ok ? readClaim(event, reading.announce, basis) : null }
  folded.set(event, announce)
  return announce
}

function readClaim(event: VerifiedEvent, announce: Announce, basis: FoldBasis): FoldedClaim | null {
  const { namespace, signer } = event.envelope
  const claim = claimOf(announce, basis.policy.orgOf(signer))
  if (claim === null) return null
  const effect = effectOfAnnounce(event, announce, basis)?.code ?? null
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

import type { Announce } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { ATTESTATION_TYPE, parseAttestation } from '../../protocols/event/v1/attestation.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Proof } from '../../protocols/proof/v1/proof.ts'
import { ANNOUNCE_TYPE } from '../events/claim.ts'
import { verifySignatures } from '../events/verified.ts'
import type { KeyLookup } from '../events/verified.ts'
import type { ProofStep, StepName } from './report.ts'
import { failedStep, okStep, undecidedStep } from './report.ts'

/** Finds the keys of a signer: a `did:key`'s own, and what the reader knows. */
export type FindKeys = (signer: string, kid: string) => KeyLookup

/** An announcement of the file that was read, with its step. */
export interface CheckedAnnouncement {
  readonly step: ProofStep
  /** `null` where the step failed before the body was known. */
  readonly signer: string | null
  readonly announce: Announce | null
}

type EventReading =
  { readonly ok: true; readonly event: DecodedEvent } | { readonly ok: false; readonly step: ProofStep }

/** PR-11, for one announcement. */
export function checkAnnouncement(text: string, proof: Proof, find: FindKeys): CheckedAnnouncement {
  const reading = readEvent(text, proof, 'announcement', ANNOUNCE_TYPE)
  if (!reading.ok) return { step: reading.step, signer: null, announce: null }
  const { event } = reading
  const about = { step: 'announcement', subject: event.id } as const
  const { signer } = event.envelope
  const body = parseAnnounce(event.envelope.body)
  if (!body.ok) return { step: failedStep(about, body.code, body.detail), signer, announce: null }
  const { announce } = body
  const wrong = otherThan(announce, proof)
  if (wrong !== null) return { step: failedStep(about, 'ANNOUNCEMENT', wrong), signer, announce: null }
  return { step: signatureStep(event, about.step, find, `${signer} announced the root`), signer, announce }
}

/** PR-12: what the owner says of the batch, as far as the file can show who the owner is. */
export function checkOwner(
  announcements: readonly CheckedAnnouncement[],
  { owner, ownerDid, receipt }: Proof,
  orgOf: (did: string) => string | undefined
): ProofStep {
  const about = { step: 'owner', subject: ownerDid } as const
  if (ownerDid === null) return undecidedStep(about, 'OWNER', `no event in the file announces the root for ${owner}`)
  const known = orgOf(ownerDid)
  if (known !== undefined && known !== owner)
    return failedStep(about, 'OWNER', `${ownerDid} speaks for ${known}, not for ${owner}`)
  const own = announcements.filter(({ signer }) => signer === ownerDid)
  const counted = own.filter(({ announce }) => announce?.receiptCount === receipt.treeSize)
  const named = counted.filter(({ announce }) => announce?.owner === owner || known === owner)
  if (named.some(({ step }) => step.outcome === 'ok')) {
    const bound = known === owner ? 'as you know it' : 'as it says itself; compare the DID with what you know of them'
    return okStep(about, `${ownerDid} announced ${receipt.treeSize} receipts under this root for ${owner}, ${bound}`)
  }
  if (named.some(({ step }) => step.outcome === 'undecided'))
    return undecidedStep(about, 'KEY_UNKNOWN', `the announcement of ${ownerDid} could not be checked without its key`)
  if (counted.some(({ step }) => step.outcome !== 'failed'))
    return undecidedStep(about, 'OWNER', `the announcement of ${ownerDid} does not name ${owner} as the owner`)
  return failedStep(
    about,
    'OWNER',
    `no announcement by ${ownerDid} that holds says ${receipt.treeSize} receipts under this root`
  )
}

/** PR-15, for one attestation. */
export function checkAttestation(
  text: string,
  proof: Proof,
  announcements: readonly CheckedAnnouncement[],
  find: FindKeys
): ProofStep {
  const reading = readEvent(text, proof, 'attestation', ATTESTATION_TYPE)
  if (!reading.ok) return reading.step
  const { event } = reading
  const about = { step: 'attestation', subject: event.id } as const
  const body = parseAttestation(event.envelope.body)
  if (!body.ok) return failedStep(about, body.code, body.detail)
  const { owner, batchId, batchRoot, chainId, evidenceHash, outcome } = body.attestation
  if (owner !== proof.owner || batchId !== proof.batchId || batchRoot !== proof.batchRoot)
    return failedStep(about, 'ATTESTATION', 'is about another root')
  const announced = announcements.flatMap(({ announce }) => announce?.timestampAnchors ?? [])
  if (!announced.some((anchor) => evidenceHashOf(anchor) === evidenceHash))
    return failedStep(about, 'ATTESTATION', 'is about evidence that no announcement here carries')
  return signatureStep(event, 'attestation', find, `${event.envelope.signer} says of ${chainId}: ${outcome}; no proof`)
}

/** What every event of the file has to be, its signature apart. */
function readEvent(text: string, { namespace }: Proof, step: StepName, type: string): EventReading {
  const wire = fromBase64url(text) ?? new Uint8Array()
  const decoding = decodeEvent(wire)
  // An event that can't be read has no id; the hash of its bytes tells which one it is.
  if (!decoding.ok)
    return { ok: false, step: failedStep({ step, subject: sha256Hex(wire) }, decoding.code, decoding.detail) }
  const { event } = decoding
  const about = { step, subject: event.id }
  const { envelope } = event
  const code = step.toUpperCase()
  if (envelope.type !== type) return { ok: false, step: failedStep(about, code, `is of the type ${envelope.type}`) }
  if (envelope.namespace !== namespace)
    return { ok: false, step: failedStep(about, code, `belongs to ${envelope.namespace}`) }
  return { ok: true, event }
}

function signatureStep(event: DecodedEvent, step: StepName, find: FindKeys, detail: string): ProofStep {
  const about = { step, subject: event.id }
  const { signer, kid } = event.envelope
  const check = verifySignatures(event, (named) => find(signer, named))
  if (check.ok) return okStep(about, `${detail} (signature good under ${kid})`)
  if (check.code !== 'KEY_UNKNOWN') return failedStep(about, check.code, check.detail)
  return undecidedStep(about, check.code, `${check.detail}; give it with --key '${signer}#${kid}=…'`)
}

function otherThan({ batchId, batchRoot, owner }: Announce, proof: Proof): string | null {
  if (batchId !== proof.batchId) return `announces the batch ${batchId}`
  if (batchRoot !== proof.batchRoot) return `announces the root ${batchRoot}`
  return owner === undefined || owner === proof.owner ? null : `announces a batch of ${owner}`
}

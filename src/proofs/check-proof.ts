import { leafHash as leafHashOf, verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { decodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { bytesOfHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { Proof, ProofCode } from '../../protocols/proof/v1/proof.ts'
import { decodeProof } from '../../protocols/proof/v1/proof.ts'
import type { AnchorTrust, CheckedAnchor } from './check-anchors.ts'
import { checkAnchor } from './check-anchors.ts'
import type { FindKeys } from './check-events.ts'
import { checkAnnouncement, checkAttestation, checkOwner } from './check-events.ts'
import type { ProofReport, ProofStep } from './report.ts'
import { failedStep, okStep } from './report.ts'

/** What the reader of a proof knows by itself; nothing of it is taken from the file. */
export interface ProofTrust extends AnchorTrust {
  readonly findKeys: FindKeys
  /** The organisation that a DID speaks for; `undefined` where the reader does not know. */
  orgOf(did: string): string | undefined
}

export type ProofCheck =
  | { readonly ok: true; readonly report: ProofReport }
  /** The bytes are no proof (proof/v1 PR-1 to PR-8). */
  | { readonly ok: false; readonly code: ProofCode; readonly detail: string }

/**
 * Checks a proof by proof/v1 PR-1 to PR-16, every step of it, with what the reader knows. Rejects only when `signal`
 * aborts.
 */
export async function checkProof(bytes: Uint8Array, trust: ProofTrust, signal: AbortSignal): Promise<ProofCheck> {
  const decoding = decodeProof(bytes)
  if (!decoding.ok) return decoding
  const { proof } = decoding
  const announcements = proof.announcements.map((text) => checkAnnouncement(text, proof, trust.findKeys))
  const anchors: CheckedAnchor[] = []
  for (const anchor of proof.timestampAnchors)
    anchors.push(await checkAnchor(anchor, proof, announcements, trust, signal))
  const attestations = (proof.attestations ?? []).map((text) =>
    checkAttestation(text, proof, announcements, trust.findKeys)
  )
  const needed = [
    checkRecord(proof),
    checkInclusion(proof),
    checkOwner(announcements, proof, (did) => trust.orgOf(did))
  ]
  return {
    ok: true,
    report: reportOf(proof, {
      needed,
      others: [...announcements.map(({ step }) => step), ...attestations],
      anchors
    })
  }
}

/** PR-9. */
function checkRecord({ receipt }: Proof): ProofStep {
  const about = { step: 'record', subject: null } as const
  const record = utf8(receipt.record)
  const decoding = decodeReceipt(record)
  if (!decoding.ok) return failedStep(about, decoding.code, decoding.detail)
  const hash = toHex(leafHashOf(record))
  if (hash !== receipt.leafHash) return failedStep(about, 'RECORD', `its leaf hash is ${hash}`)
  return okStep(about, `${record.length} bytes have the leaf hash ${hash}`)
}

/** PR-10. */
function checkInclusion({ receipt, batchRoot }: Proof): ProofStep {
  const about = { step: 'inclusion', subject: null } as const
  const { index, treeSize } = receipt
  const holds = verifyInclusion({
    leafHash: bytesOfHex(receipt.leafHash),
    index,
    treeSize,
    path: receipt.path.map(bytesOfHex),
    root: bytesOfHex(batchRoot)
  })
  return holds
    ? okStep(about, `leaf ${index} of ${treeSize} stands under the root ${batchRoot}`)
    : failedStep(about, 'INCLUSION', `the path does not lead from leaf ${index} of ${treeSize} to the root`)
}

interface CheckedParts {
  /** What has to be ok. */
  readonly needed: readonly ProofStep[]
  /** What must not fail. */
  readonly others: readonly ProofStep[]
  readonly anchors: readonly CheckedAnchor[]
}

/** PR-16. */
function reportOf(proof: Proof, { needed, others, anchors }: CheckedParts): ProofReport {
  const steps = [...needed, ...others, ...anchors.map(({ step }) => step)]
  const failed = steps.filter(({ outcome }) => outcome === 'failed')
  const earliest = anchors
    .flatMap(({ provenTime, chainId }) => (provenTime === null ? [] : [{ provenTime, chainId }]))
    .toSorted((left, right) => left.provenTime - right.provenTime)[0]
  const holds = failed.length === 0 && needed.every(({ outcome }) => outcome === 'ok')
  const proven = holds && earliest !== undefined
  const { namespace, owner, ownerDid, batchId, batchRoot, receipt, claims } = proof
  return {
    overall: failed.length > 0 ? 'failed' : proven ? 'proven' : 'undecided',
    conclusion: conclusionOf(proof, steps, proven ? earliest : null),
    namespace,
    owner,
    ownerDid,
    batchId,
    batchRoot,
    leafHash: receipt.leafHash,
    provenTime: proven ? earliest.provenTime : null,
    chainId: proven ? earliest.chainId : null,
    steps,
    claims: claims ?? null
  }
}

function conclusionOf(
  { ownerDid, timestampAnchors }: Proof,
  steps: readonly ProofStep[],
  proven: { readonly provenTime: number; readonly chainId: string } | null
): string {
  const failed = steps.filter(({ outcome }) => outcome === 'failed')
  if (failed.length > 0) return `not proven: ${namesOf(failed)} failed`
  if (proven !== null) {
    const time = new Date(proven.provenTime).toISOString()
    return `proven: the record existed at ${time} at the latest, in a batch that ${ownerDid} announced`
  }
  if (timestampAnchors.length === 0) return 'not proven: nothing in the file shows since when the root has existed'
  return `not proven: nothing is wrong, but ${namesOf(steps.filter(({ outcome }) => outcome === 'undecided'))} undecided`
}

function namesOf(steps: readonly ProofStep[]): string {
  return [...new Set(steps.map(({ step }) => step))].join(', ')
}

import type { EvidenceIdentity } from '../timestamps/verdict.ts'

/** The key of a timestamp anchor's row in `timestamp-anchors`. */
export function timestampAnchorKey(of: EvidenceIdentity): string {
  return `${of.namespace}!${of.batchId}!${of.chainId}!${of.evidenceId}!${of.owner}!${variantOf(of)}`
}

/** What the keys of the evidence's rows in `attestations` begin with; the signer follows. */
export function attestedEvidenceKey(of: EvidenceIdentity): string {
  return `${of.namespace}!${of.owner}!${of.batchId}!${of.chainId}!${of.evidenceId}!${variantOf(of)}`
}

/** Half of each hash tells variants apart: nobody finds a second content for 128 given bits. */
function variantOf({ batchRoot, evidenceHash }: EvidenceIdentity): string {
  return `${batchRoot.slice(0, 32)}${evidenceHash.slice(0, 32)}`
}

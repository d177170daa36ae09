import type { EvidenceIdentity } from '../timestamps/verdict.ts'

/** The key of a timestamp anchor's row in `timestamp-anchors`. */
export function timestampAnchorKey({
  namespace,
  batchId,
  chainId,
  evidenceId,
  owner,
  batchRoot,
  evidenceHash
}: EvidenceIdentity): string {
  return `${namespace}!${batchId}!${chainId}!${evidenceId}!${owner}!${variantOf(batchRoot, evidenceHash)}`
}

/** What the keys of the evidence's rows in `attestations` begin with; the signer follows. */
export function attestedEvidenceKey({
  namespace,
  batchId,
  chainId,
  evidenceId,
  owner,
  batchRoot,
  evidenceHash
}: EvidenceIdentity): string {
  return `${namespace}!${owner}!${batchId}!${chainId}!${evidenceId}!${variantOf(batchRoot, evidenceHash)}`
}

/** Half of each hash tells variants apart: nobody finds a second content for 128 given bits. */
const variantOf = (batchRoot: string, evidenceHash: string): string =>
  `${batchRoot.slice(0, 32)}${evidenceHash.slice(0, 32)}`

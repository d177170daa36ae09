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
  // Half of each hash tells variants apart: nobody finds a second content for 128 given bits.
  const variant = `${batchRoot.slice(0, 32)}${evidenceHash.slice(0, 32)}`
  return `${namespace}!${batchId}!${chainId}!${evidenceId}!${owner}!${variant}`
}

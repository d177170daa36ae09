import { evidenceHashOf, evidenceIdOf, parseAnnounce } from '../../../protocols/event/v1/announce.ts'
import type { EvidenceIdentity } from '../../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../../support/events.ts'

/** The evidence in an announce; `orgOf` says whose batch it is where the announce does not. */
export function evidenceIn(
  { envelope: { type, namespace, signer, body } }: Pick<SignedEvent, 'envelope'>,
  orgOf: (signer: string) => string | undefined
): EvidenceIdentity[] {
  const reading = type === 'announce' && namespace !== '_trust' ? parseAnnounce(body) : null
  if (reading?.ok !== true) return []
  const { batchId, batchRoot, timestampAnchors } = reading.announce
  const owner = reading.announce.owner ?? orgOf(signer)
  if (owner === undefined) return []
  return timestampAnchors.map((anchor) => {
    const { chainId } = anchor
    const [evidenceId, evidenceHash] = [evidenceIdOf(anchor), evidenceHashOf(anchor)]
    return { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash }
  })
}

/** Tells pieces of evidence apart. */
export const identityName = ({
  namespace,
  batchId,
  chainId,
  evidenceId,
  owner,
  batchRoot,
  evidenceHash
}: EvidenceIdentity): string =>
  JSON.stringify([namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash])

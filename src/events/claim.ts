import type { Announce } from '../../protocols/event/v1/announce.ts'

export const ANNOUNCE_TYPE = 'announce'

/** What an announce says of a batch, with the owner filled in. */
export interface Claim {
  readonly announce: Announce
  readonly owner: string
  /** Whether the signer speaks for the owner: only then does the announce decide the batch's root. */
  readonly byOwner: boolean
}

/**
 * The claim of an announce under the signer's organisation (`undefined` for a signer that policy no longer knows);
 * `null` where nobody can be the owner of its batch.
 */
export function claimOf(announce: Announce, signerOrgId: string | undefined): Claim | null {
  const owner = announce.owner ?? signerOrgId
  return owner === undefined ? null : { announce, owner, byOwner: owner === signerOrgId }
}

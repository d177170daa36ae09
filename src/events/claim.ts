import type { Announce, AnnounceReading } from '../../protocols/event/v1/announce.ts'
import { parseAnnounce } from '../../protocols/event/v1/announce.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'

export const ANNOUNCE_TYPE = 'announce'

const readings = new WeakMap<DecodedEvent, AnnounceReading>()

/** The announce in an event of that type. Several folds read the same event; it is parsed once. */
export function announceOf(event: DecodedEvent): AnnounceReading {
  const known = readings.get(event)
  if (known !== undefined) return known
  const reading = parseAnnounce(event.envelope.body)
  readings.set(event, reading)
  return reading
}

/** What an announce says of a batch, with the owner filled in. */
export interface Claim {
  readonly announce: Announce
  readonly owner: string
  /** Whether the signer speaks for the owner: only then does the announce decide the batch's root. */
  readonly byOwner: boolean
}

/**
 * The claim of an announce event under the signer's organisation (`undefined` for a signer that policy no longer knows); `null` for a
 * body that is no announce, or for one of whose batch nobody can be the owner.
 */
export function claimOf(event: DecodedEvent, signerOrgId: string | undefined): Claim | null {
  const reading = announceOf(event)
  if (!reading.ok) return null
  const owner = reading.announce.owner ?? signerOrgId
  if (owner === undefined) return null
  return { announce: reading.announce, owner, byOwner: owner === signerOrgId }
}

import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { verifyPackKeyProof } from '../../protocols/event/v1/pack-proof.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import type { ProjectionPage, ProjectionQuery } from '../projections/query.ts'
import type { TrustProof } from './pack-operations.ts'

/** A trust anchor: a key of an organisation as its packs in force have it. */
export interface ListedAnchor extends PackKey {
  readonly orgId: string
  /** The pack that changed it last. */
  readonly packSeq: number
  /** When that pack was made. */
  readonly updatedAt: number
}

/** What can be asked for rows: a node, or the client of one. */
export interface Queryable {
  status(): Promise<{ readonly log: { readonly logSeq: number } }>
  query(projection: string, query: ProjectionQuery): Promise<ProjectionPage>
}

const ROWS_AT_ONCE = 500

/** The trust anchors of all organisations, or of one, by organisation and kid, in their order. */
export async function listTrustAnchors(
  node: Queryable,
  { orgId }: { readonly orgId?: string | undefined } = {}
): Promise<readonly ListedAnchor[]> {
  const anchors: ListedAnchor[] = []
  // What was taken in before the question is in the answer.
  const { logSeq: waitFor } = (await node.status()).log
  let cursor: string | null = null
  do {
    const query: ProjectionQuery = { limit: ROWS_AT_ONCE, waitFor, ...(cursor === null ? {} : { cursor }) }
    const page: ProjectionPage = await node.query('trust-anchors', query)
    for (const row of page.rows) if (orgId === undefined || row['orgId'] === orgId) anchors.push(anchorOf(row))
    cursor = page.nextCursor
  } while (cursor !== null)
  return anchors
}

/**
 * Checks a proof as a third party would who trusts the pack hash: the event's body is the pack of that hash and
 * organisation, and the key is under its root (EV-35 to EV-38). Whether the pack is the organisation's is not asked.
 */
export function checkTrustProof(
  proof: TrustProof
): { readonly ok: true } | { readonly ok: false; readonly detail: string } {
  const wire = fromBase64url(proof.event)
  const decoded = wire === null ? null : decodeEvent(wire)
  if (decoded === null || !decoded.ok) return { ok: false, detail: 'its event is none' }
  const { body } = decoded.event.envelope
  const reading = parseAnchorPack(body)
  if (!reading.ok || packHash(body) !== proof.packHash)
    return { ok: false, detail: 'its event is not that of the pack' }
  const { orgId, packSeq, root, threshold, validUntil } = reading.pack
  const same = [orgId, packSeq, root, threshold, validUntil].join(' ')
  if (same !== [proof.orgId, proof.packSeq, proof.root, proof.threshold, proof.validUntil].join(' '))
    return { ok: false, detail: 'it says something else than its pack' }
  return verifyPackKeyProof(proof, root) ? { ok: true } : { ok: false, detail: 'the key is not under the pack root' }
}

function anchorOf(row: JsonObject): ListedAnchor {
  return row as unknown as ListedAnchor
}

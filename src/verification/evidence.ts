import type { Evidence, TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { LogReader } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'

// A standard Bitcoin transaction has at most 400,000 bytes, and proofs and tokens some KiB. Several are in hand at once.
export const EVIDENCE_BLOB_BYTES_MAX = 1024 * 1024

/** The timestamp anchor of a row, out of an event that announced it, with the evidence that stands by hash filled in. */
export async function announcedAnchor(
  row: TimestampAnchorRow,
  log: LogReader,
  blobs: Pick<BlobStore, 'getMany'>
): Promise<TimestampAnchor> {
  const eventId = row.announcements[0]?.eventId ?? ''
  const position = await log.find(eventId)
  const record = position === undefined ? undefined : await log.read(position.logSeq)
  const logged = record === undefined ? undefined : parseRecord(record)
  const reading = logged?.scope === 'shared' ? parseAnnounce(logged.event.envelope.body) : undefined
  const announced = reading?.ok === true ? reading.announce.timestampAnchors : []
  // Hashing each is most of the work, and most announces have one.
  const found =
    announced.length === 1 ? announced[0] : announced.find((anchor) => evidenceHashOf(anchor) === row.evidenceHash)
  if (found === undefined) throw new Error(`event ${eventId} does not announce evidence ${row.evidenceHash}`)
  return await withBlobs(found, blobs)
}

/** Evidence whose blob is not here, is too large or is another's stays as it is: its verifier says that it is missing. */
export async function withBlobs(anchor: TimestampAnchor, blobs: Pick<BlobStore, 'getMany'>): Promise<TimestampAnchor> {
  if ('rawTx' in anchor) return { ...anchor, rawTx: await inFull(anchor.rawTx, blobs) }
  if ('otsProof' in anchor) return { ...anchor, otsProof: await inFull(anchor.otsProof, blobs) }
  return 'token' in anchor ? { ...anchor, token: await inFull(anchor.token, blobs) } : anchor
}

async function inFull(evidence: Evidence, blobs: Pick<BlobStore, 'getMany'>): Promise<Evidence> {
  if (typeof evidence === 'string') return evidence
  const [bytes] = await blobs.getMany([evidence.blob])
  // The store could be damaged, and what is not what was announced decides nothing.
  if (bytes === undefined || bytes.length > EVIDENCE_BLOB_BYTES_MAX || sha256Hex(bytes) !== evidence.blob)
    return evidence
  return toBase64url(bytes)
}

import type { Evidence, TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { LogReader } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'

// A standard Bitcoin transaction has at most 400,000 bytes, and proofs and tokens some KiB. Several are in hand at once.
export const EVIDENCE_BLOB_BYTES_MAX = 1024 * 1024

// Rows stand by batch, so those of one announce come one after another, several at once from each verifier's lane.
// Each has at most 48 KiB.
const ANNOUNCES_KEPT = 16

/** The evidence of rows, out of the events that announced it. */
export class AnnouncedEvidence {
  readonly #log: LogReader
  readonly #blobs: Pick<BlobStore, 'getMany'>
  /** The timestamp anchors of the last events, by evidence hash. */
  readonly #recent = new BoundedMap<string, ReadonlyMap<string, TimestampAnchor>>(ANNOUNCES_KEPT)

  constructor(log: LogReader, blobs: Pick<BlobStore, 'getMany'>) {
    this.#log = log
    this.#blobs = blobs
  }

  /** The timestamp anchor of a row; evidence that stands by hash is filled in, where its blob is here. */
  async announced({ announcements, evidenceHash }: TimestampAnchorRow): Promise<TimestampAnchor> {
    return await this.in(announcements[0]?.eventId ?? '', evidenceHash)
  }

  /** The same, out of an event that announces it. */
  async in(eventId: string, evidenceHash: string): Promise<TimestampAnchor> {
    const anchors = this.#recent.get(eventId) ?? (await this.#read(eventId))
    const found = anchors.get(evidenceHash)
    if (found === undefined) throw new Error(`event ${eventId} does not announce evidence ${evidenceHash}`)
    return await withBlobs(found, this.#blobs)
  }

  async #read(eventId: string): Promise<ReadonlyMap<string, TimestampAnchor>> {
    const position = await this.#log.find(eventId)
    const record = position === undefined ? undefined : await this.#log.read(position.logSeq)
    const logged = record === undefined ? undefined : parseRecord(record)
    const reading = logged?.scope === 'shared' ? parseAnnounce(logged.event.envelope.body) : undefined
    const announced = reading?.ok === true ? reading.announce.timestampAnchors : []
    const anchors = new Map(announced.map((anchor) => [evidenceHashOf(anchor), anchor]))
    this.#recent.set(eventId, anchors)
    return anchors
  }
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

import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { fromHex, toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Proof, ProvenAnchor, Supplement } from '../../protocols/proof/v1/proof.ts'
import { PROOF_ANCHORS_MAX, PROOF_ATTESTATIONS_MAX, SEEN_CHARACTERS_MAX } from '../../protocols/proof/v1/proof.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { LogReader } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { Store } from '../log/store.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { AttestationRow } from '../projections/attested.ts'
import type { BatchRow } from '../projections/batches.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { attestedEvidenceKey, timestampAnchorKey } from '../projections/evidence.ts'
import type { RootedBatch } from '../projections/receipts.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import type { WinnerRow } from '../projections/winners.ts'
import { verdictOf } from '../timestamps/verdict.ts'
import { withBlobs } from '../verification/evidence.ts'
import { blockHashOf } from './check-anchors.ts'

// As many as decide a standing.
const ANCHOR_ROWS_LOOKED_MAX = 1_000
// A verdict follows its announce closely, unless the node was behind: a second's reading.
const VERDICT_RECORDS_LOOKED_MAX = 100_000
// Room for one blob of the largest size as base64url. With the announcements (1.1 MiB), what was seen, attestations and
// the record, each at its largest, the file stays below its bound.
const EVIDENCE_CHARACTERS_MAX = 1_572_864

export interface EvidencePorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: BlobStore
  readonly log: LogReader & { readonly head: { readonly logSeq: number } }
}

/** What is known of the root here; `winner` is `null` unless it is this root that won. */
export interface KnownOfBatch {
  readonly batch: BatchRow | undefined
  readonly winner: WinnerRow['winner']
  readonly policy: PolicyView | null
}

/** What a file says beside the receipt itself. */
export type ProvenEvidence = Pick<Proof, 'ownerDid' | 'announcements' | 'timestampAnchors' | 'attestations'>

/** A row with its timestamp anchor as it was announced. */
interface Found {
  readonly row: TimestampAnchorRow
  readonly announced: Announced
  readonly anchor: TimestampAnchor
}

/** An announce in the log. */
interface Announced {
  readonly eventId: string
  readonly wire: Uint8Array
  readonly timestampAnchors: readonly TimestampAnchor[]
}

/**
 * The owner's announcement of a root, its timestamp anchors and the announcements that carry them: those that are
 * verified here on chains that policy accepts; where none is, those that are undecided, never one that was found invalid
 * (proof/v1 PR-17).
 */
export async function provenEvidence(
  root: RootedBatch,
  { batch, winner, policy }: KnownOfBatch,
  ports: EvidencePorts
): Promise<ProvenEvidence> {
  const own = ownerAnnouncement(batch)
  if (own === null) return { ownerDid: null, announcements: [], timestampAnchors: [] }
  const announced = new Map<string, Announced>()
  const first = await readAnnounce(own.eventId, ports.log)
  announced.set(first.eventId, first)
  const timestampAnchors: ProvenAnchor[] = []
  let characters = 0
  const chosen: TimestampAnchorRow[] = []
  for (const row of await chosenRows(root, winner, ports, policy)) {
    const found = await findAnchor(row, announced, ports.log)
    const timestampAnchor = await withBlobs(found.anchor, ports.blobs)
    characters += JSON.stringify(timestampAnchor).length
    if (characters > EVIDENCE_CHARACTERS_MAX) break
    announced.set(found.announced.eventId, found.announced)
    chosen.push(row)
    const supplement = await supplementOf(found, ports.log)
    timestampAnchors.push(supplement === null ? { timestampAnchor } : { timestampAnchor, supplement })
  }
  return {
    ownerDid: own.signer,
    announcements: [...announced.values()].map(({ wire }) => toBase64url(wire)),
    timestampAnchors,
    ...(await attestedOf(chosen, ports))
  }
}

/** The owner's announcement that counts, with the smallest event id. */
function ownerAnnouncement(batch: BatchRow | undefined): BatchRow['announcements'][number] | null {
  const own = batch?.announcements.filter(({ byOwner, effect }) => byOwner && effect === null) ?? []
  return own.toSorted((left, right) => (left.eventId < right.eventId ? -1 : 1))[0] ?? null
}

async function chosenRows(
  root: RootedBatch,
  winner: WinnerRow['winner'],
  { engine, store }: EvidencePorts,
  policy: PolicyView | null
): Promise<readonly TimestampAnchorRow[]> {
  const { namespace, owner, batchId, batchRoot } = root
  const rows = await viewRows(engine, store, 'timestamp-anchors', async (view) => {
    // What won is asked for by itself: a flood of other evidence must not hide it.
    const [won] = winner === null ? [] : await view.rows([timestampAnchorKey({ ...root, ...winner })])
    const found = won === undefined ? [] : [won as TimestampAnchorRow]
    let looked = 0
    for await (const [, one] of view.range(`${namespace}!${batchId}!`)) {
      looked += 1
      if (looked > ANCHOR_ROWS_LOOKED_MAX) break
      const row = one as TimestampAnchorRow
      if (row.owner !== owner || row.batchRoot !== batchRoot || row.evidenceHash === winner?.evidenceHash) continue
      found.push(row)
    }
    return found
  })
  const verified = rows.filter(
    ({ status, chainId }) => status === 'verified' && policy?.finality(namespace, chainId) !== undefined
  )
  const chosen = verified.length > 0 ? verified : rows.filter(({ status }) => status !== 'invalid')
  return chosen.slice(0, PROOF_ANCHORS_MAX)
}

/** The row's timestamp anchor, in an announcement that is in the file already, where there is one. */
async function findAnchor(
  row: TimestampAnchorRow,
  known: ReadonlyMap<string, Announced>,
  log: LogReader
): Promise<Found> {
  const isIt = (anchor: TimestampAnchor): boolean => evidenceHashOf(anchor) === row.evidenceHash
  for (const announced of known.values()) {
    const anchor = announced.timestampAnchors.find(isIt)
    if (anchor !== undefined) return { row, announced, anchor }
  }
  const announced = await readAnnounce(row.announcements[0]?.eventId ?? '', log)
  const anchor = announced.timestampAnchors.find(isIt)
  if (anchor === undefined) throw new Error(`event ${announced.eventId} does not announce evidence ${row.evidenceHash}`)
  return { row, announced, anchor }
}

async function readAnnounce(eventId: string, log: LogReader): Promise<Announced> {
  const position = await log.find(eventId)
  const record = position === undefined ? undefined : await log.read(position.logSeq)
  const logged = record === undefined ? undefined : parseRecord(record)
  const event = logged?.scope === 'shared' ? logged.event : undefined
  const reading = event === undefined ? undefined : parseAnnounce(event.envelope.body)
  if (event === undefined || reading?.ok !== true) throw new Error(`event ${eventId} is no announce`)
  const { timestampAnchors } = reading.announce
  return { eventId, wire: event.wire, timestampAnchors }
}

/** What others say of the evidence, by the attestation of each that counts: no proof, but worth showing. */
async function attestedOf(
  rows: readonly TimestampAnchorRow[],
  { engine, store, log }: EvidencePorts
): Promise<Pick<Proof, 'attestations'>> {
  const ids = await viewRows(engine, store, 'attestations', async (view) => {
    const found: string[] = []
    for (const row of rows) {
      for await (const [, attested] of view.range(`${attestedEvidenceKey(row)}!`)) {
        if (found.length === PROOF_ATTESTATIONS_MAX) return found
        found.push((attested as AttestationRow).eventId)
      }
    }
    return found
  })
  const wires: string[] = []
  for (const id of ids) {
    const position = await log.find(id)
    const record = position === undefined ? undefined : await log.read(position.logSeq)
    if (record !== undefined) wires.push(toBase64url(record.payload))
  }
  return wires.length === 0 ? {} : { attestations: wires }
}

/**
 * What this node saw when it verified. Of a block the header is the same in every verdict, so the first that is found
 * will do.
 */
async function supplementOf({ row, anchor }: Found, log: EvidencePorts['log']): Promise<Supplement | null> {
  if (row.status !== 'verified' || row.chainId.startsWith('rfc3161:')) return null
  const positions = await log.findMany(row.announcements.map(({ eventId }) => eventId))
  const from = Math.min(...positions.map((position) => position?.logSeq ?? log.head.logSeq))
  for await (const record of log.records(from, Math.min(log.head.logSeq, from + VERDICT_RECORDS_LOOKED_MAX))) {
    const logged = record.scope === 'local' ? parseRecord(record) : null
    const verdict = logged?.scope === 'local' ? verdictOf(logged.event) : null
    if (verdict?.outcome !== 'verified' || verdict.evidenceHash !== row.evidenceHash) continue
    if (verdict.batchRoot === row.batchRoot) return seenIn(verdict.evidence, anchor)
  }
  return null
}

function seenIn(evidence: JsonObject, anchor: TimestampAnchor): Supplement | null {
  const { header } = evidence
  const bytes = typeof header === 'string' ? fromHex(header) : null
  if (typeof header === 'string' && bytes !== null && 'blockHash' in anchor && blockHashOf(bytes) === anchor.blockHash)
    return { header }
  const seen = JSON.stringify(evidence)
  return seen.length > SEEN_CHARACTERS_MAX ? null : { seen }
}

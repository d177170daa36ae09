import { leafHash, verifyInclusion } from '../../../protocols/batch/v1/merkle.ts'
import { evidenceHashOf, parseAnnounce } from '../../../protocols/event/v1/announce.ts'
import { ATTESTATION_TYPE, parseAttestation } from '../../../protocols/event/v1/attestation.ts'
import type { Envelope } from '../../../protocols/event/v1/envelope.ts'
import { fromHex, toHex, utf8 } from '../../../protocols/primitives/bytes.ts'
import type { ProjectionName, RowOf } from '../../api/rows.ts'
import { ANNOUNCE_TYPE } from '../../events/claim.ts'
import { verificationFailed } from '../errors.ts'
import type { Trust } from './trust.ts'

/** What the check of a row looked at. */
export type RowCheck =
  /** Every signed event that the row goes back to says what the row says; what the node concluded is its own word. */
  | 'signed'
  /** The leaf stands under the root that the row names. */
  | 'included'
  /** Nothing in the row can be held against a signature or a proof. */
  | 'unsigned'

export interface RowCheckPorts {
  readonly trust: Trust
  /** The event with this id, checked. Throws `VERIFICATION_FAILED`. */
  readonly event: (id: string) => Promise<Envelope>
}

type Batch = { readonly namespace: string; readonly owner: string; readonly batchId: string }
type Evidence = { readonly eventId: string; readonly evidenceHash: string; readonly batchRoot: string }

/** Holds a row against the signed events that it names. Throws `VERIFICATION_FAILED` (`ROW_MISMATCH`, codes of events). */
export async function checkRow<Name extends ProjectionName>(
  name: Name,
  row: RowOf<Name>,
  ports: RowCheckPorts
): Promise<RowCheck> {
  switch (name) {
    case 'batches':
      return await checkBatch(row as RowOf<'batches'>, ports)
    case 'timestamp-anchors':
      return await checkTimestampAnchor(row as RowOf<'timestamp-anchors'>, ports)
    case 'winners':
      return await checkWinner(row as RowOf<'winners'>, ports)
    case 'attestations':
      return await checkAttestation(row as RowOf<'attestations'>, ports)
    case 'receipts':
      return checkReceipt(row as RowOf<'receipts'>)
    default:
      return 'unsigned'
  }
}

/** PR-9 and PR-10 for a row that shows the record or the proof. */
export function checkReceipt(row: RowOf<'receipts'>): RowCheck {
  const { leafHash: leaf, record, proof, batchRoot } = row
  if (typeof record === 'string') {
    const hash = toHex(leafHash(utf8(record)))
    if (hash !== leaf) throw mismatch(`the record has the leaf hash ${hash}, not ${leaf}`)
  }
  if (proof === undefined || proof === null) return 'unsigned'
  if (proof.index !== row.index || proof.treeSize !== row.receiptCount)
    throw mismatch(`the proof is of leaf ${proof.index} of ${proof.treeSize}`)
  const [path, leafBytes, root] = [proof.path.map(fromHex), fromHex(leaf), fromHex(batchRoot)]
  const isWhole = path.every((hash) => hash !== null)
  const holds =
    isWhole && leafBytes !== null && root !== null
      ? verifyInclusion({ leafHash: leafBytes, root, path, index: proof.index, treeSize: proof.treeSize })
      : false
  if (!holds) throw mismatch(`no proof leads from leaf ${proof.index} of ${proof.treeSize} to the root ${batchRoot}`)
  return 'included'
}

async function checkBatch(row: RowOf<'batches'>, ports: RowCheckPorts): Promise<RowCheck> {
  for (const { signer, eventId, receiptCount, ts } of row.announcements) {
    const { announce, envelope } = await announceOf(eventId, row, row.batchRoot, ports)
    if (envelope.signer !== signer || envelope.ts !== ts || announce.receiptCount !== receiptCount)
      throw mismatch(`the event ${eventId} says something else than the row`)
  }
  const counts = row.announcements.filter(({ byOwner }) => byOwner).map(({ receiptCount }) => receiptCount)
  if (row.receiptCount !== null && !counts.includes(row.receiptCount))
    throw mismatch(`no announcement says ${row.receiptCount} receipts`)
  return row.announcements.length === 0 ? 'unsigned' : 'signed'
}

async function checkTimestampAnchor(row: RowOf<'timestamp-anchors'>, ports: RowCheckPorts): Promise<RowCheck> {
  for (const { signer, eventId } of row.announcements) {
    const envelope = await checkEvidence({ ...row, eventId }, row, ports)
    if (envelope.signer !== signer) throw mismatch(`the event ${eventId} is of ${envelope.signer}, not of ${signer}`)
  }
  return row.announcements.length === 0 ? 'unsigned' : 'signed'
}

async function checkWinner(row: RowOf<'winners'>, ports: RowCheckPorts): Promise<RowCheck> {
  const { winner, batchRoot, losers } = row
  if (winner !== null && batchRoot === null) throw mismatch('a winner without a root')
  if (winner !== null && batchRoot !== null) await checkEvidence({ ...winner, batchRoot }, row, ports)
  for (const loser of losers) await checkEvidence(loser, row, ports)
  return winner === null && losers.length === 0 ? 'unsigned' : 'signed'
}

async function checkAttestation(row: RowOf<'attestations'>, { event }: RowCheckPorts): Promise<RowCheck> {
  const envelope = await event(row.eventId)
  const body = envelope.type === ATTESTATION_TYPE ? parseAttestation(envelope.body) : null
  const isSame =
    body?.ok === true &&
    envelope.namespace === row.namespace &&
    envelope.signer === row.signer &&
    body.attestation.owner === row.owner &&
    body.attestation.batchId === row.batchId &&
    body.attestation.batchRoot === row.batchRoot &&
    body.attestation.evidenceHash === row.evidenceHash &&
    body.attestation.outcome === row.outcome
  if (!isSame) throw mismatch(`the event ${row.eventId} does not attest what the row says`)
  return 'signed'
}

async function checkEvidence(
  { eventId, evidenceHash, batchRoot }: Evidence,
  batch: Batch,
  ports: RowCheckPorts
): Promise<Envelope> {
  const { announce, envelope } = await announceOf(eventId, batch, batchRoot, ports)
  if (!announce.timestampAnchors.some((anchor) => evidenceHashOf(anchor) === evidenceHash))
    throw mismatch(`the event ${eventId} does not carry the evidence ${evidenceHash}`)
  return envelope
}

/** The announce with this id, which must be of this batch and root. */
async function announceOf(eventId: string, batch: Batch, batchRoot: string, { event, trust }: RowCheckPorts) {
  const envelope = await event(eventId)
  const body = envelope.type === ANNOUNCE_TYPE ? parseAnnounce(envelope.body) : null
  if (body?.ok !== true) throw mismatch(`the event ${eventId} is no announce`)
  const { announce } = body
  // Without a name in the event the owner is the signer's organisation, which only the app's own knowledge can tell.
  const owner = announce.owner ?? trust.orgOf(envelope.signer) ?? batch.owner
  const isSame =
    envelope.namespace === batch.namespace &&
    announce.batchId === batch.batchId &&
    announce.batchRoot === batchRoot &&
    owner === batch.owner
  if (!isSame) throw mismatch(`the event ${eventId} announces another root than the row says`)
  return { announce, envelope }
}

function mismatch(detail: string) {
  return verificationFailed('ROW_MISMATCH', detail)
}

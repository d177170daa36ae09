import { verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { provingSubtrees } from '../../protocols/bundle/v1/range-proof.ts'
import { bytesOfHex } from '../../protocols/primitives/bytes.ts'
import type { Proof, ProofClaims, ProvenReceipt } from '../../protocols/proof/v1/proof.ts'
import { PROOF_TYPE, encodeProof } from '../../protocols/proof/v1/proof.ts'
import { BatchTree } from '../bundles/batch-tree.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { BatchRow } from '../projections/batches.ts'
import { rowKeyOf } from '../projections/batches.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { ReceiptRow } from '../projections/receipts.ts'
import type { RowsView } from '../projections/rows-view.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { Standing, StandingView } from '../projections/standing.ts'
import { standingsReached, viewStandings } from '../projections/standing.ts'
import { provenEvidence } from './evidence-of-batch.ts'

export interface ProofPorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: BlobStore
  readonly log: EventLog
  /** The node's own DID, for what the file says of its writer. */
  readonly self: string
}

/** Which receipt. Owner and root tell apart batches of one name; without them the one that is nearest to a proof. */
export interface ProofRequest {
  readonly namespace: string
  readonly batchId: string
  /** Hex. */
  readonly leafHash: string
  readonly owner?: string
  readonly batchRoot?: string
}

/** A proof as it goes to a file, and how the receipt stands here. */
export interface BuiltProof extends Standing {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
  readonly leafHash: string
  readonly index: number
  /** The content of the file (proof/v1). */
  readonly proof: string
}

/**
 * The proof of one receipt that this node holds, sealed here or fetched, with the evidence that it verified or, where
 * it verified none, that is undecided. Throws `RECEIPT_UNKNOWN` for one that is not here (any more), `NOT_YET` while
 * leaves of its batch are missing, `PROJECTION_HALTED`.
 */
export async function buildProof(ports: ProofPorts, request: ProofRequest): Promise<BuiltProof> {
  const { engine, store, log } = ports
  await log.recover()
  await engine.reached(log.head.logSeq, null, 'receipts')
  await standingsReached(engine, log.head.logSeq, null)
  return await viewRows(engine, store, 'receipts', (receipts) =>
    viewRows(engine, store, 'batches', (batches) =>
      viewStandings(engine, store, undefined, async (standings) => {
        const row = await nearestPlace(request, receipts, standings)
        const standing = await standings.standingOf(row)
        const [batch] = (await batches.rows([rowKeyOf(row)])) as (BatchRow | undefined)[]
        const won = standing.standing === 'proven' ? await standings.winnerOf(row) : undefined
        const winner = won?.winner ?? null
        const { namespace, owner, batchId, batchRoot, leafHash, index } = row
        const proof: Proof = {
          v: 1,
          type: PROOF_TYPE,
          namespace,
          owner,
          batchId,
          batchRoot,
          receipt: await provenReceipt(row, receipts, ports.blobs),
          ...(await provenEvidence(row, { batch, winner, policy: await standings.policy() }, ports)),
          claims: await claimsOf(row, ports.self, standing, standings)
        }
        return { namespace, owner, batchId, batchRoot, leafHash, index, ...standing, proof: encodeProof(proof) }
      })
    )
  )
}

async function claimsOf(row: ReceiptRow, by: string, standing: Standing, view: StandingView): Promise<ProofClaims> {
  const { chainId, evidenceId, evidenceHash } = (await view.winnerOf(row))?.winner ?? {}
  const isKnown = chainId !== undefined && evidenceId !== undefined && evidenceHash !== undefined
  return {
    by,
    logSeq: view.logSeq,
    policyDigest: (await view.policy())?.policyDigest(row.namespace) ?? null,
    ...standing,
    winner: isKnown ? { chainId, evidenceId, evidenceHash } : null
  }
}

/** The place of the receipt whose root is proven, else the first in the order of rows. */
async function nearestPlace(request: ProofRequest, view: RowsView, standings: StandingView): Promise<ReceiptRow> {
  const places = await placesOf(request, view)
  for (const place of places) if ((await standings.standingOf(place)).standing === 'proven') return place
  if (places[0] === undefined) throw unknownReceipt(request)
  return places[0]
}

/** Where the receipt stands among the leaves of the batches of that name. Reads all of them. */
async function placesOf(request: ProofRequest, view: RowsView): Promise<ReceiptRow[]> {
  const { namespace, batchId, leafHash, owner, batchRoot } = request
  const places: ReceiptRow[] = []
  for await (const [, found] of view.range(`${namespace}!${batchId}!`)) {
    const row = found as ReceiptRow
    if (row.leafHash !== leafHash || (owner !== undefined && row.owner !== owner)) continue
    if (batchRoot === undefined || row.batchRoot === batchRoot) places.push(row)
  }
  return places
}

async function provenReceipt(row: ReceiptRow, view: RowsView, blobs: BlobStore): Promise<ProvenReceipt> {
  const { index, leafHash, receiptCount, status } = row
  const [record] = await blobs.getMany([leafHash])
  if (record === undefined || status !== 'held') throw erasedReceipt(row)
  const tree = await BatchTree.read(view, row, receiptCount)
  if (tree === null)
    throw new AnchormeshError('NOT_YET', `not all leaves of the batch ${row.batchId} are known here`, {
      hint: 'fetch the others: anchormesh bundle fetch'
    })
  const path = await inclusionPath(row, tree, view)
  return { record: Buffer.from(record).toString('utf8'), leafHash, index, treeSize: receiptCount, path }
}

/** The hashes from a leaf up to its root (batch/v1 BAT-8), checked. */
export async function inclusionPath(
  { index, leafHash, receiptCount, batchRoot }: ReceiptRow,
  tree: BatchTree,
  view: RowsView
): Promise<readonly string[]> {
  const hashes = await tree.proof(view, index, index + 1)
  const path = pathOf(receiptCount, index, hashes)
  const claim = { leafHash: bytesOfHex(leafHash), index, treeSize: receiptCount, root: bytesOfHex(batchRoot) }
  if (!verifyInclusion({ ...claim, path: path.map(bytesOfHex) })) throw new Error(`no path from leaf ${leafHash}`)
  return path
}

/** The range proof of one leaf, which goes from left to right (BU-14), in the order from the leaf up (BAT-8). */
function pathOf(size: number, index: number, hashes: readonly string[]): readonly string[] {
  const byStart = new Map(provingSubtrees(size, index, index + 1).map(({ start }, place) => [start, hashes[place]]))
  const path: string[] = []
  let [start, count] = [0, size]
  // From the root down, so each sibling goes before those that stand nearer to the leaf.
  while (count > 1) {
    const left = largestPowerBelow(count)
    const goesLeft = index < start + left
    path.unshift(byStart.get(goesLeft ? start + left : start) ?? '')
    start = goesLeft ? start : start + left
    count = goesLeft ? left : count - left
  }
  return path
}

/** The largest power of two below a number of leaves, which is at most 2^31 here. */
function largestPowerBelow(count: number): number {
  return 2 ** (31 - Math.clz32(count - 1))
}

function unknownReceipt({ namespace, batchId, leafHash }: ProofRequest): AnchormeshError {
  return new AnchormeshError(
    'RECEIPT_UNKNOWN',
    `no receipt ${leafHash} of the batch ${batchId} in ${namespace} is here`,
    {
      hint: 'anchormesh query receipts --json shows the receipts by their leafHash'
    }
  )
}

function erasedReceipt({ leafHash, status }: ReceiptRow): AnchormeshError {
  const why = status === 'forgotten' ? 'this node was told to forget it' : 'it came here erased'
  return new AnchormeshError('RECEIPT_UNKNOWN', `the receipt ${leafHash} is erased: ${why}`, {
    hint: 'Only its hash is left, and nothing can be proven of what it was.',
    detail: { receipt: leafHash, status }
  })
}

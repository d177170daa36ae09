import type {
  DraftedPack,
  PackDraft,
  PackOperations,
  PublishPackRequest,
  PublishedPack,
  SignPackRequest,
  SignersReport
} from './pack-operations.ts'

/** Functions over a node, or the client of one, for programs that manage the keys of an organisation. */

/**
 * Publishes the next pack of the node's organisation: all its keys as they stand, and what was decided of them. Throws
 * `AnchormeshError` as `PackOperations.publishPack`; where keys of others must sign, `node.draftPack` makes a draft.
 */
export async function publishAnchorPack(
  node: Pick<PackOperations, 'publishPack'>,
  request: PublishPackRequest = {}
): Promise<PublishedPack> {
  return await node.publishPack(request)
}

/**
 * Judges a draft of another machine by this node's own view, and adds the signatures of the keys that are held here.
 * Throws `AnchormeshError` as `PackOperations.signPack`. `node.completePack` publishes what is whole.
 */
export async function signAnchorPack(
  node: Pick<PackOperations, 'signPack'>,
  draft: PackDraft,
  request: SignPackRequest = {}
): Promise<DraftedPack> {
  return await node.signPack(draft, request)
}

/** The keys of the node's organisation: as packs have them, as the next pack shall, and which are held here. */
export async function listSigners(node: Pick<PackOperations, 'signers'>): Promise<SignersReport> {
  return await node.signers()
}

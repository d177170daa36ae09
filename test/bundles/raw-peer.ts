import { ANSWER_BYTES_MAX, decodeAnswer, encodeAnswer } from '../../protocols/bundle/v1/answer.ts'
import type { BundleAnswer } from '../../protocols/bundle/v1/answer.ts'
import { leafHash, merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import type { BundlePage, PagePart } from '../../protocols/bundle/v1/page.ts'
import { encodePage } from '../../protocols/bundle/v1/page.ts'
import { provingSubtrees } from '../../protocols/bundle/v1/range-proof.ts'
import type { BundleRequest, DecodedRequest, Want } from '../../protocols/bundle/v1/request.ts'
import { decodeRequest, encodeRequest } from '../../protocols/bundle/v1/request.ts'
import { toBase64url, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import { BUNDLE_PROTOCOL } from '../../src/bundles/streams.ts'
import type { Network } from '../../src/network/network.ts'
import { frameStream } from '../../src/streams/frames.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { peerIdOf } from '../node/nodes.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE } from '../support/identities.ts'

/** What a peer that is no node answers to a request: the bytes of its frame, or null to break off. */
export type RawAnswer = (request: DecodedRequest, wire: Uint8Array) => Promise<Uint8Array | null>

/** A peer of the mesh that speaks bundles as a test tells it. */
export async function rawPeer(
  hub: MemoryHub,
  self: TestMember,
  answer: RawAnswer = () => Promise.resolve(null)
): Promise<Network> {
  const network = hub.join({ did: self.signer.did, peerId: peerIdOf(self), namespaces: [NAMESPACE] })
  await network.start({
    judge: () => Promise.resolve('accept'),
    protocols: {
      [BUNDLE_PROTOCOL]: async (stream) => {
        const frames = frameStream(stream, { frameBytesMax: 4 * ANSWER_BYTES_MAX })
        const reading = await frames.read()
        const decoding = reading?.ok === true ? decodeRequest(reading.frame) : null
        const bytes =
          reading?.ok === true && decoding?.ok === true ? await answer(decoding.decoded, reading.frame) : null
        if (bytes === null) {
          frames.abort(new Error('no more'))
          return
        }
        await frames.write(bytes)
        await frames.end()
      }
    }
  })
  return network
}

/** Sends bytes to a node as a request; null where it breaks off. */
export async function sendRaw(network: Network, to: MemoryNode, request: Uint8Array): Promise<BundleAnswer | null> {
  const opening = await network.open(peerIdOf(to.self), BUNDLE_PROTOCOL, new AbortController().signal)
  if (!opening.ok) throw new Error(opening.detail)
  const frames = frameStream(opening.stream, { frameBytesMax: ANSWER_BYTES_MAX })
  await frames.write(request)
  const reading = await frames.read()
  await frames.end()
  return reading?.ok === true ? decodeAnswer(reading.frame) : null
}

let nonces = 0

/** A request of `by` to `to`, signed; `changes` before it is signed. */
export async function requestBytes(
  by: TestMember,
  to: MemoryNode,
  changes: Partial<BundleRequest> = {},
  signer: TestMember = by
): Promise<Uint8Array> {
  nonces += 1
  const request: BundleRequest = {
    v: 1,
    namespace: NAMESPACE,
    signer: by.signer.did,
    kid: by.signer.kid,
    audience: to.self.signer.did,
    ts: to.ports.clock.now(),
    nonce: toBase64url(utf8(`nonce ${nonces}`.padEnd(16).slice(0, 16))),
    ...changes
  }
  return (await encodeRequest(request, (input) => signer.signer.sign(input))).wire
}

/** The receipts of a batch as its owner has them. */
export interface KnownBatch {
  readonly owner: string
  readonly batchId: string
  readonly records: readonly Uint8Array[]
}

export async function knownBatch({ node, self }: MemoryNode, batchId: string): Promise<KnownBatch> {
  const records: Uint8Array[] = []
  for await (const { record } of node.proofs(NAMESPACE, batchId)) records.push(utf8(record ?? ''))
  return { owner: self.orgId, batchId, records }
}

/** The part that an honest server would give for a want, as far as `most` leaves. */
export function partFor(
  { owner, batchId, records }: KnownBatch,
  { from, to }: Pick<Want, 'from' | 'to'>,
  most = Infinity
): PagePart {
  const hashes = records.map(leafHash)
  const end = Math.min(to, records.length, from + most)
  return {
    owner,
    batchId,
    batchRoot: toHex(merkleRoot(hashes)),
    receiptCount: records.length,
    from,
    leaves: records.slice(from, end).map((record) => ({ record: toBase64url(record) })),
    proof: provingSubtrees(records.length, from, end).map(({ start, count }) =>
      toHex(merkleRoot(hashes.slice(start, start + count)))
    ),
    announces: []
  }
}

/** A page of `by` for a request, signed by `signer`; `changes` before it is signed. */
export async function pageBytes(
  by: TestMember,
  { request, hash }: DecodedRequest,
  parts: readonly PagePart[],
  changes: Partial<BundlePage> = {},
  signer: TestMember = by
): Promise<Uint8Array> {
  const page: BundlePage = {
    v: 1,
    namespace: request.namespace,
    signer: by.signer.did,
    kid: by.signer.kid,
    audience: request.signer,
    ts: request.ts,
    request: hash,
    parts,
    next: null,
    ...changes
  }
  return encodeAnswer({ ok: true, page: await encodePage(page, (input) => signer.signer.sign(input)) })
}

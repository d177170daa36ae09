import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import { parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { ANNOUNCE_TYPE } from '../events/claim.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { policyEffect } from '../policy/effect-rules.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { storedPacks } from '../projections/packs.ts'
import { judgePack } from '../trust/pack-chain.ts'
import type { AuthoredEvent, Author } from './author.ts'
import type { SealedBatchPorts } from './sealed-batches.ts'
import { findSealedBatch, unknownBatch } from './sealed-batches.ts'

// Long enough to be renewed by a person in time, short enough that a frozen view of an organisation shows.
const PACK_VALID_MS = 90 * 86_400_000

export interface PublishPorts extends SealedBatchPorts {
  readonly author: Author
  readonly policy: () => PolicyView
  readonly clock: Clock
}

/**
 * Announces a batch that was sealed here. Throws `BATCH_UNKNOWN`, and `PUBLISH_REFUSED` (with the code in its detail)
 * for what would have no effect: a timestamp anchor that is none, and all that `policyEffect` has against it.
 */
export async function announceBatch(
  request: { readonly namespace: string; readonly batchId: string; readonly timestampAnchors: readonly JsonObject[] },
  ports: PublishPorts
): Promise<AuthoredEvent> {
  const { namespace, batchId, timestampAnchors } = request
  const { self } = ports.policy()
  if (!ports.policy().carries(namespace) || namespace === TRUST_NAMESPACE)
    throw refused('NAMESPACE_NOT_CARRIED', `${namespace} is not carried here`)
  const { kid } = ports.author.signer
  const bound = self.measurement === undefined ? {} : { attestationMeasurementHash: self.measurement }
  const facts = { namespace, signer: self.did, kid, owner: self.orgId, hasEvidence: timestampAnchors.length > 0 }
  const effect = policyEffect({ ...facts, ...bound }, ports.policy())
  if (effect !== null) throw refused(effect.code, effect.detail)
  const identity = { namespace, owner: self.orgId, batchId }
  const sealed = await findSealedBatch(ports, identity)
  if (sealed === null) throw unknownBatch(identity)
  const body = { owner: self.orgId, batchId, ...sealed, timestampAnchors: [...timestampAnchors], ...bound }
  const reading = parseAnnounce(body)
  if (!reading.ok) throw refused(reading.code, reading.detail)
  return await ports.author.author(ANNOUNCE_TYPE, namespace, body)
}

/**
 * Publishes the next anchor pack of this node's organisation: all its keys as they stand, this node's own among them.
 * Throws `PUBLISH_REFUSED` with the code that the pack would get everywhere else.
 */
export async function publishPack(
  ports: PublishPorts
): Promise<AuthoredEvent & { readonly orgId: string; readonly packSeq: number; readonly packHash: string }> {
  const { orgId } = ports.policy().self
  const { root, head, frozen } = await storedPacks(ports.engine, orgId, ports.policy())
  if (frozen) throw refused('PACK_FORK', `two packs of ${orgId} stand at number ${head.packSeq + 1}`)
  const pack = nextPack(
    orgId,
    [...head.keys.values()].map(({ key }) => key),
    head,
    ports
  )
  const body = pack as unknown as JsonObject
  const hash = packHash(body)
  const judged = judgePack(root, head, { hash, pack })
  if (!judged.ok) throw refused(judged.effect, `the pack would have no effect: ${judged.effect}`)
  // Its signature must be good under the key that the packs give its kid.
  const { kid, publicKey } = ports.author.signer
  if (judged.state.keys.get(kid)?.key.publicKey !== toBase64url(publicKey))
    throw refused('PACK_SIGNER_FOREIGN', `the packs of ${orgId} give the kid ${kid} another key than this node's`)
  const authored = await ports.author.author(ANCHOR_PACK_TYPE, TRUST_NAMESPACE, body)
  return { ...authored, orgId, packSeq: pack.packSeq, packHash: hash }
}

function nextPack(
  orgId: string,
  known: readonly PackKey[],
  head: { packSeq: number; hash: string | null; threshold: number },
  ports: PublishPorts
): AnchorPack {
  const { kid, publicKey } = ports.author.signer
  const now = ports.clock.now()
  const own: PackKey = {
    kid,
    publicKey: toBase64url(publicKey),
    status: 'ACTIVE',
    uses: ['event', 'pack'],
    notBefore: now
  }
  const keys = known.some((key) => key.kid === kid) ? known : [...known, own]
  const sorted = keys.toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
  const { threshold } = head
  return {
    orgId,
    packSeq: head.packSeq + 1,
    prevPack: head.hash,
    kind: 'full',
    keys: sorted,
    threshold,
    validUntil: now + PACK_VALID_MS,
    root: packRoot({ orgId, threshold, keys: sorted }),
    signingKids: [kid]
  }
}

function refused(code: string, detail: string): AnchormeshError {
  return new AnchormeshError('PUBLISH_REFUSED', `not published: ${code}: ${detail}`, { detail: { code } })
}

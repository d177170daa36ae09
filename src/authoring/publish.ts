import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { ANNOUNCE_TYPE } from '../events/claim.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { policyEffect } from '../policy/effect-rules.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { AuthoredEvent, Author } from './author.ts'
import type { SealedBatchPorts } from './sealed-batches.ts'
import { findSealedBatch, unknownBatch } from './sealed-batches.ts'

export interface PublishPorts extends SealedBatchPorts {
  readonly author: Author
  readonly policy: () => PolicyView
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

function refused(code: string, detail: string): AnchormeshError {
  return new AnchormeshError('PUBLISH_REFUSED', `not published: ${code}: ${detail}`, { detail: { code } })
}

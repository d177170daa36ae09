import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { verifierKeyOf } from '../../protocols/checkpoint/v1/note.ts'
import type { NodeDocument } from '../api/answers.ts'
import type { PartnerRegistry } from '../partners/partner-registry.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { Signer } from '../trust/signer.ts'

/** What this release speaks over HTTP and the mesh: the names of the folders of `protocols`. */
const PROTOCOLS: readonly string[] = [
  'bundle/v1',
  'checkpoint/v1',
  'delivery/v1',
  'event/v1',
  'feedback/v1',
  'pack-sync/v1',
  'range-sync/v1',
  'subscription/v1',
  'telemetry/v1'
]

/** Who this node is, for partners (SPEC DE-23): the key that it signs with now, those that policy binds to it, and its organisation's. */
export function nodeDocument(parts: {
  readonly policy: PolicyView
  readonly signer: Signer
  readonly partners: Pick<PartnerRegistry, 'standing'>
  readonly peerId: string | null
}): NodeDocument {
  const { policy, signer, partners, peerId } = parts
  const { did, orgId } = policy.self
  const own = { kid: signer.kid, publicKey: toBase64url(signer.publicKey) }
  const keys = new Map<string, NodeDocument['keys'][number]>()
  for (const { kid, publicKey } of [own, ...policy.boundKeys(did)]) keys.set(kid, { kid, publicKey, status: 'ACTIVE' })
  // What packs say of a kid counts, and not what was configured.
  for (const { kid, publicKey, status } of partners.standing(orgId)) keys.set(kid, { kid, publicKey, status })
  return {
    did,
    peerId,
    orgId,
    keys: [...keys.keys()].sort().flatMap((kid) => keys.get(kid) ?? []),
    protocols: PROTOCOLS,
    checkpointKey: verifierKeyOf({ signer: signer.did, kid: signer.kid }, signer.publicKey)
  }
}

import { toBase64url } from '../../primitives/bytes.ts'
import { nodeCrypto } from '../../primitives/node-crypto.ts'
import { verifyWithPoints } from './ed25519-points.ts'
import type { CheckedPublicKey } from './public-key.ts'
import { hasSoundForm } from './signature-bytes.ts'

export { checkPublicKey, PUBLIC_KEY_BYTES, restorePublicKey } from './public-key.ts'
export type { CheckedPublicKey, PublicKeyCheck } from './public-key.ts'
export { SIGNATURE_BYTES } from './signature-bytes.ts'

type NodeCrypto = NonNullable<typeof nodeCrypto>
type KeyObject = ReturnType<NodeCrypto['createPublicKey']>

// Making a KeyObject costs about a third of a verification, and most keys sign many events.
const keyObjects = new WeakMap<CheckedPublicKey, KeyObject>()

/**
 * Whether the signature (64 bytes) is good for the message under the key, by the strict and cofactorless rule of SPEC
 * SIG-4 to SIG-7. `node:crypto` decides after the explicit checks, on which libraries differ; where there is none,
 * the points of the curve.
 */
export function verifyEd25519(key: CheckedPublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (nodeCrypto === undefined) return verifyWithPoints(key, message, signature)
  return hasSoundForm(signature) && nodeCrypto.verify(null, message, keyObjectOf(key, nodeCrypto), signature)
}

function keyObjectOf(key: CheckedPublicKey, crypto: NodeCrypto): KeyObject {
  const known = keyObjects.get(key)
  if (known !== undefined) return known
  const made = crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(key.bytes) }, format: 'jwk' })
  keyObjects.set(key, made)
  return made
}

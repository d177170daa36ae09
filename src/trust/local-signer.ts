import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import type { Signer } from './signer.ts'

/** RFC 8410: what stands before the 32-byte seed in the PKCS #8 form of an Ed25519 key. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * A signer whose key is in this process: `seed` is the 32-byte Ed25519 seed. Without `identity` the signer is the key's
 * own did:key. Throws `RangeError` for a seed of another length.
 */
export function localSigner(seed: Uint8Array, identity?: { readonly did: string; readonly kid: string }): Signer {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`)
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const jwk = createPublicKey(key).export({ format: 'jwk' })
  const publicKey = new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url'))
  const did = identity?.did ?? didKeyOf(publicKey)
  const kid = identity?.kid ?? did.slice('did:key:'.length)
  return { did, kid, publicKey, sign: (message) => Promise.resolve(new Uint8Array(sign(null, message, key))) }
}

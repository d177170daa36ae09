import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { restorePublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { BoundedMap } from './bounded-map.ts'
import type { VerifyShared } from './signature-batch.ts'

// As many as the keyring keeps parsed for did:key signers, about 4 MiB a thread; one that is forgotten costs a third
// of a verification.
const KEYS_MAX = 4_096

/**
 * Verifies by the one rule, `verifyEd25519`. The keys were found good in the thread that packed them (a
 * `SignatureJob` takes no others), so they are only taken back here.
 */
export function sharedVerifier(): VerifyShared {
  const keys = new BoundedMap<string, CheckedPublicKey>(KEYS_MAX)
  return (publicKey, input, signature) => {
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1')
    let key = keys.get(name)
    if (key === undefined) {
      key = restorePublicKey(publicKey)
      keys.set(name, key)
    }
    return verifyEd25519(key, input, signature)
  }
}

import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey, PublicKeyCheck } from '../../protocols/signature/v1/ed25519.ts'
import { checkPublicKey, restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { BoundedMap } from '../platform/bounded-map.ts'

// A key costs milliseconds once, then nothing: packs name the same keys again and again, and both the door and each
// projection of packs ask for them. As many as the largest packs of 32 organisations hold, about 8 MiB.
const KEYS_REMEMBERED_MAX = 8_192
const checked = new BoundedMap<string, PublicKeyCheck>(KEYS_REMEMBERED_MAX)

/** `checkPublicKey` for a key as packs write it (base64url), remembered whether it is good or weak. */
export function checkKeyOnce(publicKey: string): PublicKeyCheck {
  const known = checked.get(publicKey)
  if (known !== undefined) return known
  const bytes = fromBase64url(publicKey)
  const found: PublicKeyCheck =
    bytes === null ? { ok: false, code: 'KEY_WEAK', detail: 'not base64url' } : checkPublicKey(bytes)
  checked.set(publicKey, found)
  return found
}

// One key for all who hold it, with what `node:crypto` makes of it: many nodes may run in one process.
const restored = new BoundedMap<string, CheckedPublicKey>(KEYS_REMEMBERED_MAX)

/** `restorePublicKey` for a key that was checked before it was written as `publicKey` (base64url of `bytes`). */
export function restoreKeyOnce(publicKey: string, bytes: Uint8Array): CheckedPublicKey {
  const known = restored.get(publicKey)
  if (known !== undefined) return known
  const key = restorePublicKey(bytes)
  restored.set(publicKey, key)
  return key
}

import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { kidOfDidKey, publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'

/** A key by its name among its holder's keys; 32 bytes, base64url. */
export interface NamedKey {
  readonly kid: string
  readonly publicKey: string
}

/** What is known of a node beforehand, from elsewhere than the node. */
export interface TargetPins {
  readonly did: string
  /** Those that may have signed; of a `did:key` its own is always one. */
  readonly keys: readonly NamedKey[]
}

/** The keys that a node document shows (DE-23). */
export interface ShownKeys {
  readonly did: string
  readonly keys: readonly (NamedKey & { readonly status: string })[]
}

/**
 * The keys by this kid that a node document shows as in use. What a `did:key` itself is the key of, no document can say
 * otherwise.
 */
export function documentKeys({ did, keys }: ShownKeys, kid: string): readonly CheckedPublicKey[] {
  if (kidOfDidKey(did) === kid) return pinnedKeys({ did, keys: [] }, kid)
  return keysByKid(
    keys.filter(({ status }) => status === 'ACTIVE'),
    kid
  )
}

/** The pinned keys by this kid. */
export function pinnedKeys({ did, keys }: TargetPins, kid: string): readonly CheckedPublicKey[] {
  const own = publicKeyOfDidKey(did)
  const checked = own === null || kidOfDidKey(did) !== kid ? null : checkPublicKey(own)
  return [...(checked?.ok === true ? [checked.key] : []), ...keysByKid(keys, kid)]
}

/** Those by this kid, as far as they are good ones. */
function keysByKid(keys: readonly NamedKey[], kid: string): readonly CheckedPublicKey[] {
  return keys
    .filter((key) => key.kid === kid)
    .flatMap(({ publicKey }) => {
      const checked = checkPublicKey(fromBase64url(publicKey) ?? new Uint8Array())
      return checked.ok ? [checked.key] : []
    })
}

import { base58btc } from 'multiformats/bases/base58'
import { concat, equalBytes } from '../../primitives/bytes.ts'
import { PUBLIC_KEY_BYTES } from './public-key.ts'

/** The multicodec of an Ed25519 public key, 0xed, as a varint. */
const ED25519_PREFIX = Uint8Array.of(0xed, 0x01)

const METHOD_PREFIX = 'did:key:'

/** 34 bytes that begin with 0xed01 always make 47 digits, of which the first three are `6Mk`. */
const DID_KEY = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/

/** The `did:key` of an Ed25519 public key (32 bytes). */
export function didKeyOf(publicKey: Uint8Array): string {
  return METHOD_PREFIX + base58btc.encode(concat(ED25519_PREFIX, publicKey))
}

/**
 * The public key (32 bytes) that a `did:key` holds; null for other methods, other kinds of key and DIDs that are not
 * well-formed. Whether the key is a good one is for `checkPublicKey` to say.
 */
export function publicKeyOfDidKey(did: string): Uint8Array | null {
  if (!DID_KEY.test(did)) return null
  const bytes = base58btc.decode(did.slice(METHOD_PREFIX.length))
  const prefixed = equalBytes(bytes.subarray(0, ED25519_PREFIX.length), ED25519_PREFIX)
  const publicKey = bytes.slice(ED25519_PREFIX.length)
  return prefixed && publicKey.length === PUBLIC_KEY_BYTES ? publicKey : null
}

/** The kid of a `did:key`'s only key: its multibase part, `z6Mk…`. Null where `publicKeyOfDidKey` gives null. */
export function kidOfDidKey(did: string): string | null {
  return publicKeyOfDidKey(did) === null ? null : did.slice(METHOD_PREFIX.length)
}

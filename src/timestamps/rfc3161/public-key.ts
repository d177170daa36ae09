import { constants, createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { checkPublicKey, verifyEd25519 } from '../../../protocols/signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../../protocols/signature/v1/ed25519.ts'
import type { HashName, SignatureScheme } from './algorithms.ts'

/** A key that counts (SPEC TE-9). */
export type PublicKey =
  | { readonly kind: 'rsa' | 'pss' | 'ecdsa'; readonly key: KeyObject }
  | { readonly kind: 'ed25519'; readonly key: CheckedPublicKey }

// Below that an RSA key may have been broken since (NIST SP 800-131A); above it a verification takes milliseconds.
const RSA_BITS_MIN = 2_048
const RSA_BITS_MAX = 8_192

// All real keys have 65,537; a long exponent would make a verification as slow as a signature.
const RSA_EXPONENT_MAX = 2n ** 32n - 1n

// P-256, P-384 and P-521, as node:crypto names them.
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

const ED25519_KEY_BYTES = 32

/** The key of a SubjectPublicKeyInfo; null for one that does not count. */
export function readPublicKey(spki: Uint8Array): PublicKey | null {
  const key = importKey(spki)
  if (key === null) return null
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX || publicExponent > RSA_EXPONENT_MAX) return null
      return { kind: key.asymmetricKeyType === 'rsa' ? 'rsa' : 'pss', key }
    case 'ec':
      return CURVES.has(namedCurve) ? { kind: 'ecdsa', key } : null
    case 'ed25519': {
      const checked = checkPublicKey(spki.subarray(-ED25519_KEY_BYTES))
      return checked.ok ? { kind: 'ed25519', key: checked.key } : null
    }
    default:
      return null
  }
}

/**
 * Whether the signature is good. `hash` is for an RSA scheme that names none. A key of another kind than the scheme
 * verifies nothing, except that an RSA key of general use may have made an RSASSA-PSS signature.
 */
export function verifySignature(
  publicKey: PublicKey,
  scheme: SignatureScheme,
  hash: HashName | null,
  data: Uint8Array,
  signature: Uint8Array
): boolean {
  if (publicKey.kind === 'ed25519') return scheme.kind === 'ed25519' && verifyEd25519(publicKey.key, data, signature)
  const { key, kind } = publicKey
  if (scheme.kind === 'rsa' && kind === 'rsa') {
    const signedHash = scheme.hash ?? hash
    return signedHash !== null && holds(signedHash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature)
  }
  if (scheme.kind === 'pss' && kind !== 'ecdsa') {
    const { saltLength } = scheme
    return holds(scheme.hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature)
  }
  return scheme.kind === 'ecdsa' && kind === 'ecdsa' && holds(scheme.hash, data, { key }, signature)
}

type Key = { readonly key: KeyObject; readonly padding?: number; readonly saltLength?: number }

function holds(hash: HashName, data: Uint8Array, key: Key, signature: Uint8Array): boolean {
  try {
    return verify(hash, data, key, signature)
  } catch {
    // node:crypto throws where a key forbids the hash or the salt (RFC 4055 3.3): the signature is not good under it.
    return false
  }
}

function importKey(spki: Uint8Array): KeyObject | null {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch {
    // That it throws is how node:crypto says that the bytes are no key, or one that it does not know.
    return null
  }
}

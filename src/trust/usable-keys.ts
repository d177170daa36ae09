import type { KeyStatus } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'

/** What is known of a kid of a signer. Public keys are base64url. */
export interface KnownKeys {
  readonly kid: string
  /** Every key that was ever bound to the signer by this kid (`Keyring.find`). */
  readonly everBound: readonly CheckedPublicKey[]
  /** The key of the kid as the packs in force of the signer's organisation show it; undefined where they know none. */
  readonly standing: { readonly publicKey: string; readonly status: KeyStatus } | undefined
  /** What policy binds to the signer, by whatever kids. */
  readonly configured: readonly { readonly kid: string; readonly publicKey: string }[]
}

/** `KEY_NOT_ACTIVE`: packs retired or revoked the kid. There may be no keys where the right one is yet to come. */
export type UsableKeys =
  | { readonly ok: true; readonly keys: readonly CheckedPublicKey[] }
  | { readonly ok: false; readonly code: 'KEY_NOT_ACTIVE' }

/**
 * The keys under which a signer may sign requests now: the one that packs show as ACTIVE under the kid, or those that
 * policy binds where packs know no such kid. For events every key counts that was ever bound, because their effect is
 * decided later; a request has its effect at once.
 */
export function usableKeys({ kid, everBound, standing, configured }: KnownKeys): UsableKeys {
  if (standing !== undefined && standing.status !== 'ACTIVE') return { ok: false, code: 'KEY_NOT_ACTIVE' }
  const counting = standing === undefined ? configured.filter((key) => key.kid === kid) : [standing]
  const usable = new Set(counting.map(({ publicKey }) => publicKey))
  return { ok: true, keys: everBound.filter(({ bytes }) => usable.has(toBase64url(bytes))) }
}

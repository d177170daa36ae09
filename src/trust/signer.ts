/**
 * A node's signing key as a port: a keystore file, an HSM or a signing service can stand behind it, and the private
 * key need never be in this process.
 */
export interface Signer {
  /** Whom the signatures speak for. */
  readonly did: string
  /** Which of the DID's keys signs; it stands in every envelope. */
  readonly kid: string
  /** The Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** Why it can't sign now, as far as it knows; for `status`. */
  readonly problem?: string | null
  /** The Ed25519 signature (RFC 8032, pure; 64 bytes) over `message`. Rejects when the key can't be used now. */
  sign(message: Uint8Array): Promise<Uint8Array>
}

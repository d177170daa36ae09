import { createCipheriv, createDecipheriv } from 'node:crypto'

const CIPHER = 'aes-256-gcm'
/** The nonce of AES-GCM that needs no further derivation (NIST SP 800-38D). */
export const NONCE_BYTES = 12
export const TAG_BYTES = 16

/** AES-256-GCM: the ciphertext and its tag. A nonce must never come twice under one key. */
export function sealBytes(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(data)
  const sealed = cipher.update(plain)
  cipher.final()
  return Buffer.concat([sealed, cipher.getAuthTag()])
}

/** What `sealBytes` sealed; `null` when the key is another, or the bytes, the nonce or the additional data changed. */
export function openBytes(key: Uint8Array, nonce: Uint8Array, box: Uint8Array, data: Uint8Array): Uint8Array | null {
  if (box.length < TAG_BYTES) return null
  const cipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(data)
  cipher.setAuthTag(box.subarray(box.length - TAG_BYTES))
  const plain = cipher.update(box.subarray(0, box.length - TAG_BYTES))
  try {
    cipher.final()
    return plain
  } catch {
    return null
  }
}

import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/**
 * A file of vectors: its path below `protocols/`, what is in it, and the vectors, each with a description of its own.
 */
export interface VectorFile {
  readonly path: string
  readonly description: string
  readonly vectors: readonly Vector[]
}

export type Vector = { readonly description: string } & Readonly<Record<string, unknown>>

/** A key pair that is made from a label alone, so that vectors come out the same each time. */
export interface LabelledKey {
  readonly seed: Buffer
  readonly publicKey: Buffer
  sign(message: Uint8Array): Buffer
}

/** The DER of an Ed25519 private key up to its seed (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The key whose seed is SHA-256 of the label. */
export function keyOf(label: string): LabelledKey {
  const seed = sha256(label)
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  return {
    seed,
    publicKey: rawPublicKey(createPublicKey(privateKey)),
    sign: (message) => sign(null, message, privateKey)
  }
}

export function sha256(data: Uint8Array | string): Buffer {
  return createHash('sha256').update(data).digest()
}

export function hex(data: Uint8Array | string): string {
  return Buffer.from(data).toString('hex')
}

/** As it stands in the repository: two-space indent, one newline at the end. */
export function textOf({ description, vectors }: VectorFile): string {
  return `${JSON.stringify({ description, vectors }, null, 2)}\n`
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
}

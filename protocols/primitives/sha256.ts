import { sha256 as sha256OfNoble } from '@noble/hashes/sha2.js'
import { toHex, utf8 } from './bytes.ts'
import { nodeCrypto } from './node-crypto.ts'

/** SHA-256 of the bytes, or of the text's UTF-8: 32 bytes. */
export function sha256(data: Uint8Array | string): Uint8Array {
  if (nodeCrypto !== undefined) return bytesOf(nodeCrypto.hash('sha256', data, 'binary'))
  return sha256OfNoble(typeof data === 'string' ? utf8(data) : data)
}

/** One byte for each character. As text a hash comes out of `node:crypto` in a third of the time of a Buffer. */
function bytesOf(hash: string): Uint8Array {
  const bytes = new Uint8Array(hash.length)
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = hash.charCodeAt(index)
  return bytes
}

/** SHA-256 of the bytes, or of the text's UTF-8: 64 lower-case hex digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return nodeCrypto === undefined ? toHex(sha256(data)) : nodeCrypto.hash('sha256', data, 'hex')
}

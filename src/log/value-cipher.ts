import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import type { Random } from '../platform/random.ts'

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const ID_BYTES = 1
const PREFIX_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = ID_BYTES + NONCE_BYTES
/** What an encrypted value has more than its plain one. */
export const OVERHEAD_BYTES = HEAD_BYTES + TAG_BYTES
const COUNTER_END = 2 ** 32

/**
 * A key of the store, with the number that its values name. One number is one key for good, of one store: the keys of the
 * two stores of a folder are derived from the one in the keystore.
 */
export interface StoreKey {
  readonly id: number
  /** 32 bytes. */
  readonly key: Uint8Array
}

/**
 * Encrypts the values of one store: number of the key (1 byte), nonce (12), AES-256-GCM ciphertext, tag (16). The entry's
 * own key in the store is the additional data, so a value that somebody puts elsewhere does not open.
 *
 * No nonce comes twice under a key: it is eight random bytes, drawn when the store is opened, and a counter of four
 * (the deterministic construction of NIST SP 800-38D, section 8.2.1); when the counter is used up, eight new bytes are
 * drawn. A counter that is kept on the disk would go back with every backup that is restored. After a million openings
 * the chance that two drew the same is 2^-26.
 */
export class ValueCipher {
  readonly id: number
  readonly #key: KeyObject
  readonly #random: Random
  #prefix: Uint8Array
  #counter = 0

  /** `storeName` is the name of the store within its folder. */
  constructor({ id, key }: StoreKey, storeName: string, random: Random) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key of the store has ${KEY_BYTES} bytes, not ${key.length}`)
    this.id = id
    const derived = hkdfSync('sha256', key, new Uint8Array(), `anchormesh.store.v1 ${storeName}`, KEY_BYTES)
    this.#key = createSecretKey(new Uint8Array(derived))
    this.#random = random
    this.#prefix = random.bytes(PREFIX_BYTES)
  }

  seal(entryKey: string, plain: Uint8Array | string): Uint8Array {
    const bytes = typeof plain === 'string' ? utf8(plain) : plain
    const sealed = Buffer.allocUnsafeSlow(bytes.length + OVERHEAD_BYTES)
    sealed[0] = this.id
    this.#nonceInto(sealed)
    const nonce = sealed.subarray(ID_BYTES, HEAD_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(entryKey))
    sealed.set(cipher.update(bytes), HEAD_BYTES)
    cipher.final()
    sealed.set(cipher.getAuthTag(), HEAD_BYTES + bytes.length)
    return sealed
  }

  /** `null` when it is no value of this key at this place, or was damaged. */
  open(entryKey: string, sealed: Uint8Array): Uint8Array | null {
    if (sealed.length < OVERHEAD_BYTES || sealed[0] !== this.id) return null
    const end = sealed.length - TAG_BYTES
    const nonce = sealed.subarray(ID_BYTES, HEAD_BYTES)
    const cipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(entryKey))
    cipher.setAuthTag(sealed.subarray(end))
    const plain = cipher.update(sealed.subarray(HEAD_BYTES, end))
    try {
      cipher.final()
    } catch {
      return null
    }
    return plain
  }

  #nonceInto(sealed: Buffer): void {
    if (this.#counter === COUNTER_END) {
      this.#prefix = this.#random.bytes(PREFIX_BYTES)
      this.#counter = 0
    }
    sealed.set(this.#prefix, ID_BYTES)
    sealed.writeUInt32BE(this.#counter, ID_BYTES + PREFIX_BYTES)
    this.#counter += 1
  }
}

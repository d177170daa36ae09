import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject, randomFillSync } from 'node:crypto'
import { bytesOfHex, concat, toHex } from '../../protocols/primitives/bytes.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'

// RFC 8410: what stands before the 32 bytes of a private key in PKCS #8.
const PKCS8_PREFIX: Readonly<Record<string, Uint8Array>> = {
  ed25519: bytesOfHex('302e020100300506032b657004220420'),
  x25519: bytesOfHex('302e020100300506032b656e04220420')
}
const SEED_BYTES = 32

/** What of `node:crypto` draws random numbers, drawn from a seed; `web` holds what `globalThis.crypto` has. */
export interface SeededCrypto {
  readonly randomBytes: (length: number, callback?: unknown) => Buffer
  readonly randomFillSync: typeof randomFillSync
  readonly randomInt: (from: number, to?: unknown) => number
  readonly randomUUID: () => string
  readonly generateKeyPairSync: (type: string, options?: unknown) => { publicKey: unknown; privateKey: unknown }
  readonly web: {
    readonly getRandomValues: <View extends ArrayBufferView>(view: View) => View
    readonly randomUUID: () => string
  }
}

/** OpenSSL's own generator can't be seeded, so keys are made from the PKCS #8 form of seeded bytes. */
export function seededCrypto(random: () => SeededRandom): SeededCrypto {
  const fill = <View extends ArrayBufferView>(view: View, from = 0, length = view.byteLength - from): View => {
    new Uint8Array(view.buffer, view.byteOffset + from, length).set(random().bytes(length))
    return view
  }
  const uuid = (): string => {
    const bytes = random().bytes(16)
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  return {
    randomBytes(length, callback) {
      if (callback !== undefined) throw new Error('randomBytes with a callback ends in real time')
      return Buffer.from(random().bytes(length))
    },
    randomFillSync: fill,
    randomInt(from, to) {
      const [low, high] = typeof to === 'number' ? [from, to] : [0, from]
      return low + random().below(high - low)
    },
    randomUUID: uuid,
    generateKeyPairSync(type, options) {
      const prefix = PKCS8_PREFIX[type]
      if (prefix === undefined) throw new Error(`a simulation makes no keys of type ${type}`)
      const der = Buffer.from(concat(prefix, random().bytes(SEED_BYTES)))
      const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
      const publicKey = createPublicKey(privateKey)
      return {
        publicKey: encoded(publicKey, options, 'publicKeyEncoding'),
        privateKey: encoded(privateKey, options, 'privateKeyEncoding')
      }
    },
    web: { getRandomValues: (view) => fill(view), randomUUID: uuid }
  }
}

function encoded(key: KeyObject, options: unknown, name: string): unknown {
  const encoding: unknown = typeof options === 'object' && options !== null ? Reflect.get(options, name) : undefined
  return encoding === undefined ? key : key.export(encoding as Parameters<KeyObject['export']>[0])
}

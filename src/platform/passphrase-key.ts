import * as crypto from 'node:crypto'
import { promisify } from 'node:util'
import { toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import type { KeyDerivation } from '../../protocols/keystore/v1/sealed.ts'
import { AnchormeshError } from './errors.ts'
import type { Random } from './random.ts'

const KEY_BYTES = 32
const SALT_BYTES = 16
// Beside the 128 · N · r bytes of its table scrypt needs some for its blocks.
const SCRYPT_SLACK_BYTES = 1024 * 1024

/**
 * How new keys are made from passphrases: argon2id with the second choice of RFC 9106 (64 MiB, for machines that do
 * other work beside it: a third of a second). A Node without argon2id (before 24.7) takes scrypt at twice the memory.
 */
export function newKeyDerivation(random: Random, name?: KeyDerivation['name']): KeyDerivation {
  const salt = toBase64url(random.bytes(SALT_BYTES))
  return (name ?? (hasArgon2() ? 'argon2id' : 'scrypt')) === 'argon2id'
    ? { name: 'argon2id', memoryKiB: 64 * 1024, passes: 3, lanes: 4, salt }
    : { name: 'scrypt', cost: 131_072, blockSize: 8, parallelism: 1, salt }
}

/**
 * The 32-byte key of a passphrase. `derivation` has been checked against its bounds. Throws `KEYSTORE_PASSPHRASE` where
 * this Node has no argon2id.
 */
export async function keyOfPassphrase(passphrase: string, derivation: KeyDerivation): Promise<Uint8Array> {
  const message = utf8(passphrase.normalize('NFC'))
  const salt = Buffer.from(derivation.salt, 'base64url')
  if (derivation.name === 'scrypt') {
    const { cost, blockSize, parallelism } = derivation
    const maxmem = 128 * cost * blockSize + 128 * blockSize * parallelism + SCRYPT_SLACK_BYTES
    const options = { cost, blockSize, parallelization: parallelism, maxmem }
    return await new Promise((resolve, reject) => {
      crypto.scrypt(message, salt, KEY_BYTES, options, (error, key) =>
        error === null ? resolve(new Uint8Array(key)) : reject(error)
      )
    })
  }
  if (!hasArgon2()) {
    throw new AnchormeshError('KEYSTORE_PASSPHRASE', `Node ${process.versions.node} has no argon2id to open it with`, {
      hint: 'Use Node 24.7 or later; or there: anchormesh keys seal --kdf scrypt'
    })
  }
  const { memoryKiB: memory, passes, lanes: parallelism } = derivation
  const derive = promisify(crypto.argon2)
  return new Uint8Array(
    await derive('argon2id', { message, nonce: salt, memory, passes, parallelism, tagLength: KEY_BYTES })
  )
}

/** By the namespace, because a named import of what an older Node lacks would fail before anything runs. */
function hasArgon2(): boolean {
  return typeof crypto.argon2 === 'function'
}

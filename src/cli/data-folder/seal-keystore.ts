import { readFile, rm } from 'node:fs/promises'
import { encodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import type { KeyDerivation } from '../../../protocols/keystore/v1/sealed.ts'
import { replaceFile } from '../../platform/atomic-file.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import type { Passphrases } from '../passphrase.ts'
import { keystoreCorrupt } from './keystore-failures.ts'
import { openKeystore, readKeystore, writeKeystore } from './keystore.ts'
import type { Keystore } from './keystore.ts'
import { newSeal } from './keystore-seal.ts'

export interface SealedKeystore {
  readonly path: string
  readonly kdf: KeyDerivation['name']
  readonly kids: readonly string[]
  /** Whether it was sealed before, under another passphrase. */
  readonly wasSealed: boolean
}

/**
 * Seals `keystore.json` with a passphrase, or with another one. The old file is replaced only when the new one was read
 * back, with the passphrase, and holds the same. Throws `KEYSTORE_PASSPHRASE`, `KEYSTORE_PERMISSIONS`,
 * `KEYSTORE_CORRUPT`.
 */
export async function sealKeystoreFile(
  path: string,
  passphrases: Passphrases,
  random: Random,
  kdf?: KeyDerivation['name']
): Promise<SealedKeystore> {
  const opened = await openKeystore(path, passphrases)
  const before = await readFile(path, 'utf8')
  const keystore = await opened.unlock()
  const passphrase = opened.isSealed ? await passphrases.next(path) : await passphrases.first(path)
  const seal = await newSeal(passphrase, random, kdf)
  const written = `${path}.sealing`
  await rm(written, { force: true })
  try {
    await writeKeystore(written, { ...keystore, seal }, true)
    const readBack = await readKeystore(written, { current: () => Promise.resolve(passphrase), random })
    if (contentOf(readBack) !== contentOf(keystore)) throw keystoreCorrupt(written, 'does not hold what was written')
    // Somebody may have typed for long, and a node that runs may have made a key meanwhile.
    if ((await readFile(path, 'utf8')) !== before) {
      throw new AnchormeshError('KEYSTORE_CHANGED', `${path} was changed meanwhile, so it was not sealed`, {
        hint: 'Run it again.'
      })
    }
    await replaceFile(written, path)
  } finally {
    await rm(written, { force: true })
  }
  return { path, kdf: seal.kdf.name, kids: keystore.keys.map(({ kid }) => kid), wasSealed: opened.isSealed }
}

function contentOf({ seal: _seal, ...content }: Keystore): string {
  return encodeCanonical(content)
}

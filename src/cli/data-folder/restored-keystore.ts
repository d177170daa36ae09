import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DataFile } from '../../backup/make-backup.ts'
import { errnoOf } from '../../platform/atomic-file.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { PassphraseSource } from './keystore-seal.ts'
import { openKeystore, readKeystore } from './keystore.ts'
import type { Keystore } from './keystore.ts'
import { dataPaths } from './paths.ts'

const NAME = 'keystore.json'
const OWNER_ONLY = 0o600

/** The keystore that a backup is restored with. Throws `KEYSTORE_PERMISSIONS`, `KEYSTORE_CORRUPT`. */
export async function keystoreToRestore(path: string, passphrases: PassphraseSource): Promise<DataFile> {
  await openKeystore(path, passphrases)
  return { name: NAME, mode: OWNER_ONLY, content: await readFile(path) }
}

/**
 * All of the keystore of a folder that is being restored. Throws `STORE_KEY_MISSING` where the backup has none, else as
 * `readKeystore`.
 */
export async function unlockRestored(folder: string, passphrases: PassphraseSource): Promise<Keystore> {
  const path = dataPaths(folder).keystore
  try {
    // Messages name what is going to be the place of the file; where it stands meanwhile tells nobody anything.
    const { random } = passphrases
    return await readKeystore(path, { random, current: () => passphrases.current(shownPath(path)) })
  } catch (error) {
    if (!(error instanceof AnchormeshError)) throw error
    if (errnoOf(error.cause) === 'ENOENT') {
      throw new AnchormeshError(
        'STORE_KEY_MISSING',
        'the store of the backup is encrypted, and the backup has no keys',
        {
          hint: 'Give the keystore.json that belongs to it: anchormesh restore BACKUP --keystore FILE',
          cause: error
        }
      )
    }
    throw new AnchormeshError(error.code, error.message.replaceAll(path, shownPath(path)), {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error
    })
  }
}

function shownPath(path: string): string {
  return join(dirname(path).replace(/\.\d+\.restoring$/, ''), NAME)
}

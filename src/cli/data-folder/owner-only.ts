import { open } from 'node:fs/promises'
import { errnoOf } from '../../platform/atomic-file.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { keystoreCorrupt } from './keystore-failures.ts'

const OWNER_ONLY = 0o600

/** The text of a keystore. Throws `KEYSTORE_PERMISSIONS`, and `KEYSTORE_CORRUPT` when it is missing or too large. */
export async function readOwnerOnly(path: string, bytesMax: number): Promise<string> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    if (errnoOf(cause) !== 'ENOENT') throw cause
    throw keystoreCorrupt(path, 'is missing', cause)
  })
  try {
    const stat = await file.stat()
    const mode = stat.mode & 0o777
    // Windows has no such bits.
    if (process.platform !== 'win32' && mode !== OWNER_ONLY) {
      throw new AnchormeshError('KEYSTORE_PERMISSIONS', `${path} has permissions ${octal(mode)}, but must have 0600`, {
        hint: `If nobody else has read it: chmod 600 ${path}. Otherwise its keys are not secret any more.`
      })
    }
    if (!stat.isFile() || stat.size > bytesMax) throw keystoreCorrupt(path, 'is not a keystore file')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Permission bits as `chmod` takes them. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

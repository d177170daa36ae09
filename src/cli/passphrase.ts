import { open, stat } from 'node:fs/promises'
import type { PassphraseSource } from './data-folder/keystore-seal.ts'
import { octal } from './data-folder/owner-only.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { askSecret } from './terminal-secret.ts'
import type { SecretTerminal } from './terminal-secret.ts'

/** Longer ones protect no better, and a wrong file that was named is noticed. */
const PASSPHRASE_BYTES_MAX = 1_024
/** What argon2id makes dear to try out is no protection for less (NIST SP 800-63B asks for as many). */
const NEW_CHARS_MIN = 8

type Environment = Readonly<Record<string, string | undefined>>

export interface PassphraseOptions {
  /** `--passphrase-file`. */
  readonly file?: string
  /** `--new-passphrase-file`. */
  readonly newFile?: string
  readonly environment: Environment
  /** Where a person can be asked; `null` when there is none. */
  readonly terminal: SecretTerminal | null
  readonly random: Random
}

/** Passphrases of one command: `--passphrase-file`, then the environment, then the terminal. */
export interface Passphrases extends PassphraseSource {
  /**
   * One to seal with that has none yet: found as `current` is, at the terminal asked for twice. Throws
   * `KEYSTORE_PASSPHRASE` also for one that is too short.
   */
  first(path: string): Promise<string>
  /** One in the place of another: `--new-passphrase-file`, the environment, or the terminal, twice. */
  next(path: string): Promise<string>
  /** From now on nobody is asked at the terminal: a command that serves others must not wait for somebody there. */
  askNoMore(): void
}

/**
 * A passphrase is looked for when it is needed, and kept for the rest of the command: a pipe can be read only once. One
 * that could not be had is looked for again.
 */
export function passphrasesOf(options: PassphraseOptions): Passphrases {
  const { environment, random } = options
  let { terminal } = options
  let current: Promise<string> | null = null
  const given = (path: string): Promise<string | null> => find(options.file, 'ANCHORMESH_PASSPHRASE', environment, path)
  const look = async (path: string): Promise<string> => {
    const found = await given(path)
    if (found !== null) return found
    if (terminal === null) throw noWay(path, '--passphrase-file FILE', 'ANCHORMESH_PASSPHRASE')
    return usable(await askSecret(terminal, `Passphrase of ${path}: `), 'the passphrase')
  }
  const named = [
    options.file || environment['ANCHORMESH_PASSPHRASE_FILE'],
    options.newFile || environment['ANCHORMESH_NEW_PASSPHRASE_FILE']
  ]
  return {
    random,
    files: named.flatMap((file) => (file === undefined || file === '' ? [] : [file])),
    askNoMore: () => {
      terminal = null
    },
    current: async (path) => {
      const looking = (current ??= look(path))
      try {
        return await looking
      } catch (error) {
        if (current === looking) current = null
        throw error
      }
    },
    renewed: async (path) => {
      const before = await current
      // A pipe has nothing a second time, and to open it may take for ever.
      const file = options.file || environment['ANCHORMESH_PASSPHRASE_FILE']
      if (file === undefined || file === '' || !(await stat(file)).isFile()) return null
      const found = await given(path)
      if (found === null || found === before) return null
      current = Promise.resolve(found)
      return found
    },
    first: async (path) => {
      const found = await given(path)
      if (found === null && terminal === null) throw noWay(path, '--passphrase-file FILE', 'ANCHORMESH_PASSPHRASE')
      return longEnough(found ?? (await askTwice(terminal, path)))
    },
    next: async (path) => {
      const found = await find(options.newFile, 'ANCHORMESH_NEW_PASSPHRASE', environment, path)
      if (found === null && terminal === null) {
        throw noWay(path, '--new-passphrase-file FILE', 'ANCHORMESH_NEW_PASSPHRASE', 'the new passphrase')
      }
      return longEnough(found ?? (await askTwice(terminal, path)))
    }
  }
}

async function find(
  file: string | undefined,
  variable: string,
  environment: Environment,
  path: string
): Promise<string | null> {
  const named = file ?? environment[`${variable}_FILE`]
  if (named !== undefined && named !== '') return await readPassphraseFile(named)
  const value = environment[variable]
  return value === undefined || value === '' ? null : usable(value, `${variable}, for ${path},`)
}

/**
 * The first line of a file that only its owner can read. Throws `KEYSTORE_PERMISSIONS`, and `KEYSTORE_PASSPHRASE` for a
 * file that can't be read or holds none.
 */
export async function readPassphraseFile(path: string): Promise<string> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new AnchormeshError('KEYSTORE_PASSPHRASE', `the passphrase file ${path} can't be read: ${messageOf(cause)}`, {
      hint: 'Look at --passphrase-file and ANCHORMESH_PASSPHRASE_FILE.',
      cause
    })
  })
  try {
    const mode = (await file.stat()).mode & 0o777
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new AnchormeshError(
        'KEYSTORE_PERMISSIONS',
        `the passphrase file ${path} has permissions ${octal(mode)}: others than its owner can use it`,
        { hint: `If nobody else has read it: chmod 600 ${path}. Otherwise choose another: anchormesh keys seal` }
      )
    }
    // Room for the passphrase and what ends its line; a pipe or device has no size.
    const bytes = Buffer.alloc(PASSPHRASE_BYTES_MAX + 2)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null)
      length += bytesRead
      if (bytesRead === 0 || length === bytes.length) break
    }
    const [line = ''] = bytes.toString('utf8', 0, length).split(/\r?\n/, 1)
    return usable(line, `the first line of ${path}`)
  } finally {
    await file.close()
  }
}

async function askTwice(terminal: SecretTerminal | null, path: string): Promise<string> {
  if (terminal === null) throw new Error('nobody can be asked')
  const once = await askSecret(terminal, `New passphrase for ${path}: `)
  if (once === (await askSecret(terminal, 'The same again: '))) return once
  throw new AnchormeshError('KEYSTORE_PASSPHRASE', 'the two were not the same', { hint: 'Try again.' })
}

function usable(passphrase: string, what: string): string {
  if (passphrase !== '' && Buffer.byteLength(passphrase) <= PASSPHRASE_BYTES_MAX) return passphrase
  const problem = passphrase === '' ? 'is empty' : `has more than ${PASSPHRASE_BYTES_MAX} bytes`
  throw new AnchormeshError('KEYSTORE_PASSPHRASE', `${what} ${problem}`, {
    hint: 'A passphrase is one line of at most 1024 bytes.'
  })
}

function longEnough(passphrase: string): string {
  if (usable(passphrase, 'the new passphrase').length >= NEW_CHARS_MIN) return passphrase
  throw new AnchormeshError('KEYSTORE_PASSPHRASE', `a new passphrase has at least ${NEW_CHARS_MIN} characters`, {
    hint: 'Five random words are good, and can be remembered.'
  })
}

function noWay(path: string, flag: string, variable: string, what = 'the passphrase'): AnchormeshError {
  return new AnchormeshError(
    'KEYSTORE_PASSPHRASE',
    `${what} of ${path} is needed, and there is no terminal to ask at`,
    {
      hint: `Give it by ${flag} (mode 0600), ${variable}_FILE, or ${variable}.`
    }
  )
}

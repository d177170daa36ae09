import { execFileSync } from 'node:child_process'
import { chmod, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checksumOf, keystoreSchemaOf } from '../../protocols/keystore/v1/sealed.ts'
import type { SealedKeystoreFile } from '../../protocols/keystore/v1/sealed.ts'
import { newSeal } from '../../src/cli/data-folder/keystore-seal.ts'
import type { PassphraseSource } from '../../src/cli/data-folder/keystore-seal.ts'
import {
  newKey,
  openKeystore,
  readKeystore,
  signingKeys,
  withKey,
  withSigning,
  withStoreKey,
  writeKeystore
} from '../../src/cli/data-folder/keystore.ts'
import type { Keystore } from '../../src/cli/data-folder/keystore.ts'
import { sealKeystoreFile } from '../../src/cli/data-folder/seal-keystore.ts'
import { passphrasesOf, readPassphraseFile } from '../../src/cli/passphrase.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { namedRandom } from '../policy/support.ts'
import { emptyFolder, failureOf } from './support.ts'

const PASSPHRASE = 'correct horse battery'
const one = newKey(['event', 'pack'], namedRandom('one'), 1)
const other = newKey(['event'], namedRandom('other'), 2)
const mesh = newKey(['peer'], namedRandom('mesh'), 1)
const plain: Keystore = { v: 2, keys: [one, mesh] }
const by = (passphrase: string): PassphraseSource => ({
  current: () => Promise.resolve(passphrase),
  random: systemRandom
})
const fail = (): never => {
  throw new Error('the terminal was used')
}
const noTerminal = { terminal: null, random: systemRandom }

async function sealedFile(keystore = plain): Promise<string> {
  const path = join(await emptyFolder(), 'keystore.json')
  sharedSeal ??= newSeal(PASSPHRASE, systemRandom)
  await writeKeystore(path, { ...keystore, seal: await sharedSeal }, true)
  return path
}

/** Made once: what it derives from the passphrase is dear on purpose. */
let sharedSeal: ReturnType<typeof newSeal> | undefined

async function changed(path: string, change: (file: SealedKeystoreFile) => object, isWhole: boolean): Promise<void> {
  const file = JSON.parse(await readFile(path, 'utf8')) as SealedKeystoreFile
  const next = { ...file, ...change(file) }
  await writeFile(path, JSON.stringify(isWhole ? { ...next, checksum: checksumOf(next) } : next))
}

describe('a sealed keystore', () => {
  test('opens with its passphrase, and its file holds no secret', async () => {
    const { keystore } = withStoreKey(plain, systemRandom, 3)
    const path = await sealedFile(keystore)
    const text = await readFile(path, 'utf8')
    for (const secret of [one.privateKey, mesh.privateKey, keystore.storeKeys?.[0]?.key ?? ''])
      expect(text).not.toContain(secret)
    const { seal, ...read } = await readKeystore(path, by(PASSPHRASE))
    expect(read).toEqual(keystore)
    expect(seal?.kdf.name).toBe('argon2id')
  })

  test('says without a passphrase which keys it holds', async () => {
    const { isSealed, known } = await openKeystore(await sealedFile())
    expect(isSealed).toBe(true)
    expect(signingKeys(known).map(({ kid }) => kid)).toEqual([one.kid])
  })

  test('stays sealed, under the same passphrase, when it changes', async () => {
    const path = await sealedFile()
    const before = JSON.parse(await readFile(path, 'utf8')) as SealedKeystoreFile
    const next = withSigning(withKey(await readKeystore(path, by(PASSPHRASE)), other), other.kid)
    await writeKeystore(path, next, false)
    const after = JSON.parse(await readFile(path, 'utf8')) as SealedKeystoreFile
    expect(after.sealed.nonce).not.toBe(before.sealed.nonce)
    expect(await readKeystore(path, by(PASSPHRASE))).toMatchObject({ keys: [one, mesh, other], signing: other.kid })
  })

  test('with another passphrase, or none, is KEYSTORE_PASSPHRASE with a hint', async () => {
    const path = await sealedFile()
    for (const source of [by('wrong'), undefined]) {
      const failure = await failureOf(readKeystore(path, source))
      expect(failure).toMatchObject({ code: 'KEYSTORE_PASSPHRASE' })
      expect(failure.hint).toContain('--passphrase-file')
      expect(failure.message).not.toContain('wrong')
    }
  })

  test('a passphrase is the same however its letters are put together', async () => {
    const path = join(await emptyFolder(), 'keystore.json')
    await writeKeystore(path, { ...plain, seal: await newSeal('z\u0075\u0308rich', systemRandom) }, true)
    expect((await readKeystore(path, by('z\u00fcrich'))).keys).toHaveLength(2)
  })

  test('scrypt does where it is asked for', async () => {
    const path = join(await emptyFolder(), 'keystore.json')
    await writeKeystore(path, { ...plain, seal: await newSeal(PASSPHRASE, systemRandom, 'scrypt') }, true)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ sealed: { kdf: { name: 'scrypt' } } })
    expect((await readKeystore(path, by(PASSPHRASE))).keys).toEqual(plain.keys)
  })

  test('cut off anywhere it is KEYSTORE_CORRUPT', async () => {
    const path = await sealedFile()
    const text = await readFile(path, 'utf8')
    for (let at = 0; at < text.trimEnd().length; at += 37) {
      await writeFile(path, text.slice(0, at))
      expect((await failureOf(openKeystore(path))).code).toBe('KEYSTORE_CORRUPT')
    }
  })

  test.each<[string, (file: SealedKeystoreFile) => object]>([
    ['another public key', ({ keys }) => ({ keys: keys.map((key) => ({ ...key, publicKey: other.publicKey })) })],
    ['another purpose', ({ keys }) => ({ keys: keys.map((key) => ({ ...key, purpose: ['event', 'peer'] })) })],
    ['a key more', ({ keys }) => ({ keys: [...keys, { ...keys[0], kid: 'more' }] })],
    ['another key that signs', ({ keys }) => ({ keys, signing: one.kid })],
    ['another nonce', ({ sealed }) => ({ sealed: { ...sealed, nonce: 'AAAAAAAAAAAAAAAA' } })],
    ['a shorter box', ({ sealed }) => ({ sealed: { ...sealed, box: sealed.box.slice(0, 24) } })],
    ['another salt', ({ sealed }) => ({ sealed: { ...sealed, kdf: { ...sealed.kdf, salt: 'A'.repeat(22) } } })]
  ])('%s is KEYSTORE_CORRUPT, and does not open when the checksum is put right', async (_name, change) => {
    const path = await sealedFile()
    await changed(path, change, false)
    expect((await failureOf(openKeystore(path))).code).toBe('KEYSTORE_CORRUPT')
    await changed(path, (file) => file, true)
    expect((await failureOf(readKeystore(path, by(PASSPHRASE)))).code).toBe('KEYSTORE_PASSPHRASE')
  })

  test.each([
    { name: 'argon2id', memoryKiB: 1_048_577, passes: 1, lanes: 1 },
    { name: 'argon2id', memoryKiB: 65_536, passes: 17, lanes: 1 },
    { name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 17 },
    { name: 'argon2d', memoryKiB: 65_536, passes: 3, lanes: 4 },
    { name: 'scrypt', cost: 1_048_576, blockSize: 32, parallelism: 1 },
    { name: 'scrypt', cost: 100_000, blockSize: 8, parallelism: 1 },
    { name: 'scrypt', cost: 2_097_152, blockSize: 1, parallelism: 1 }
  ])('%o is more than a file may ask for: KEYSTORE_CORRUPT, at once', async (kdf) => {
    const path = await sealedFile()
    await changed(path, ({ sealed }) => ({ sealed: { ...sealed, kdf: { ...kdf, salt: sealed.kdf.salt } } }), true)
    expect((await failureOf(openKeystore(path))).code).toBe('KEYSTORE_CORRUPT')
    expect(keystoreSchemaOf({ sealed: {} }).safeParse(JSON.parse(await readFile(path, 'utf8'))).success).toBe(false)
  })
})

describe('keys seal', () => {
  test('seals, and seals anew; a wrong or short passphrase leaves the file as it was', async () => {
    const path = join(await emptyFolder(), 'keystore.json')
    await writeKeystore(path, plain, true)
    const environment = (first: string, next?: string): Record<string, string> => ({
      ANCHORMESH_PASSPHRASE: first,
      ...(next === undefined ? {} : { ANCHORMESH_NEW_PASSPHRASE: next })
    })
    const seal = async (first: string, next?: string): Promise<unknown> =>
      await sealKeystoreFile(
        path,
        passphrasesOf({ environment: environment(first, next), ...noTerminal }),
        systemRandom
      )
    expect((await failureOf(seal('short'))).code).toBe('KEYSTORE_PASSPHRASE')
    expect(await readKeystore(path)).toEqual(plain)
    expect(await seal(PASSPHRASE)).toMatchObject({ wasSealed: false, kdf: 'argon2id' })
    const text = await readFile(path, 'utf8')
    for (const attempt of [
      ['wrong', 'another one'],
      [PASSPHRASE, undefined],
      [PASSPHRASE, 'short']
    ] as const) {
      expect((await failureOf(seal(attempt[0], attempt[1]))).code).toBe('KEYSTORE_PASSPHRASE')
      expect(await readFile(path, 'utf8')).toBe(text)
    }
    expect(await seal(PASSPHRASE, 'another one')).toMatchObject({ wasSealed: true })
    expect((await readKeystore(path, by('another one'))).keys).toEqual(plain.keys)
    expect((await failureOf(readKeystore(path, by(PASSPHRASE)))).code).toBe('KEYSTORE_PASSPHRASE')
    expect(await readdir(dirname(path))).toEqual(['keystore.json'])
  })
})

test('a key that is made while a passphrase is typed is not lost', async () => {
  const path = join(await emptyFolder(), 'keystore.json')
  await writeKeystore(path, plain, true)
  const passphrases = passphrasesOf({ environment: { ANCHORMESH_PASSPHRASE: PASSPHRASE }, ...noTerminal })
  const slow = {
    ...passphrases,
    first: async (of: string) => {
      await writeKeystore(path, withKey(await readKeystore(path), other), false)
      return await passphrases.first(of)
    }
  }
  expect((await failureOf(sealKeystoreFile(path, slow, systemRandom))).code).toBe('KEYSTORE_CHANGED')
  expect((await readKeystore(path)).keys.map(({ kid }) => kid)).toContain(other.kid)
  expect(await readdir(dirname(path))).toEqual(['keystore.json'])
})

describe('where a passphrase comes from', () => {
  test('a file that is named, then the environment’s file, then the environment', async () => {
    const folder = await emptyFolder()
    const [flagged, named] = [join(folder, 'flagged'), join(folder, 'named')]
    await writeFile(flagged, 'from the flag\r\nmore', { mode: 0o600 })
    await writeFile(named, 'from the file\n', { mode: 0o400 })
    const environment = { ANCHORMESH_PASSPHRASE_FILE: named, ANCHORMESH_PASSPHRASE: 'from the environment' }
    expect(await passphrasesOf({ file: flagged, environment, ...noTerminal }).current('k')).toBe('from the flag')
    expect(await passphrasesOf({ environment, ...noTerminal }).current('k')).toBe('from the file')
    const { ANCHORMESH_PASSPHRASE } = environment
    expect(await passphrasesOf({ environment: { ANCHORMESH_PASSPHRASE }, ...noTerminal }).current('k')).toBe(
      'from the environment'
    )
    const failure = await failureOf(passphrasesOf({ environment: {}, ...noTerminal }).current('k'))
    expect(failure.code).toBe('KEYSTORE_PASSPHRASE')
    expect(failure.hint).toContain('ANCHORMESH_PASSPHRASE_FILE')
  })

  test('is looked for again where it could not be had, or was changed; a pipe is read once', async () => {
    const file = join(await emptyFolder(), 'passphrase')
    const passphrases = passphrasesOf({ file, environment: {}, ...noTerminal })
    expect((await failureOf(passphrases.current('k'))).code).toBe('KEYSTORE_PASSPHRASE')
    await writeFile(file, 'the first\n', { mode: 0o600 })
    expect(await passphrases.current('k')).toBe('the first')
    expect(await passphrases.renewed?.('k')).toBe(null)
    await writeFile(file, 'the second\n', { mode: 0o600 })
    expect(await passphrases.current('k')).toBe('the first')
    expect(await passphrases.renewed?.('k')).toBe('the second')
    expect(await passphrases.current('k')).toBe('the second')
    expect(passphrases.files).toEqual([file])
    if (process.platform === 'win32') return
    const pipe = join(await emptyFolder(), 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    const piped = passphrasesOf({ file: pipe, environment: {}, ...noTerminal })
    const [said] = await Promise.all([piped.current('k'), writeFile(pipe, 'by a pipe\n')])
    expect([said, await piped.current('k'), await piped.renewed?.('k')]).toEqual(['by a pipe', 'by a pipe', null])
  })

  test('nobody is asked by a command that serves others', async () => {
    const nobody = { setRawMode: fail, on: fail, off: fail, resume: fail, pause: fail }
    const terminal = { input: nobody, output: { write: fail }, interrupt: fail }
    const passphrases = passphrasesOf({ environment: {}, terminal, random: systemRandom })
    passphrases.askNoMore()
    expect((await failureOf(passphrases.current('k'))).code).toBe('KEYSTORE_PASSPHRASE')
  })

  test.skipIf(process.platform === 'win32').each([0o644, 0o640, 0o620, 0o606])(
    'a file with mode %o is KEYSTORE_PERMISSIONS',
    async (mode) => {
      const path = join(await emptyFolder(), 'passphrase')
      await writeFile(path, PASSPHRASE)
      await chmod(path, mode)
      expect((await failureOf(readPassphraseFile(path))).code).toBe('KEYSTORE_PERMISSIONS')
    }
  )

  test('an empty file, one without end, and none are KEYSTORE_PASSPHRASE', async () => {
    const path = join(await emptyFolder(), 'passphrase')
    expect((await failureOf(readPassphraseFile(path))).code).toBe('KEYSTORE_PASSPHRASE')
    for (const text of ['', '\nsecond line', 'x'.repeat(5_000)]) {
      await writeFile(path, text, { mode: 0o600 })
      expect((await failureOf(readPassphraseFile(path))).code).toBe('KEYSTORE_PASSPHRASE')
    }
  })
})

import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { SealedKeystoreFile } from '../../protocols/keystore/v1/sealed.ts'
import { readKeystore } from '../../src/cli/data-folder/keystore.ts'
import { keyOfPassphrase } from '../../src/platform/passphrase-key.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { emptyFolder, failureOf } from '../data-folder/support.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

interface SealedVector {
  readonly description: string
  readonly passphrase: string
  readonly key: string
  readonly file: SealedKeystoreFile
  readonly secrets: { readonly privateKeys: readonly string[]; readonly storeKeys?: unknown }
}
type InvalidVector = Pick<SealedVector, 'description' | 'passphrase' | 'file'> & {
  readonly rule: string
  readonly code: string
}

const vectorsOf = (name: string): readonly unknown[] =>
  (readJson(PROTOCOLS, 'keystore', 'v1', 'vectors', name) as { vectors: readonly unknown[] }).vectors
const sealed = vectorsOf('sealed.json') as readonly SealedVector[]
const invalid = vectorsOf('sealed-invalid.json') as readonly InvalidVector[]

async function fileWith(content: object): Promise<string> {
  const path = join(await emptyFolder(), 'keystore.json')
  await writeFile(path, JSON.stringify(content), { mode: 0o600 })
  return path
}

const by = (passphrase: string): Parameters<typeof readKeystore>[1] => ({
  current: () => Promise.resolve(passphrase),
  random: systemRandom
})

describe('keystore/v1', () => {
  test.each(sealed)('$description opens', async ({ file, passphrase, key, secrets }) => {
    expect(Buffer.from(await keyOfPassphrase(passphrase, file.sealed.kdf)).toString('hex')).toBe(key)
    const keystore = await readKeystore(await fileWith(file), by(passphrase))
    expect(keystore.keys.map(({ privateKey }) => privateKey)).toEqual(secrets.privateKeys)
    expect(keystore.storeKeys).toEqual(secrets.storeKeys)
    expect(keystore.signing).toBe(file.signing)
    expect(keystore.external).toEqual(file.external)
  })

  test.each(invalid)('$description: $rule, $code', async ({ file, passphrase, code }) => {
    expect((await failureOf(readKeystore(await fileWith(file), by(passphrase)))).code).toBe(code)
  })
})

const PROBE = 'from cryptography.hazmat.primitives.kdf.argon2 import Argon2id'
const hasPython = spawnSync('python3', ['-c', PROBE]).status === 0
if (!hasPython) console.log('skipped: the second implementation of keystore needs python3 with cryptography 44')

describe.skipIf(!hasPython)('keystore, opened from its SPEC in Python', () => {
  const ask = (vectors: readonly object[]): unknown => {
    const script = join(import.meta.dirname, 'second_keystore.py')
    const { stdout, stderr } = spawnSync('python3', [script], { input: JSON.stringify(vectors), encoding: 'utf8' })
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout)
  }

  test('gives the same keys and secrets, and refuses what was altered', () => {
    expect(ask(sealed)).toEqual(sealed.map(({ key, secrets }) => ({ key, secrets })))
    // Which members and values are allowed is not what it is for.
    const altered = invalid.filter(({ rule }) => ['KS-5', 'KS-7'].includes(rule))
    expect(ask(altered)).toEqual(altered.map(({ code }) => ({ code })))
  })
})

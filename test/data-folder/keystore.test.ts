import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import {
  newKey,
  readKeystore,
  signerFrom,
  signingKeys,
  withKey,
  withSigning,
  writeKeystore
} from '../../src/cli/data-folder/keystore.ts'
import type { Keystore } from '../../src/cli/data-folder/keystore.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { namedRandom } from '../policy/support.ts'
import { emptyFolder, failureOf } from './support.ts'

const one = newKey(['event', 'pack'], namedRandom('one'), 1)
const other = newKey(['event'], namedRandom('other'), 2)
const mesh = newKey(['peer'], namedRandom('mesh'), 1)

async function written(keystore: unknown): Promise<string> {
  const path = join(await emptyFolder(), 'keystore.json')
  await writeFile(path, typeof keystore === 'string' ? keystore : JSON.stringify(keystore), { mode: 0o600 })
  return path
}

describe('a keystore', () => {
  test('comes back as it was written, for its owner only', async () => {
    const path = join(await emptyFolder(), 'keystore.json')
    const keystore: Keystore = { v: 2, keys: [one, mesh] }
    await writeKeystore(path, keystore, true)
    expect(await readKeystore(path)).toEqual(keystore)
    await expect(writeKeystore(path, keystore, true)).rejects.toMatchObject({ code: 'EEXIST' })
    await writeKeystore(path, { v: 2, keys: [one, mesh, other] }, false)
    expect((await readKeystore(path)).keys).toHaveLength(3)
  })

  test('signs with the newest event key, and the signature is good', async () => {
    const signer = signerFrom({ v: 2, keys: [one, other, mesh] }, 'did:web:a.example')
    expect(signer).toMatchObject({ did: 'did:web:a.example', kid: other.kid })
    const checked = checkPublicKey(signer.publicKey)
    const message = utf8('a message')
    expect(checked.ok && verifyEd25519(checked.key, message, await signer.sign(message))).toBe(true)
  })

  test('of version 1 is still read', async () => {
    expect(await readKeystore(await written({ v: 1, keys: [one, mesh] }))).toEqual({ v: 2, keys: [one, mesh] })
  })

  test('signs with the key that it names, and one more key changes nothing of that', async () => {
    const more = withKey({ v: 2, keys: [one, mesh] }, other)
    expect(signerFrom(more, 'did:web:a').kid).toBe(one.kid)
    const moved = withSigning(more, other.kid)
    expect(signerFrom(moved, 'did:web:a').kid).toBe(other.kid)
    const path = await written(moved)
    expect(await readKeystore(path)).toEqual({ v: 2, keys: [one, mesh, other], signing: other.kid })
    expect(() => withKey(more, other)).toThrow(RangeError)
    expect(() => withSigning(more, mesh.kid)).toThrow(RangeError)
    expect(() => withSigning(more, 'unknown')).toThrow(RangeError)
  })

  test('keeps the key of the mesh apart from those that sign', () => {
    expect(signingKeys({ v: 2, keys: [one, mesh, other] }).map(({ kid }) => kid)).toEqual([one.kid, other.kid])
  })

  test('draws its keys from the random port', () => {
    expect(newKey(['event'], namedRandom('one'), 1).kid).toBe(one.kid)
    expect(newKey(['event'], systemRandom, 1).kid).not.toBe(one.kid)
  })
})

describe.skipIf(process.platform === 'win32')('permissions', () => {
  test.each([0o644, 0o640, 0o604, 0o660, 0o700])('%o is refused', async (mode) => {
    const path = await written({ v: 2, keys: [one] })
    await chmod(path, mode)
    const failure = await failureOf(readKeystore(path))
    expect(failure.code).toBe('KEYSTORE_PERMISSIONS')
    expect(failure.message).toContain(mode.toString(8))
    expect(failure.hint).toContain('chmod 600')
  })
})

describe('a broken keystore is KEYSTORE_CORRUPT, and says no secret', () => {
  test.each<[string, unknown]>([
    ['empty', ''],
    ['cut off', JSON.stringify({ v: 2, keys: [one] }).slice(0, -30)],
    ['a list', []],
    ['a newer version', { v: 3, keys: [one] }],
    ['no keys', { v: 2, keys: [] }],
    ['an unknown member', { v: 2, keys: [one], more: 1 }],
    ['an unknown purpose', { v: 2, keys: [{ ...one, purpose: ['all'] }] }],
    ['a short seed', { v: 2, keys: [{ ...one, privateKey: toBase64url(new Uint8Array(31)) }] }],
    ['a seed in another spelling', { v: 2, keys: [{ ...one, privateKey: `${one.privateKey}=` }] }],
    ['a public key of another', { v: 2, keys: [{ ...one, publicKey: other.publicKey }] }],
    ['a signing key that it does not hold', { v: 2, keys: [one], signing: other.kid }],
    ['a signing key that is not for events', { v: 2, keys: [one, mesh], signing: mesh.kid }],
    ['version 1 with a signing key', { v: 1, keys: [one], signing: one.kid }],
    ['two keys of one name', { v: 2, keys: [one, { ...other, kid: one.kid }] }]
  ])('%s', async (_name, content) => {
    const failure = await failureOf(readKeystore(await written(content)))
    expect(failure.code).toBe('KEYSTORE_CORRUPT')
    expect(failure.hint).toBeTruthy()
    const said = [failure.message, failure.hint, String(failure.cause), JSON.stringify(failure.detail)].join('\n')
    expect(said).not.toContain(one.privateKey.slice(0, 8))
  })

  test('missing', async () => {
    const path = await written({})
    await rm(path)
    expect((await failureOf(readKeystore(path))).code).toBe('KEYSTORE_CORRUPT')
  })

  test('without a key for events', () => {
    expect(() => signerFrom({ v: 2, keys: [mesh] }, 'did:web:a')).toThrow('holds no key for the purpose "event"')
  })
})

test('no private key stands in the file but as privateKey', async () => {
  const path = join(await emptyFolder(), 'keystore.json')
  await writeKeystore(path, { v: 2, keys: [one] }, true)
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
    v: 2,
    keys: [
      { kid: one.kid, purpose: ['event', 'pack'], publicKey: one.publicKey, privateKey: one.privateKey, createdAt: 1 }
    ]
  })
})

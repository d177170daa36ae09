import { expect, test, vi } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { keyOfPassphrase, newKeyDerivation } from '../../src/platform/passphrase-key.ts'
import { codeOf } from '../support/code-of.ts'

// As Node is before 24.7.
vi.mock('node:crypto', async (original) => ({ ...(await original<object>()), argon2: undefined }))

test('without argon2id a new key is made by scrypt, and the same again from what is written down of it', async () => {
  const derivation = newKeyDerivation(seededRandom('salt'))
  expect(derivation).toMatchObject({ name: 'scrypt', cost: 131_072, blockSize: 8, parallelism: 1 })
  const key = await keyOfPassphrase('correct horse battery', derivation)
  expect(key).toHaveLength(32)
  expect(await keyOfPassphrase('correct horse battery', derivation)).toEqual(key)
  expect(await keyOfPassphrase('correct horse batterie', derivation)).not.toEqual(key)
})

test('without argon2id what was sealed by it is refused, with a way out', async () => {
  const sealed = keyOfPassphrase('any', newKeyDerivation(seededRandom('salt'), 'argon2id'))
  const failure: unknown = await sealed.catch((error: unknown) => error)
  expect(codeOf(failure)).toBe('KEYSTORE_PASSPHRASE')
  expect(failure).toMatchObject({ hint: expect.stringContaining('--kdf scrypt') as string })
})

import { z } from 'zod'
import { fromBase64url, toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { DAMAGE_HINT } from './damage-hint.ts'
import { ENCRYPTION_KEY } from './keys.ts'
import type { Store, WriteOperation } from './store.ts'
import { ValueCipher } from './value-cipher.ts'
import type { StoreKey } from './value-cipher.ts'

/** A key by its number, and a value that only it opens; `null` where values are not encrypted. */
const target = z.strictObject({ keyId: z.int().min(1).max(255), check: z.string() }).nullable()

const stateSchema = z.strictObject({
  v: z.literal(1),
  /** What the values are encrypted with, those apart that a change has reached already. */
  current: target,
  /** A change that has begun: entries up to `upTo` have what is next, all others what is current. */
  change: z.strictObject({ next: target, upTo: z.string() }).nullable()
})

/** How the values of a store are encrypted, as the store says it of itself, in clear, at `ENCRYPTION_KEY`. */
export type StoreEncryption = z.output<typeof stateSchema>
export type EncryptionTarget = z.output<typeof target>

export const NOT_ENCRYPTED: StoreEncryption = { v: 1, current: null, change: null }
// What is sealed to tell one key from another says nothing itself.
const CHECK_TEXT = 'anchormesh.store.v1'

/** Reads how a store is encrypted. Throws `STORE_CORRUPT`. */
export async function readEncryption(store: Store): Promise<StoreEncryption> {
  const bytes = await store.get(ENCRYPTION_KEY)
  if (bytes === undefined) return NOT_ENCRYPTED
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw unreadable()
  }
  const parsed = stateSchema.safeParse(json)
  if (!parsed.success) throw unreadable()
  return parsed.data
}

/** The operation that keeps a state; that nothing is encrypted needs no words. */
export function encryptionWrite(state: StoreEncryption): WriteOperation {
  return state.current === null && state.change === null
    ? { type: 'del', key: ENCRYPTION_KEY }
    : { type: 'put', key: ENCRYPTION_KEY, value: utf8(JSON.stringify(state)) }
}

/** What a store says of values that `cipher` encrypts. */
export function targetOf(cipher: ValueCipher | null): EncryptionTarget {
  if (cipher === null) return null
  return { keyId: cipher.id, check: toBase64url(cipher.seal(ENCRYPTION_KEY, CHECK_TEXT)) }
}

/**
 * The cipher of a target, from the keys at hand; `null` for values in clear. Throws `STORE_KEY_MISSING` when its key is
 * not among them, or is another one of that number.
 */
export function cipherOf(
  wanted: EncryptionTarget,
  keys: readonly StoreKey[],
  storeName: string,
  random: Random
): ValueCipher | null {
  if (wanted === null) return null
  const { keyId, check } = wanted
  const key = keys.find(({ id }) => id === keyId)
  if (key === undefined) throw keyMissing(storeName, `key ${keyId}, which is not in keystore.json`)
  const cipher = new ValueCipher(key, storeName, random)
  const opened = cipher.open(ENCRYPTION_KEY, fromBase64url(check) ?? new Uint8Array())
  if (opened !== null && Buffer.from(opened).toString('utf8') === CHECK_TEXT) return cipher
  throw keyMissing(storeName, `another key ${keyId} than the one in keystore.json`)
}

function keyMissing(storeName: string, what: string): AnchormeshError {
  return new AnchormeshError('STORE_KEY_MISSING', `${storeName}/ is encrypted with ${what}`, {
    hint: 'Put back the keystore.json of this data folder, from a backup that was made since store rekey last ran.'
  })
}

function unreadable(): AnchormeshError {
  return new AnchormeshError('STORE_CORRUPT', 'the store does not say in a form that is known how it is encrypted', {
    hint: DAMAGE_HINT
  })
}

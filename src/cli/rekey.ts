import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { checkpointFile } from '../log/checkpoint-file.ts'
import { EncryptedStore } from '../log/encrypted-store.ts'
import { compactLevelStore, openLevelStore } from '../log/level-store.ts'
import { DAMAGE_HINT } from '../log/damage-hint.ts'
import { beginChange, changeValues, endChange, verifyValues } from '../log/rekey-store.ts'
import { NOT_ENCRYPTED, cipherOf, readEncryption } from '../log/store-encryption.ts'
import type { EncryptionTarget } from '../log/store-encryption.ts'
import type { Store } from '../log/store.ts'
import { ValueCipher } from '../log/value-cipher.ts'
import { verifyLog } from '../log/verify-log.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { readKeystore, withStoreKey, writeKeystore } from './data-folder/keystore.ts'
import type { Keystore } from './data-folder/keystore.ts'
import { storeKeyOf } from './data-folder/open-stores.ts'
import { dataPaths } from './data-folder/paths.ts'
import type { PassphraseSource } from './data-folder/keystore-seal.ts'

export interface RekeyOptions {
  readonly folder: string
  /** Whether values are encrypted afterwards. */
  readonly encrypt: boolean
  readonly passphrases: PassphraseSource
  readonly clock: Clock
  readonly random: Random
  /** Stops between two batches; what is done stays done. */
  readonly signal: AbortSignal
  /** A step has begun, or got on. */
  readonly onProgress: (step: string, entries: number) => void
}

export interface Rekeyed {
  readonly encrypted: boolean
  /** The number of the key, where values are encrypted. */
  readonly keyId: number | null
  /** Values of both stores. */
  readonly entries: number
  /** Records of the log that were verified afterwards. */
  readonly records: number
  /** Whether a change that had been broken off was ended. */
  readonly resumed: boolean
}

interface Part {
  readonly name: string
  readonly path: string
  readonly store: Store
}

/**
 * Encrypts the values of both stores under a new key, or decrypts them, and verifies them; nobody may have the stores
 * open. It may be killed at any point: the stores then open for nobody else, and the next call goes on, towards what was
 * begun. The new key is in the keystore before the first value, and the old one leaves it after the last.
 *
 * Throws `STORE_LOCKED`, `STORE_CORRUPT`, `STORE_KEY_MISSING`, `STORE_FULL`, `USAGE` when a change that was broken off
 * had another aim, and as `readKeystore` does.
 */
export async function rekeyStores(options: RekeyOptions): Promise<Rekeyed> {
  const { folder, passphrases } = options
  const paths = dataPaths(folder)
  await refuseWithoutStore(paths.storeState)
  const keystore = await readKeystore(paths.keystore, passphrases)
  const parts: Part[] = []
  let done: Omit<Rekeyed, 'records'>
  let keep: number | null
  try {
    for (const path of [paths.store, paths.blobs]) {
      parts.push({ name: basename(path), path, store: await openLevelStore(path, { create: false }) })
    }
    const change = await changeAll(parts, keystore, options)
    done = change.done
    keep = change.done.keyId
  } finally {
    for (const { store } of parts.toReversed()) await store.close()
  }
  // Tables still hold what was overwritten.
  for (const { name, path } of parts) {
    options.onProgress(`compacting ${name}/`, 0)
    await compactLevelStore(path)
  }
  const records = await endAll(options, keep)
  return { ...done, records }
}

async function changeAll(
  parts: readonly Part[],
  keystore: Keystore,
  { folder, encrypt, random, clock, signal, onProgress }: RekeyOptions
): Promise<{ readonly done: Omit<Rekeyed, 'records'> }> {
  const states = await Promise.all(parts.map(({ store }) => readEncryption(store)))
  const begun = states.find(({ change }) => change !== null)?.change
  if (begun !== undefined && begun !== null && (begun.next !== null) !== encrypt) throw otherAim(begun.next)
  let keys = (keystore.storeKeys ?? []).map(storeKeyOf)
  let keyId = begun?.next?.keyId ?? null
  if (begun === undefined && encrypt) {
    const { keystore: next, added } = withStoreKey(keystore, random, clock.now())
    await writeKeystore(dataPaths(folder).keystore, next, false)
    keys = [...keys, storeKeyOf(added)]
    keyId = added.id
  }
  const key = keys.find(({ id }) => id === keyId)
  if (keyId !== null && key === undefined) {
    throw new AnchormeshError('STORE_KEY_MISSING', `key ${keyId} of the store is not in keystore.json`, {
      hint: 'Put back the keystore.json that was there when the change began.'
    })
  }
  // Every key is looked at before anything is changed.
  const ciphers = parts.map(({ name }, at) => {
    const { current, change } = states[at] ?? NOT_ENCRYPTED
    if (change !== null) cipherOf(change.next, keys, name, random)
    return {
      from: cipherOf(current, keys, name, random),
      to: key === undefined ? null : new ValueCipher(key, name, random)
    }
  })
  if (begun === undefined) {
    const [{ store } = {}, { from } = { from: null }] = [parts[0], ciphers[0]]
    if (store !== undefined) await assureIntact(store, from, folder)
  }
  // Both, before either is done: so one that is done never stands beside one that knows of nothing.
  for (const [at, { store }] of parts.entries()) await beginChange(store, ciphers[at]?.to ?? null)
  let entries = 0
  for (const [at, { name, store }] of parts.entries()) {
    const { from, to } = ciphers[at] ?? { from: null, to: null }
    const report = (step: string) => (count: number) => {
      signal.throwIfAborted()
      onProgress(`${step} ${name}/`, count)
    }
    await changeValues(store, { from, to }, report(encrypt ? 'encrypting' : 'decrypting'))
    entries += await verifyValues(store, to, report('verifying'))
  }
  return { done: { encrypted: encrypt, keyId, entries, resumed: begun !== undefined } }
}

/** Marks both stores as done, verifies the log, and takes the keys that nothing needs out of the keystore. */
async function endAll({ folder, passphrases, random }: RekeyOptions, keyId: number | null): Promise<number> {
  const paths = dataPaths(folder)
  const keystore = await readKeystore(paths.keystore, passphrases)
  const key = keystore.storeKeys?.find(({ id }) => id === keyId)
  const [blobs, store] = [
    await openLevelStore(paths.blobs, { create: false }),
    await openLevelStore(paths.store, { create: false })
  ]
  try {
    const cipher = key === undefined ? null : new ValueCipher(storeKeyOf(key), basename(paths.store), random)
    const records = await assureIntact(store, cipher, folder)
    for (const one of [store, blobs]) await endChange(one)
    const { storeKeys: _all, ...rest } = keystore
    await writeKeystore(paths.keystore, key === undefined ? rest : { ...rest, storeKeys: [key] }, false)
    return records
  } finally {
    await store.close()
    await blobs.close()
  }
}

/** A log that is damaged is told apart from one that this damaged. Answers how many records it has. */
async function assureIntact(store: Store, cipher: ValueCipher | null, folder: string): Promise<number> {
  const plain = cipher === null ? store : new EncryptedStore(store, cipher)
  const { ok, records, problems } = await verifyLog(plain, checkpointFile(dataPaths(folder).storeState))
  if (ok) return records
  throw new AnchormeshError('STORE_CORRUPT', `the log is not intact: ${problems[0]?.problem ?? ''}`, {
    hint: DAMAGE_HINT
  })
}

async function refuseWithoutStore(storeState: string): Promise<void> {
  try {
    await stat(storeState)
  } catch (cause) {
    throw new AnchormeshError('NOT_FOUND', 'there is no store in this data folder yet', {
      hint: 'Set store.encrypt in federation.yaml: a new store begins so.',
      cause
    })
  }
}

function otherAim(next: EncryptionTarget): AnchormeshError {
  const aim = next === null ? '--decrypt' : '--encrypt'
  return new AnchormeshError('USAGE', 'a change that was broken off had another aim', {
    hint: `Let it end first: anchormesh store rekey ${aim}`
  })
}

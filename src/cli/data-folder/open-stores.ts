import { basename } from 'node:path'
import { EncryptedStore } from '../../log/encrypted-store.ts'
import { openLevelStore } from '../../log/level-store.ts'
import { NOT_ENCRYPTED, cipherOf, encryptionWrite, readEncryption, targetOf } from '../../log/store-encryption.ts'
import type { Store } from '../../log/store.ts'
import { ValueCipher } from '../../log/value-cipher.ts'
import type { StoreKey } from '../../log/value-cipher.ts'
import type { Clock } from '../../platform/clock.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import { withStoreKey } from './keystore.ts'
import type { Keystore, StoreKeyEntry } from './keystore.ts'
import type { LoadedConfig } from './load-config.ts'
import { dataPaths } from './paths.ts'

type StoreSettings = Pick<LoadedConfig, 'folder' | 'keystore'> & {
  readonly federation: Pick<LoadedConfig['federation'], 'store'>
}

/** The two stores of a data folder. */
export interface OpenStores {
  readonly store: Store
  readonly blobs: Store
  /** The same as they are on the disk; closed with them. */
  readonly onDisk: { readonly store: Store; readonly blobs: Store }
}

/**
 * Opens the stores, encrypted as `store.encrypt` says; new ones begin so, and their key is in the keystore before the
 * first value. Throws as `openLevelStore` does; `CONFIG_INVALID` when they are encrypted and should not be, or the other
 * way round, `STORE_KEY_MISSING`, `STORE_REKEY_UNFINISHED`, and what unlocking the keystore throws.
 */
export async function openStores(
  config: StoreSettings,
  parts: { readonly create: boolean; readonly clock: Clock; readonly random: Random }
): Promise<OpenStores> {
  const paths = dataPaths(config.folder)
  const opened: Store[] = []
  try {
    for (const path of [paths.store, paths.blobs]) opened.push(await openLevelStore(path, { create: parts.create }))
    const [store, blobs] = await encryptedAsSaid(
      opened,
      [paths.store, paths.blobs].map((path) => basename(path)),
      config,
      parts
    )
    const [onDisk, blobsOnDisk] = opened
    if (store === undefined || blobs === undefined || onDisk === undefined || blobsOnDisk === undefined)
      throw new Error('there are two stores')
    return { store, blobs, onDisk: { store: onDisk, blobs: blobsOnDisk } }
  } catch (error) {
    for (const store of opened.toReversed()) await store.close()
    throw error
  }
}

/**
 * A store of bytes as they are on the disk, as a node of the folder sees it; closing it closes the other. Throws
 * `STORE_KEY_MISSING`, `STORE_REKEY_UNFINISHED`, and what opening the folder's keystore throws, where it is encrypted.
 */
export async function decryptedStore(
  store: Store,
  name: string,
  unlock: () => Promise<Keystore>,
  random: Random
): Promise<Store> {
  const { current, change } = await readEncryption(store)
  if (change !== null) throw unfinished(name)
  if (current === null) return store
  const cipher = cipherOf(current, ((await unlock()).storeKeys ?? []).map(storeKeyOf), name, random)
  return cipher === null ? store : new EncryptedStore(store, cipher)
}

/** A key of the keystore as bytes. */
export function storeKeyOf({ id, key }: StoreKeyEntry): StoreKey {
  return { id, key: new Uint8Array(Buffer.from(key, 'base64url')) }
}

async function encryptedAsSaid(
  stores: readonly Store[],
  names: readonly string[],
  config: StoreSettings,
  parts: { readonly clock: Clock; readonly random: Random }
): Promise<readonly Store[]> {
  const encrypted: Store[] = []
  for (const [at, store] of stores.entries()) {
    const name = names[at] ?? ''
    const { current, change } = await readEncryption(store)
    if (change !== null) throw unfinished(name)
    const isNew = current === null && config.federation.store.encrypt && (await isEmpty(store))
    if (!isNew && (current !== null) !== config.federation.store.encrypt) throw differs(name, current !== null)
    if (isNew) encrypted.push(new EncryptedStore(store, await beginEncrypted(store, name, config, parts)))
    else if (current === null) encrypted.push(store)
    else {
      const keys = ((await config.keystore.unlock()).storeKeys ?? []).map(storeKeyOf)
      const cipher = cipherOf(current, keys, name, parts.random)
      encrypted.push(cipher === null ? store : new EncryptedStore(store, cipher))
    }
  }
  return encrypted
}

async function beginEncrypted(
  store: Store,
  name: string,
  { keystore }: StoreSettings,
  { clock, random }: { readonly clock: Clock; readonly random: Random }
): Promise<ValueCipher> {
  const unlocked = await keystore.unlock()
  let key = unlocked.storeKeys?.at(-1)
  if (key === undefined) {
    // The first of the two stores has it made; the second finds it.
    const { keystore: next, added } = withStoreKey(unlocked, random, clock.now())
    await keystore.save(next)
    key = added
  }
  const cipher = new ValueCipher(storeKeyOf(key), name, random)
  await store.write([encryptionWrite({ ...NOT_ENCRYPTED, current: targetOf(cipher) })], { sync: true })
  return cipher
}

async function isEmpty(store: Store): Promise<boolean> {
  for await (const _entry of store.range({ limit: 1 })) return false
  return true
}

function differs(name: string, isEncrypted: boolean): AnchormeshError {
  const what = isEncrypted ? 'is encrypted, but store.encrypt is false' : 'is not encrypted, but store.encrypt is true'
  return new AnchormeshError('CONFIG_INVALID', `${name}/ ${what}`, {
    hint: 'Bring the store into line with federation.yaml: anchormesh store rekey. Or set store.encrypt back.'
  })
}

function unfinished(name: string): AnchormeshError {
  return new AnchormeshError('STORE_REKEY_UNFINISHED', `${name}/ is being encrypted anew, and that has not ended`, {
    hint: 'Let it end: anchormesh store rekey goes on where it stopped.'
  })
}

import { fromBase64url, toBase64url } from '../../../protocols/primitives/bytes.ts'
import type { KeystoreEntry, PublicKeystoreEntry, StoreKeyEntry } from '../../../protocols/keystore/v1/sealed.ts'
import type { Random } from '../../platform/random.ts'
import { localSigner } from '../../trust/local-signer.ts'
import type { Signer } from '../../trust/signer.ts'
import { keystoreCorrupt } from './keystore-failures.ts'
import type { KeyPurpose, Keystore, PublicKeystore } from './keystore-types.ts'

export type { KeystoreEntry, PublicKeystoreEntry, StoreKeyEntry } from '../../../protocols/keystore/v1/sealed.ts'
export { openKeystore, readKeystore, writeKeystore } from './keystore-file.ts'
export type { OpenedKeystore } from './keystore-file.ts'
export type { KeyPurpose, Keystore, PublicKeystore } from './keystore-types.ts'

const SEED_BYTES = 32
// One byte of each value names the key that it is encrypted with.
const STORE_KEY_ID_MAX = 255

/** A new Ed25519 key; its kid is the multibase part of its did:key. */
export function newKey(purpose: readonly KeyPurpose[], random: Random, createdAt: number): KeystoreEntry {
  const seed = random.bytes(SEED_BYTES)
  const { kid, publicKey } = localSigner(seed)
  return { kid, purpose: [...purpose], publicKey: toBase64url(publicKey), privateKey: toBase64url(seed), createdAt }
}

/**
 * The keystore with one more key. The key that events were signed with goes on signing them. Throws `RangeError` when
 * there is a key of this name already.
 */
export function withKey(keystore: Keystore, entry: KeystoreEntry): Keystore {
  if (keystore.keys.some(({ kid }) => kid === entry.kid)) throw new RangeError(`there is a key named ${entry.kid}`)
  const signing = keystore.signing ?? keystore.keys.findLast(isForEvents)?.kid
  return { ...keystore, keys: [...keystore.keys, entry], ...(signing === undefined ? {} : { signing }) }
}

/** The keystore with `kid` as the key that signs events. Throws `RangeError` when it holds no such key for events. */
export function withSigning(keystore: Keystore, kid: string): Keystore {
  const entry = [...keystore.keys, ...(keystore.external ?? [])].find((key) => key.kid === kid)
  if (entry === undefined || !isForEvents(entry)) throw new RangeError(`there is no key for events named ${kid}`)
  return { ...keystore, signing: kid }
}

/** The keystore with a new key for the store, and that key. Throws `KEYSTORE_CORRUPT` when no number is left for one. */
export function withStoreKey(
  keystore: Keystore,
  random: Random,
  createdAt: number
): { readonly keystore: Keystore; readonly added: StoreKeyEntry } {
  const known = keystore.storeKeys ?? []
  const ids = new Set(known.map(({ id }) => id))
  // On from the newest, and round: a number comes again only after all others did.
  let id = ((known.at(-1)?.id ?? 0) % STORE_KEY_ID_MAX) + 1
  for (let tries = 0; ids.has(id); tries += 1) {
    if (tries === STORE_KEY_ID_MAX) throw keystoreCorrupt('keystore.json', 'has no number left for a key of the store')
    id = (id % STORE_KEY_ID_MAX) + 1
  }
  const added: StoreKeyEntry = { id, key: toBase64url(random.bytes(SEED_BYTES)), createdAt }
  return { keystore: { ...keystore, storeKeys: [...known, added] }, added }
}

/** The key that this process signs events with. Throws `KEYSTORE_CORRUPT` when there is none. */
export function signingEntry<Entry extends PublicKeystoreEntry>(keystore: {
  readonly keys: readonly Entry[]
  readonly signing?: string
}): Entry {
  const { keys, signing } = keystore
  if (signing === undefined) return newest(keys, 'event')
  const chosen = keys.find(({ kid }) => kid === signing)
  if (chosen !== undefined) return chosen
  throw keystoreCorrupt('keystore.json', `names ${signing} to sign with, which another process holds: set node.signer`)
}

/** The key that another process signs events with for this node, if the keystore names one. */
export function externalEntry({ external = [], signing }: PublicKeystore): PublicKeystoreEntry | undefined {
  return external.find(({ kid }) => kid === signing) ?? external.findLast(isForEvents)
}

/** The key that the PeerId derives from. Throws `KEYSTORE_CORRUPT` when there is none. */
export function peerEntry<Entry extends PublicKeystoreEntry>(keystore: { readonly keys: readonly Entry[] }): Entry {
  return newest(keystore.keys, 'peer')
}

/** A signer for `did` by `signingEntry`. Throws `KEYSTORE_CORRUPT` when there is none. */
export function signerFrom(keystore: Keystore, did: string): Signer {
  const entry = signingEntry(keystore)
  return localSigner(bytesOf(entry.privateKey), { did, kid: entry.kid })
}

/** A signer for `did` by the key `kid`; `null` where the keystore holds no such key. */
export function signerOf(keystore: Keystore, did: string, kid: string): Signer | null {
  const entry = keystore.keys.find((key) => key.kid === kid)
  return entry === undefined ? null : localSigner(bytesOf(entry.privateKey), { did, kid })
}

/** The 32-byte seed that the PeerId derives from. Throws `KEYSTORE_CORRUPT` when there is none. */
export function peerKeySeed(keystore: Keystore): Uint8Array {
  return bytesOf(peerEntry(keystore).privateKey)
}

/** The keys that events and packs are signed with, newest last. */
export function signingKeys(
  keystore: PublicKeystore
): readonly { readonly kid: string; readonly publicKey: string; readonly createdAt: number }[] {
  return [...(keystore.external ?? []), ...keystore.keys]
    .filter(({ purpose }) => purpose.some((use) => use !== 'peer'))
    .map(({ kid, publicKey, createdAt }) => ({ kid, publicKey, createdAt }))
}

/** The keys that are older than the one that signs events now. */
export function formerKeys(
  keystore: PublicKeystore,
  { kid: signing }: { readonly kid: string }
): readonly { readonly kid: string; readonly publicKey: string }[] {
  const keys = signingKeys(keystore).map(({ kid, publicKey }) => ({ kid, publicKey }))
  const place = keys.findIndex(({ kid }) => kid === signing)
  return keys.slice(0, Math.max(place, 0))
}

/** Whether a key is for events. */
export function isForEvents({ purpose }: PublicKeystoreEntry): boolean {
  return purpose.includes('event')
}

function newest<Entry extends PublicKeystoreEntry>(keys: readonly Entry[], purpose: KeyPurpose): Entry {
  const entry = keys.findLast((key) => key.purpose.includes(purpose))
  if (entry === undefined) throw keystoreCorrupt('keystore.json', `holds no key for the purpose "${purpose}"`)
  return entry
}

function bytesOf(text: string): Uint8Array {
  const bytes = fromBase64url(text)
  if (bytes === null) throw new TypeError('a checked key is not base64url')
  return bytes
}

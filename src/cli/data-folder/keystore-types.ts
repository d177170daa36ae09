import type {
  KeystoreEntry,
  PURPOSES,
  PublicKeystoreEntry,
  StoreKeyEntry
} from '../../../protocols/keystore/v1/sealed.ts'
import type { KeystoreSeal } from './keystore-seal.ts'

/** What a key is for. */
export type KeyPurpose = (typeof PURPOSES)[number]

/** What of a keystore is no secret: it can be read without a passphrase. Keys stand oldest first. */
export interface PublicKeystore {
  readonly v: 2
  readonly keys: readonly PublicKeystoreEntry[]
  /** The kid of the key that events are signed with; without it the newest one for events. */
  readonly signing?: string
  /** Keys of this node that another process signs with. */
  readonly external?: readonly PublicKeystoreEntry[]
}

/**
 * `keystore.json` (keystore/v1): a node's private keys. Unsealed, the file's permissions are its protection. Version 1,
 * which is still read, names no `signing`.
 */
export interface Keystore extends PublicKeystore {
  readonly keys: readonly KeystoreEntry[]
  /** What the values of the store are encrypted with. */
  readonly storeKeys?: readonly StoreKeyEntry[]
  /** With it the file is written sealed. It stands in no file. */
  readonly seal?: KeystoreSeal
}

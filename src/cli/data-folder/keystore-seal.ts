import { encodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import { additionalData, checksumOf, secretsSchema } from '../../../protocols/keystore/v1/sealed.ts'
import type {
  KeyDerivation,
  KeystoreEntry,
  PublicKeystoreEntry,
  SealedKeystoreFile,
  StoreKeyEntry
} from '../../../protocols/keystore/v1/sealed.ts'
import { toBase64url, utf8 } from '../../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { keyOfPassphrase, newKeyDerivation } from '../../platform/passphrase-key.ts'
import type { Random } from '../../platform/random.ts'
import { NONCE_BYTES, openBytes, sealBytes } from '../../platform/sealed-bytes.ts'

/** What a keystore is sealed with; it goes along when the keystore changes, so that nobody is asked again. */
export interface KeystoreSeal {
  readonly kdf: KeyDerivation
  readonly key: Uint8Array
  readonly random: Random
}

/** Where passphrases come from. */
export interface PassphraseSource {
  /** The passphrase of a keystore. Throws `KEYSTORE_PASSPHRASE` when there is no way to learn it. */
  current(path: string): Promise<string>
  /**
   * Another one than `current` last answered, where the same places have another by now; `null` where they do not. Nobody
   * is asked.
   */
  renewed?(path: string): Promise<string | null>
  /** Files that hold passphrases. */
  readonly files?: readonly string[]
  /** For the nonces of what is written again. */
  readonly random: Random
}

/** The parts of a keystore that a sealed file holds. */
export interface SealedParts {
  readonly keys: readonly KeystoreEntry[]
  readonly signing?: string
  readonly external?: readonly PublicKeystoreEntry[]
  readonly storeKeys?: readonly StoreKeyEntry[]
}

/** A seal under a new passphrase, with a new salt. */
export async function newSeal(passphrase: string, random: Random, name?: KeyDerivation['name']): Promise<KeystoreSeal> {
  const kdf = newKeyDerivation(random, name)
  return { kdf, key: await keyOfPassphrase(passphrase, kdf), random }
}

/** The file of a sealed keystore (keystore/v1, KS-4 to KS-9). */
export function sealKeystore(parts: SealedParts, seal: KeystoreSeal): SealedKeystoreFile {
  const nonce = seal.random.bytes(NONCE_BYTES)
  const open = {
    v: 2 as const,
    keys: parts.keys.map(publicPart),
    ...(parts.signing === undefined ? {} : { signing: parts.signing }),
    ...(parts.external === undefined ? {} : { external: parts.external.map(publicPart) })
  }
  const sealed = { kdf: seal.kdf, cipher: 'aes-256-gcm' as const, nonce: toBase64url(nonce) }
  const secrets = {
    privateKeys: parts.keys.map(({ privateKey }) => privateKey),
    ...(parts.storeKeys === undefined ? {} : { storeKeys: parts.storeKeys })
  }
  const data = additionalData({ ...open, sealed })
  const box = toBase64url(sealBytes(seal.key, nonce, utf8(encodeCanonical(secrets)), data))
  const file = { ...open, sealed: { ...sealed, box } }
  return { ...file, checksum: checksumOf(file) }
}

/**
 * Opens a sealed keystore whose checksum is right. Throws `KEYSTORE_PASSPHRASE` for another passphrase; `null` when what
 * was sealed is not the secrets of these keys.
 */
export async function unsealKeystore(
  file: SealedKeystoreFile,
  path: string,
  passphrases: PassphraseSource
): Promise<{ readonly parts: SealedParts; readonly seal: KeystoreSeal } | null> {
  const { kdf, nonce, box } = file.sealed
  const opened = async (passphrase: string): Promise<{ key: Uint8Array; plain: Uint8Array } | null> => {
    const derived = await keyOfPassphrase(passphrase, kdf)
    const secretBytes = openBytes(derived, fromText(nonce), fromText(box), additionalData(file))
    return secretBytes === null ? null : { key: derived, plain: secretBytes }
  }
  let found = await opened(await passphrases.current(path))
  if (found === null) {
    // The file was sealed anew since it was first opened.
    const renewed = (await passphrases.renewed?.(path)) ?? null
    found = renewed === null ? null : await opened(renewed)
  }
  if (found === null) throw wrongPassphrase(path)
  const { key, plain } = found
  const secrets = secretsSchema.safeParse(jsonOf(plain))
  if (!secrets.success || secrets.data.privateKeys.length !== file.keys.length) return null
  const { privateKeys, storeKeys } = secrets.data
  const parts = {
    keys: file.keys.map((entry, at) => ({ ...entry, privateKey: privateKeys[at] ?? '' })),
    ...(file.signing === undefined ? {} : { signing: file.signing }),
    ...(file.external === undefined ? {} : { external: file.external }),
    ...(storeKeys === undefined ? {} : { storeKeys })
  }
  return { parts, seal: { kdf, key, random: passphrases.random } }
}

/** What of an entry is no secret. */
export function publicPart({ kid, purpose, publicKey, createdAt }: PublicKeystoreEntry): PublicKeystoreEntry {
  return { kid, purpose, publicKey, createdAt }
}

function wrongPassphrase(path: string): AnchormeshError {
  return new AnchormeshError('KEYSTORE_PASSPHRASE', `the passphrase does not open ${path}`, {
    hint:
      'Look which one is taken: --passphrase-file, ANCHORMESH_PASSPHRASE_FILE, ANCHORMESH_PASSPHRASE, the terminal, ' +
      'in this order. A file that somebody altered and made whole again says the same: compare it with a backup.'
  })
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    // The parser's message would quote secrets.
    return null
  }
}

function fromText(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}

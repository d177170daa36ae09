import { checksumOf, keystoreSchemaOf, KEYSTORE_BYTES_MAX } from '../../../protocols/keystore/v1/sealed.ts'
import type { KeystoreFile, SealedKeystoreFile } from '../../../protocols/keystore/v1/sealed.ts'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { writeAtomically } from '../../platform/atomic-file.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { localSigner } from '../../trust/local-signer.ts'
import { keystoreCorrupt } from './keystore-failures.ts'
import { sealKeystore, unsealKeystore } from './keystore-seal.ts'
import type { PassphraseSource, SealedParts } from './keystore-seal.ts'
import type { Keystore, PublicKeystore } from './keystore-types.ts'
import { readOwnerOnly } from './owner-only.ts'

const OWNER_ONLY = 0o600

/** A keystore of which the secrets may still be sealed. */
export interface OpenedKeystore {
  readonly isSealed: boolean
  /** As it was read. */
  readonly known: PublicKeystore
  /** All of it; asks for the passphrase at most once. Throws `KEYSTORE_PASSPHRASE`, `KEYSTORE_CORRUPT`. */
  unlock(): Promise<Keystore>
  /** Writes the file anew; `unlock` answers this from now on. */
  save(keystore: Keystore): Promise<void>
}

/** Writes the keystore so that only its owner can read it. With `exclusive`, `EEXIST` when there is one already. */
export async function writeKeystore(path: string, keystore: Keystore, exclusive: boolean): Promise<void> {
  const { seal, ...parts } = keystore
  const file = seal === undefined ? parts : sealKeystore(parts, seal)
  await writeAtomically(path, `${JSON.stringify(file, null, 2)}\n`, { mode: OWNER_ONLY, exclusive })
}

/**
 * Reads what of the keystore is no secret, and, unless it is sealed, the rest. Throws `KEYSTORE_PERMISSIONS` when others
 * than the owner could read or change it, and `KEYSTORE_CORRUPT` when it is missing, is no keystore, or was damaged.
 */
export async function openKeystore(
  path: string,
  passphrases: PassphraseSource = NO_PASSPHRASE
): Promise<OpenedKeystore> {
  const file = decode(await readOwnerOnly(path, KEYSTORE_BYTES_MAX), path)
  const isSealed = 'sealed' in file
  let unlocked: Promise<Keystore> | null = null
  let known: PublicKeystore
  if (isSealed) {
    const { sealed: _sealed, checksum: _checksum, ...rest } = file
    checkNames(rest, path)
    known = rest
  } else {
    const whole = checked(file, path)
    known = whole
    unlocked = Promise.resolve(whole)
  }
  return {
    isSealed,
    known,
    unlock: () => {
      if (!isSealed) return unlocked ?? Promise.reject(new Error('a keystore that is not sealed is open'))
      return (unlocked ??= unsealed(file, path, passphrases).catch((error: unknown) => {
        // The passphrase may be there when it is tried again.
        unlocked = null
        throw error
      }))
    },
    save: async (keystore) => {
      await writeKeystore(path, keystore, false)
      unlocked = Promise.resolve(keystore)
    }
  }
}

/** Reads all of the keystore, as `openKeystore` and its `unlock` do. */
export async function readKeystore(path: string, passphrases?: PassphraseSource): Promise<Keystore> {
  return await (await openKeystore(path, passphrases)).unlock()
}

const NO_PASSPHRASE: PassphraseSource = {
  random: { bytes: notAsked, fraction: notAsked },
  current: (path) =>
    Promise.reject(
      new AnchormeshError('KEYSTORE_PASSPHRASE', `${path} is sealed, and no passphrase was given`, {
        hint: 'Give it: --passphrase-file FILE, ANCHORMESH_PASSPHRASE_FILE, or ANCHORMESH_PASSPHRASE.'
      })
    )
}

function notAsked(): never {
  throw new Error('a keystore that was not opened is not written')
}

async function unsealed(file: SealedKeystoreFile, path: string, passphrases: PassphraseSource): Promise<Keystore> {
  const opened = await unsealKeystore(file, path, passphrases)
  if (opened === null) throw keystoreCorrupt(path, 'holds other secrets than it says')
  return { ...checked({ v: 2, ...opened.parts }, path), seal: opened.seal }
}

function decode(text: string, path: string): KeystoreFile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    // The parser's message quotes the text, which may be a private key.
    throw keystoreCorrupt(path, 'is not JSON', cause instanceof SyntaxError ? undefined : cause)
  }
  const parsed = keystoreSchemaOf(json).safeParse(json)
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => issue.path.join('.') || 'the top level')
    throw keystoreCorrupt(path, `is not a keystore of version 1 or 2 (see ${[...new Set(places)].join(', ')})`)
  }
  if ('sealed' in parsed.data && parsed.data.checksum !== checksumOf(parsed.data)) {
    throw keystoreCorrupt(path, 'was damaged or altered: it has another checksum than it says')
  }
  return parsed.data
}

/** Each private key belongs to its public key, no two have one name, and the key that signs is there. */
function checked(file: SealedParts & { readonly v: 1 | 2 }, path: string): Keystore {
  const keystore: Keystore = { ...file, v: 2 }
  checkNames(keystore, path)
  for (const { kid, publicKey, privateKey } of keystore.keys) {
    const seed = new Uint8Array(Buffer.from(privateKey, 'base64url'))
    if (toBase64url(localSigner(seed).publicKey) !== publicKey) {
      throw keystoreCorrupt(path, `holds a private key that does not belong to the public key of ${kid}`)
    }
  }
  const ids = (keystore.storeKeys ?? []).map(({ id }) => id)
  if (new Set(ids).size < ids.length) throw keystoreCorrupt(path, 'holds two keys of the store with one number')
  return keystore
}

function checkNames({ keys, external = [], signing }: PublicKeystore, path: string): void {
  const kids = new Set<string>()
  for (const { kid } of [...keys, ...external]) {
    if (kids.has(kid)) throw keystoreCorrupt(path, `holds two keys named ${kid}`)
    kids.add(kid)
  }
  if (signing === undefined) return
  if (![...keys, ...external].some(({ kid, purpose }) => kid === signing && purpose.includes('event'))) {
    throw keystoreCorrupt(path, `names ${signing} as the key that signs, but holds no such key for events`)
  }
}

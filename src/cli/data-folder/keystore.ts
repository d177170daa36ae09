import { open } from 'node:fs/promises'
import { z } from 'zod'
import { fromBase64url, toBase64url } from '../../../protocols/primitives/bytes.ts'
import { KID_PATTERN } from '../../../protocols/signature/v1/jws.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import { localSigner } from '../../trust/local-signer.ts'
import type { Signer } from '../../trust/signer.ts'
import { errnoOf, writeAtomically } from '../../platform/atomic-file.ts'

/** What a key is for: events, anchor packs, or the node's PeerId in the mesh. */
const PURPOSES = ['event', 'pack', 'peer'] as const
export type KeyPurpose = (typeof PURPOSES)[number]

const SEED_BYTES = 32
const OWNER_ONLY = 0o600
/** A keystore holds a handful of keys of some 250 bytes. */
const KEYSTORE_BYTES_MAX = 1024 * 1024

const base64urlBytes = z.string().refine((text) => fromBase64url(text)?.length === SEED_BYTES)

const entrySchema = z.strictObject({
  kid: z.string().regex(KID_PATTERN),
  purpose: z.array(z.enum(PURPOSES)).min(1),
  publicKey: base64urlBytes,
  privateKey: base64urlBytes,
  createdAt: z.int().min(0)
})

const keystoreSchema = z.discriminatedUnion('v', [
  z.strictObject({ v: z.literal(1), keys: z.array(entrySchema).min(1) }),
  z.strictObject({
    v: z.literal(2),
    keys: z.array(entrySchema).min(1),
    signing: z.string().regex(KID_PATTERN).exactOptional()
  })
])

/** One key pair. `privateKey` is the 32-byte Ed25519 seed, keys are base64url, `createdAt` is milliseconds since 1970. */
export type KeystoreEntry = z.output<typeof entrySchema>

/**
 * `keystore.json`: a node's private keys, oldest first. Version 1, which is still read, names no `signing`. Unsealed,
 * the file's permissions are its protection.
 */
export interface Keystore {
  readonly v: 2
  readonly keys: readonly KeystoreEntry[]
  /** The kid of the key that events are signed with; without it the newest one for events. */
  readonly signing?: string
}

/** A new Ed25519 key; its kid is the multibase part of its did:key. */
export function newKey(purpose: readonly KeyPurpose[], random: Random, createdAt: number): KeystoreEntry {
  const seed = random.bytes(SEED_BYTES)
  const { kid, publicKey } = localSigner(seed)
  return { kid, purpose: [...purpose], publicKey: toBase64url(publicKey), privateKey: toBase64url(seed), createdAt }
}

/** Writes the keystore so that only its owner can read it. With `exclusive`, `EEXIST` when there is one already. */
export async function writeKeystore(path: string, keystore: Keystore, exclusive: boolean): Promise<void> {
  await writeAtomically(path, `${JSON.stringify(keystore, null, 2)}\n`, { mode: OWNER_ONLY, exclusive })
}

/**
 * Reads the keystore. Throws `KEYSTORE_PERMISSIONS` when others than the owner could read or change it, and
 * `KEYSTORE_CORRUPT` when it is missing, is no keystore, or holds a key pair that does not belong together.
 */
export async function readKeystore(path: string): Promise<Keystore> {
  return decodeKeystore(await readOwnerOnly(path), path)
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
  const entry = keystore.keys.find((key) => key.kid === kid)
  if (entry === undefined || !isForEvents(entry)) throw new RangeError(`there is no key for events named ${kid}`)
  return { ...keystore, signing: kid }
}

/** The key that events are signed with. Throws `KEYSTORE_CORRUPT` when there is none. */
export function signingEntry(keystore: Keystore): KeystoreEntry {
  const chosen = keystore.keys.find(({ kid }) => kid === keystore.signing)
  return chosen ?? newest(keystore, 'event')
}

/** A signer for `did` by `signingEntry`. Throws `KEYSTORE_CORRUPT` when there is none. */
export function signerFrom(keystore: Keystore, did: string): Signer {
  const entry = signingEntry(keystore)
  return localSigner(bytesOf(entry.privateKey), { did, kid: entry.kid })
}

/** The 32-byte seed that the PeerId derives from. Throws `KEYSTORE_CORRUPT` when there is none. */
export function peerKeySeed(keystore: Keystore): Uint8Array {
  return bytesOf(newest(keystore, 'peer').privateKey)
}

/** The keys that events and packs are signed with, newest last. */
export function signingKeys(keystore: Keystore): readonly { readonly kid: string; readonly publicKey: string }[] {
  return keystore.keys
    .filter(({ purpose }) => purpose.some((use) => use !== 'peer'))
    .map(({ kid, publicKey }) => ({ kid, publicKey }))
}

async function readOwnerOnly(path: string): Promise<string> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    if (errnoOf(cause) !== 'ENOENT') throw cause
    throw corrupt(path, 'is missing', cause)
  })
  try {
    const stat = await file.stat()
    // Windows has no such bits.
    if (process.platform !== 'win32' && (stat.mode & 0o777) !== OWNER_ONLY) {
      throw new AnchormeshError(
        'KEYSTORE_PERMISSIONS',
        `${path} has permissions ${(stat.mode & 0o777).toString(8).padStart(4, '0')}, but must have 0600`,
        { hint: `If nobody else has read it: chmod 600 ${path}. Otherwise its keys are not secret any more.` }
      )
    }
    if (!stat.isFile() || stat.size > KEYSTORE_BYTES_MAX) throw corrupt(path, 'is not a keystore file')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function decodeKeystore(text: string, path: string): Keystore {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    // The parser's message quotes the text, which may be a private key.
    throw corrupt(path, 'is not JSON', cause instanceof SyntaxError ? undefined : cause)
  }
  const parsed = keystoreSchema.safeParse(json)
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => issue.path.join('.') || 'the top level')
    throw corrupt(path, `is not a keystore of version 1 or 2 (see ${[...new Set(places)].join(', ')})`)
  }
  const kids = new Set<string>()
  for (const { kid, publicKey, privateKey } of parsed.data.keys) {
    if (toBase64url(localSigner(bytesOf(privateKey)).publicKey) !== publicKey) {
      throw corrupt(path, `holds a private key that does not belong to the public key of ${kid}`)
    }
    if (kids.has(kid)) throw corrupt(path, `holds two keys named ${kid}`)
    kids.add(kid)
  }
  if (parsed.data.v === 1) return { v: 2, keys: parsed.data.keys }
  const { signing } = parsed.data
  if (signing !== undefined && !parsed.data.keys.some((entry) => entry.kid === signing && isForEvents(entry))) {
    throw corrupt(path, `names ${signing} as the key that signs, but holds no such key for events`)
  }
  return parsed.data
}

function isForEvents({ purpose }: KeystoreEntry): boolean {
  return purpose.includes('event')
}

function newest(keystore: Keystore, purpose: KeyPurpose): KeystoreEntry {
  const entry = keystore.keys.findLast((key) => key.purpose.includes(purpose))
  if (entry === undefined) throw corrupt('keystore.json', `holds no key for the purpose "${purpose}"`)
  return entry
}

function corrupt(path: string, what: string, cause?: unknown): AnchormeshError {
  return new AnchormeshError('KEYSTORE_CORRUPT', `${path} ${what}`, {
    hint:
      'Put keystore.json back from a backup. Without it this node can only start anew, as another one: ' +
      'anchormesh init with another --data folder.',
    ...(cause === undefined ? {} : { cause })
  })
}

function bytesOf(text: string): Uint8Array {
  const bytes = fromBase64url(text)
  if (bytes === null) throw new TypeError('a checked key is not base64url')
  return bytes
}

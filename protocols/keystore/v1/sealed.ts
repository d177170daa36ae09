import { z } from 'zod'
import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { fromBase64url, utf8 } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'

/** What a key is for: events, anchor packs, or the node's PeerId in the mesh. */
export const PURPOSES = ['event', 'pack', 'peer'] as const

/** A keystore holds a handful of keys of some 250 bytes (KS-1). */
export const KEYSTORE_BYTES_MAX = 1024 * 1024

const bytesOf = (length: number): z.ZodString => z.string().refine((text) => fromBase64url(text)?.length === length)
const between = (min: number, max: number): z.ZodInt => z.int().min(min).max(max)

// A gibibyte and sixteen passes (KS-6) are far more than anybody seals with, and no more than a machine that runs a
// node survives: a file from elsewhere can't take all memory, or hours.
const argon2id = z.strictObject({
  name: z.literal('argon2id'),
  memoryKiB: between(8 * 16, 1_048_576),
  passes: between(1, 16),
  lanes: between(1, 16),
  salt: bytesOf(16)
})
const scrypt = z
  .strictObject({
    name: z.literal('scrypt'),
    cost: between(2, 1_048_576).refine((cost) => (cost & (cost - 1)) === 0),
    blockSize: between(1, 32),
    parallelism: between(1, 16),
    salt: bytesOf(16)
  })
  .refine(({ cost, blockSize }) => 128 * cost * blockSize <= 2 ** 30)

/** How the key is made from the passphrase. */
export type KeyDerivation = z.output<typeof argon2id> | z.output<typeof scrypt>

const publicMembers = {
  kid: z.string().regex(KID_PATTERN),
  purpose: z.array(z.enum(PURPOSES)).min(1),
  publicKey: bytesOf(32),
  createdAt: z.int().min(0)
}
const publicEntry = z.strictObject(publicMembers)
const entry = z.strictObject({ ...publicMembers, privateKey: bytesOf(32) })
const signing = z.string().regex(KID_PATTERN).exactOptional()
const storeKeys = z.array(z.strictObject({ id: between(1, 255), key: bytesOf(32), createdAt: z.int().min(0) }))

const external = z.array(publicEntry).exactOptional()

const sealedFile = z.strictObject({
  v: z.literal(2),
  keys: z.array(publicEntry).min(1),
  signing,
  external,
  sealed: z.strictObject({
    kdf: z.discriminatedUnion('name', [argon2id, scrypt]),
    cipher: z.literal('aes-256-gcm'),
    nonce: bytesOf(12),
    box: z.string().refine((text) => fromBase64url(text) !== null)
  }),
  checksum: z.string().regex(/^[0-9a-f]{64}$/)
})

const firstFile = z.strictObject({ v: z.literal(1), keys: z.array(entry).min(1) })
const plainFile = z.strictObject({
  v: z.literal(2),
  keys: z.array(entry).min(1),
  signing,
  external,
  storeKeys: storeKeys.exactOptional()
})

/** A keystore as its file says it. */
export type KeystoreFile = z.output<typeof firstFile> | z.output<typeof plainFile> | SealedKeystoreFile

/** The form that a file claims to have: version 1, which is read only, version 2 sealed, or version 2. */
export function keystoreSchemaOf(json: unknown): z.ZodType<KeystoreFile> {
  if (typeof json !== 'object' || json === null) return plainFile
  if ('v' in json && json.v === 1) return firstFile
  return 'sealed' in json ? sealedFile : plainFile
}

/** What a box holds (KS-8): private keys in the order of `keys`. */
export const secretsSchema = z.strictObject({
  privateKeys: z.array(bytesOf(32)),
  storeKeys: storeKeys.exactOptional()
})

export type SealedKeystoreFile = z.output<typeof sealedFile>
/** One key pair; keys are base64url, `privateKey` the 32-byte Ed25519 seed, `createdAt` milliseconds since 1970. */
export type KeystoreEntry = z.output<typeof entry>
export type PublicKeystoreEntry = z.output<typeof publicEntry>
/** A key that values of the store are encrypted with, by the number that each value names. */
export type StoreKeyEntry = z.output<typeof storeKeys>[number]

type WithoutBox = Omit<SealedKeystoreFile, 'checksum' | 'sealed'> & {
  readonly sealed: Omit<SealedKeystoreFile['sealed'], 'box'>
}

/** KS-7: everything but the box and the checksum is bound to the box. */
export function additionalData({ sealed, ...rest }: WithoutBox | SealedKeystoreFile): Uint8Array {
  const { kdf, cipher, nonce } = sealed
  return utf8(`anchormesh.keystore.v2\n${encodeCanonical({ ...openPart(rest), sealed: { kdf, cipher, nonce } })}`)
}

/** KS-5: the SHA-256 of all that the file says beside it. */
export function checksumOf({ sealed, ...rest }: Omit<SealedKeystoreFile, 'checksum'>): string {
  return sha256Hex(encodeCanonical({ ...openPart(rest), sealed }))
}

function openPart(file: Omit<SealedKeystoreFile, 'checksum' | 'sealed'>): object {
  const { v, keys } = file
  return {
    v,
    keys,
    ...(file.signing === undefined ? {} : { signing: file.signing }),
    ...(file.external === undefined ? {} : { external: file.external })
  }
}

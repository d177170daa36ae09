import { argon2Sync, createCipheriv, scryptSync } from 'node:crypto'
import { canonicalOf } from './event-parts.ts'
import { hex, keyOf, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')
const SALT = sha256('salt').subarray(0, 16)
const NONCE = sha256('nonce').subarray(0, 12)
const PASSPHRASE = 'Grüße, 5 Anker'

// Small ones: whoever reads the vectors should not need a second for each.
const ARGON2ID = { name: 'argon2id', memoryKiB: 1_024, passes: 2, lanes: 2, salt: base64url(SALT) } as const
const SCRYPT = { name: 'scrypt', cost: 1_024, blockSize: 8, parallelism: 1, salt: base64url(SALT) } as const
type Kdf = typeof ARGON2ID | typeof SCRYPT

const event = keyOf('keystore event')
const peer = keyOf('keystore peer')
const KEYS = [
  { kid: 'event-1', purpose: ['event', 'pack'], publicKey: base64url(event.publicKey), createdAt: 1_700_000_000_000 },
  { kid: 'mesh', purpose: ['peer'], publicKey: base64url(peer.publicKey), createdAt: 1_700_000_000_001 }
]
const SECRETS = { privateKeys: [base64url(event.seed), base64url(peer.seed)] }
const STORE_KEYS = [{ id: 1, key: base64url(sha256('store key')), createdAt: 1_700_000_000_002 }]

/** The vectors of keystore/v1, put together as the SPEC says, without the codec. */
export function keystoreVectors(): readonly VectorFile[] {
  const base = 'keystore/v1/vectors'
  return [
    {
      path: `${base}/sealed.json`,
      description:
        'Sealed files (`file`, JSON), the passphrase (text), the key that it gives (hex), and what the box holds (JSON).',
      vectors: [
        sealed('argon2id', ARGON2ID, {}, SECRETS),
        sealed(
          'argon2id, with a key that signs and keys of the store',
          ARGON2ID,
          { signing: 'event-1' },
          { ...SECRETS, storeKeys: STORE_KEYS }
        ),
        sealed(
          'scrypt, with a key that another process holds',
          SCRYPT,
          { external: [{ ...KEYS[0], kid: 'hsm' }] },
          SECRETS
        )
      ]
    },
    {
      path: `${base}/sealed-invalid.json`,
      description: 'Files (JSON) that do not open with the passphrase (text), with rule and code.',
      vectors: invalid()
    }
  ]
}

function fileOf(kdf: Kdf, more: Parts, secrets: unknown): Parts {
  const open = { v: 2, keys: KEYS, ...more }
  const head = { kdf, cipher: 'aes-256-gcm', nonce: base64url(NONCE) }
  const cipher = createCipheriv('aes-256-gcm', keyFrom(PASSPHRASE, kdf), NONCE)
  cipher.setAAD(
    Buffer.from(`anchormesh.keystore.v2\n${Buffer.from(canonicalOf({ ...open, sealed: head })).toString()}`)
  )
  const box = Buffer.concat([cipher.update(JSON.stringify(secrets)), cipher.final(), cipher.getAuthTag()])
  return withChecksum({ ...open, sealed: { ...head, box: base64url(box) } })
}

function withChecksum(file: Parts): Parts {
  const { checksum: _old, ...rest } = file
  return { ...rest, checksum: hex(sha256(canonicalOf(rest))) }
}

function keyFrom(passphrase: string, kdf: Kdf): Buffer {
  const message = Buffer.from(passphrase.normalize('NFC'))
  if (kdf.name === 'scrypt') return scryptSync(message, SALT, 32, { N: kdf.cost, r: kdf.blockSize, p: kdf.parallelism })
  const { memoryKiB: memory, passes, lanes: parallelism } = kdf
  return argon2Sync('argon2id', { message, nonce: SALT, memory, passes, parallelism, tagLength: 32 })
}

function sealed(description: string, kdf: Kdf, more: Parts, secrets: unknown): Vector {
  return {
    description,
    passphrase: PASSPHRASE,
    key: hex(keyFrom(PASSPHRASE, kdf)),
    file: fileOf(kdf, more, secrets),
    secrets
  }
}

function invalid(): readonly Vector[] {
  const good = fileOf(ARGON2ID, {}, SECRETS)
  const head = good['sealed'] as Parts
  const vector = (description: string, rule: string, code: string, file: Parts, passphrase = PASSPHRASE): Vector => ({
    description,
    rule,
    code,
    passphrase,
    file
  })
  const CORRUPT = 'KEYSTORE_CORRUPT'
  const LOCKED = 'KEYSTORE_PASSPHRASE'
  const resealed = (change: Parts): Parts => withChecksum({ ...good, sealed: { ...head, ...change } })
  const exchanged = KEYS.map((key) => ({ ...key, publicKey: KEYS[1]?.publicKey }))
  return [
    vector('another passphrase', 'KS-7', LOCKED, good, 'Grusse, 5 Anker'),
    vector('a public key that was exchanged', 'KS-5', CORRUPT, { ...good, keys: exchanged }),
    vector('the same with its checksum put right', 'KS-7', LOCKED, withChecksum({ ...good, keys: exchanged })),
    vector(
      'another purpose, checksum put right',
      'KS-7',
      LOCKED,
      withChecksum({ ...good, keys: KEYS.map((key) => ({ ...key, purpose: ['event'] })) })
    ),
    vector('a box that is cut off', 'KS-7', LOCKED, resealed({ box: (head['box'] as string).slice(0, 40) })),
    vector('a nonce of 11 bytes', 'KS-4', CORRUPT, resealed({ nonce: base64url(NONCE.subarray(1)) })),
    vector('another cipher', 'KS-4', CORRUPT, resealed({ cipher: 'aes-128-gcm' })),
    vector('more memory than the bound', 'KS-6', CORRUPT, resealed({ kdf: { ...ARGON2ID, memoryKiB: 1_048_577 } })),
    vector('more passes than the bound', 'KS-6', CORRUPT, resealed({ kdf: { ...ARGON2ID, passes: 17 } })),
    vector('a cost that is no power of two', 'KS-6', CORRUPT, resealed({ kdf: { ...SCRYPT, cost: 1_000 } })),
    vector(
      'more memory than the bound, by scrypt',
      'KS-6',
      CORRUPT,
      resealed({ kdf: { ...SCRYPT, cost: 1_048_576, blockSize: 16 } })
    ),
    vector(
      'private keys beside the box',
      'KS-3',
      CORRUPT,
      withChecksum({ ...good, keys: KEYS.map((key, at) => ({ ...key, privateKey: SECRETS.privateKeys[at] })) })
    ),
    vector(
      'two keys of one name',
      'KS-3',
      CORRUPT,
      withChecksum({ ...good, keys: KEYS.map((key) => ({ ...key, kid: 'same' })) })
    ),
    vector('a key that signs and is not there', 'KS-2', CORRUPT, withChecksum({ ...good, signing: 'gone' })),
    vector(
      'fewer private keys than keys',
      'KS-8',
      CORRUPT,
      fileOf(ARGON2ID, {}, { privateKeys: SECRETS.privateKeys.slice(1) })
    ),
    vector(
      'private keys in another order',
      'KS-8',
      CORRUPT,
      fileOf(ARGON2ID, {}, { privateKeys: SECRETS.privateKeys.toReversed() })
    ),
    vector('a member more', 'KS-2', CORRUPT, withChecksum({ ...good, more: 1 }))
  ]
}

import { open, rm } from 'node:fs/promises'
import { z } from 'zod'
import {
  KEY_STATUSES,
  KEY_USES,
  LAST_GOOD_MAX,
  PACK_KEYS_MAX,
  REASON_BYTES_MAX
} from '../../../protocols/event/v1/anchor-pack.ts'
import type { KeyUse } from '../../../protocols/event/v1/anchor-pack.ts'
import { HASH_PATTERN } from '../../../protocols/event/v1/envelope.ts'
import { fromBase64url } from '../../../protocols/primitives/bytes.ts'
import { KID_PATTERN } from '../../../protocols/signature/v1/jws.ts'
import { errnoOf, writeAtomically } from '../../platform/atomic-file.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import type { HeldKey, SignerPlan, SignerRegistry, StoredDraft } from '../../trust/signer-registry.ts'
import { NO_PLAN } from '../../trust/signer-registry.ts'
import type { Signer } from '../../trust/signer.ts'
import type { OpenedKeystore, PublicKeystore, PublicKeystoreEntry } from './keystore.ts'
import { externalEntry, newKey, signerOf, signingEntry, withKey, withSigning } from './keystore.ts'
import type { DataPaths } from './paths.ts'

const OWNER_ONLY = 0o600
/** All keys of an organisation with 64 last good events each are some 4 MiB. */
const FILE_BYTES_MAX = 8 * 1024 * 1024

const kid = z.string().regex(KID_PATTERN)
const hash = z.string().regex(HASH_PATTERN)
const moment = z.int().min(0)
const lastGood = z.strictObject({
  signer: z.string().max(2_048),
  kid,
  namespace: z.string().max(64),
  authorSeq: z.int().min(1),
  id: hash
})
const intendedKey = z.strictObject({
  kid,
  publicKey: z.string().refine((text) => fromBase64url(text)?.length === 32),
  uses: z.array(z.enum(KEY_USES)).min(1).max(KEY_USES.length),
  status: z.enum(KEY_STATUSES),
  notBefore: moment,
  notAfter: moment.optional(),
  retiredAt: moment.optional(),
  revokedAt: moment.optional(),
  reason: z.string().max(REASON_BYTES_MAX).optional(),
  lastGood: z.union([z.literal('tips'), z.array(lastGood).max(LAST_GOOD_MAX)]).optional(),
  after: z.int().min(0)
})
const planSchema = z.strictObject({
  v: z.literal(1),
  threshold: z.strictObject({ value: z.int().min(1).max(PACK_KEYS_MAX), instead: z.int().min(1) }).nullable(),
  keys: z.array(intendedKey).max(PACK_KEYS_MAX),
  signed: z.strictObject({ packSeq: z.int().min(1), packHash: hash }).optional()
})
const draftSchema = z.strictObject({
  v: z.literal(1),
  id: hash,
  event: z.string(),
  signatures: z.array(z.strictObject({ kid, signature: z.string() })).max(PACK_KEYS_MAX)
})

export interface SignersFileParts {
  readonly paths: Pick<DataPaths, 'signers' | 'pendingPack'>
  /** The keystore as it is now: commands may have changed it since the node opened. */
  readonly keystore: { open(): Promise<OpenedKeystore> }
  /** Who signs for the node: another process may hold its key. */
  readonly signer: Signer
  /**
   * Where another process signs for the node: its signers, by the public halves that the keystore has of them. No key of
   * the keystore signs events, then.
   */
  readonly external: ((key: PublicKeystoreEntry) => Signer) | null
  readonly random: Random
}

/**
 * The registry of a data folder: `signers.json` for what the next pack shall say, `pending-pack.json` for the draft
 * that waits, both for their owner alone, and the private keys of the keystore. A file that is not there is empty.
 */
export function fileSignerRegistry(parts: SignersFileParts): SignerRegistry {
  const { paths, keystore, signer, random, external } = parts
  const { did } = signer
  return {
    plan: async () => {
      const read = await readOwnFile(paths.signers, planSchema)
      if (read === null) return NO_PLAN
      const { v: _version, ...plan } = read
      return plan
    },
    savePlan: async ({ threshold, keys, signed }: SignerPlan) => {
      await writeOwnFile(paths.signers, { v: 1, threshold, keys, signed })
    },
    held: async () => heldKeys((await keystore.open()).known, parts),
    newKey: async (uses, createdAt) => {
      const entry = newKey(uses, random, createdAt)
      const opened = await keystore.open()
      await opened.save(withKey(await opened.unlock(), entry))
      return { kid: entry.kid, publicKey: entry.publicKey, uses, createdAt }
    },
    signer: async (of) => {
      if (of === signer.kid) return signer
      const opened = await keystore.open()
      const elsewhere = opened.known.external?.find(({ kid: held }) => held === of)
      if (elsewhere !== undefined && external !== null) return external(elsewhere)
      return opened.known.keys.some(({ kid: held }) => held === of) ? signerOf(await opened.unlock(), did, of) : null
    },
    moveSigning: async (to) => {
      const opened = await keystore.open()
      await opened.save(withSigning(await opened.unlock(), to))
    },
    draft: async () => await readOwnFile(paths.pendingPack, draftSchema),
    saveDraft: async (draft: StoredDraft | null) => {
      if (draft === null) await rm(paths.pendingPack, { force: true })
      else await writeOwnFile(paths.pendingPack, draft)
    }
  }
}

function heldKeys(
  keystore: PublicKeystore,
  { signer, external }: Pick<SignersFileParts, 'signer' | 'external'>
): { readonly keys: readonly HeldKey[]; readonly signing: string } {
  const isExternalKid = (of: string): boolean => (keystore.external ?? []).some((entry) => entry.kid === of)
  const keys = [...(keystore.external ?? []), ...keystore.keys].flatMap(
    ({ kid: of, publicKey, purpose, createdAt }) => {
      const isExternal = isExternalKid(of) || (external !== null && of === signer.kid)
      const canBe = (use: KeyUse): boolean => isExternal || external === null || use !== 'event'
      const uses = KEY_USES.filter((use) => purpose.includes(use) && canBe(use))
      const held = { kid: of, publicKey, uses, createdAt }
      return uses.length === 0 ? [] : [isExternal ? { ...held, isExternal } : held]
    }
  )
  return { keys, signing: (externalEntry(keystore) ?? signingEntry(keystore)).kid }
}

async function writeOwnFile(path: string, value: object): Promise<void> {
  await writeAtomically(path, `${JSON.stringify(value, null, 2)}\n`, { mode: OWNER_ONLY })
}

/**
 * What the file holds, or `null` where there is none. Throws `SIGNERS_PERMISSIONS` where others could change it, because
 * it says which keys the organisation will have, and `SIGNERS_CORRUPT`.
 */
async function readOwnFile<Value>(path: string, schema: z.ZodType<Value>): Promise<Value | null> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return null
    throw cause
  })
  if (file === null) return null
  let text: string
  try {
    const stat = await file.stat()
    if (process.platform !== 'win32' && (stat.mode & 0o777) !== OWNER_ONLY) {
      throw new AnchormeshError(
        'SIGNERS_PERMISSIONS',
        `${path} has permissions ${(stat.mode & 0o777).toString(8).padStart(4, '0')}, but must have 0600`,
        { hint: `Look through it (anchormesh keys list once it is readable again), then: chmod 600 ${path}` }
      )
    }
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) throw corrupt(path, 'is none of this program')
    text = await file.readFile('utf8')
  } finally {
    await file.close()
  }
  const parsed = schema.safeParse(parseJson(path, text))
  if (parsed.success) return parsed.data
  const places = parsed.error.issues.map((issue) => issue.path.join('.') || 'the top level')
  throw corrupt(path, `is not of version 1 (see ${[...new Set(places)].join(', ')})`)
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw corrupt(path, 'is not JSON', cause)
  }
}

function corrupt(path: string, what: string, cause?: unknown): AnchormeshError {
  return new AnchormeshError('SIGNERS_CORRUPT', `${path} ${what}`, {
    hint:
      'Put it back from a backup, or move it away: keys that packs have published and private keys stay; what the next pack ' +
      'was to change has to be said again.',
    ...(cause === undefined ? {} : { cause })
  })
}

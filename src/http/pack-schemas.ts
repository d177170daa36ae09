/** The forms of requests and answers about keys and packs (see `schemas.ts`). */
import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import type { LastGood, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import {
  KEY_STATUSES,
  KEY_USES,
  LAST_GOOD_MAX,
  PACK_KEYS_MAX,
  REASON_BYTES_MAX
} from '../../protocols/event/v1/anchor-pack.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { KID_PATTERN } from '../../protocols/signature/v1/jws.ts'
import type {
  AddKeyRequest,
  DraftedPack,
  ListedSigner,
  PackDraft,
  PackPin,
  PackView,
  PinnedPack,
  PublishPackRequest,
  PublishedPack,
  RetireKeyRequest,
  RevokeKeyRequest,
  RotateKeyRequest,
  RotatedKey,
  SignersReport,
  TrustProof
} from '../packs/pack-operations.ts'

// Ten years: a pack that is valid for longer could not have been meant.
const VALID_DAYS_MAX = 3_660
/** An event as base64url. */
const EVENT_CHARACTERS_MAX = 65_536

const kid = z.string().regex(KID_PATTERN, 'is no kid')
const orgId = z.string().regex(NAME_PATTERN, 'is no organisation')
const hash = z.string().regex(HASH_PATTERN, 'is no hash')
const status = z.enum(KEY_STATUSES)
const uses = z.array(z.enum(KEY_USES)).min(1)
const threshold = z.int().min(1).max(PACK_KEYS_MAX)
const reason = z
  .string()
  .min(1)
  .refine(
    (text) => text.isWellFormed() && utf8(text).length <= REASON_BYTES_MAX,
    `is longer than ${REASON_BYTES_MAX} bytes`
  )

export const addKeyRequest: z.ZodType<AddKeyRequest> = z.strictObject({
  kid: kid.optional(),
  publicKey: z.string().max(64).optional(),
  uses: uses.optional(),
  notAfter: z.int().min(0).optional()
})
export const rotateKeyRequest: z.ZodType<RotateKeyRequest> = z.strictObject({
  kid: kid.optional(),
  reason: reason.optional()
})
export const retireKeyRequest: z.ZodType<RetireKeyRequest> = z.strictObject({ kid, reason: reason.optional() })
export const revokeKeyRequest: z.ZodType<RevokeKeyRequest> = z.strictObject({
  kid,
  reason,
  lastGood: z.union([z.enum(['all', 'none']), z.array(hash).min(1).max(LAST_GOOD_MAX)]).optional()
})
export const thresholdRequest = z.strictObject({ threshold })

export const publishPackRequest: z.ZodType<PublishPackRequest> = z.strictObject({
  threshold: threshold.optional(),
  delta: z.boolean().optional(),
  validDays: z.int().min(1).max(VALID_DAYS_MAX).optional(),
  with: z.array(kid).max(PACK_KEYS_MAX).optional(),
  discardDraft: z.boolean().optional(),
  recover: z.boolean().optional()
})

export const signPackQuery = z.strictObject({ discardDraft: z.stringbool().optional() })

export const packDraft: z.ZodType<PackDraft> = z.strictObject({
  v: z.literal(1),
  id: hash,
  event: z.string().min(1).max(EVENT_CHARACTERS_MAX),
  signatures: z.array(z.strictObject({ kid, signature: z.string().max(128) })).max(PACK_KEYS_MAX)
})

export const packQuery = z.strictObject({
  orgId: orgId.optional(),
  packSeq: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional()
})
export const trustProofQuery = z.strictObject({ orgId: orgId.optional(), kid })
export const packPin: z.ZodType<PackPin> = z.strictObject({
  orgId,
  packSeq: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  hash
})

const lastGood: z.ZodType<LastGood> = z.object({
  signer: z.string(),
  kid: z.string(),
  namespace: z.string(),
  authorSeq: z.int(),
  id: z.string()
})

const packKey: z.ZodType<PackKey> = z.object({
  kid: z.string(),
  publicKey: z.string(),
  status,
  uses,
  notBefore: z.number(),
  notAfter: z.number().exactOptional(),
  retiredAt: z.number().exactOptional(),
  revokedAt: z.number().exactOptional(),
  reason: z.string().exactOptional(),
  lastGood: z.array(lastGood).exactOptional()
})

export const listedSigner: z.ZodType<ListedSigner> = z.object({
  kid: z.string(),
  publicKey: z.string(),
  held: z.boolean(),
  signing: z.boolean(),
  inForce: packKey.nullable(),
  packSeq: z.int().nullable(),
  intended: z
    .object({
      status,
      uses,
      reason: z.string().nullable(),
      lastGood: z.union([z.literal('tips'), z.array(lastGood)]).nullable()
    })
    .nullable(),
  since: z.number().nullable()
})
export const rotatedKey: z.ZodType<RotatedKey> = z.object({ added: listedSigner, retired: listedSigner })

export const signersReport: z.ZodType<SignersReport> = z.object({
  orgId: z.string(),
  packSeq: z.int(),
  isFrozen: z.boolean(),
  threshold: z.int(),
  intendedThreshold: z.int().nullable(),
  draft: z.object({ packSeq: z.int(), packHash: z.string(), missing: z.array(z.string()) }).nullable(),
  signers: z.array(listedSigner)
})

const named = { orgId: z.string(), packSeq: z.int(), packHash: z.string() }
export const publishedPack: z.ZodType<PublishedPack> = z.object({
  id: z.string(),
  logSeq: z.int(),
  recipients: z.int(),
  ...named
})
export const draftedPack: z.ZodType<DraftedPack> = z.object({
  ...named,
  draft: packDraft,
  missing: z.array(z.string())
})

export const packView: z.ZodType<PackView> = z.object({
  orgId: z.string(),
  packSeq: z.int(),
  hash: z.string(),
  state: z.enum(['valid', 'frozen', 'draft', 'refused', 'waiting']),
  code: z.string().nullable(),
  kind: z.enum(['full', 'delta']).nullable(),
  prevPack: z.string().nullable(),
  threshold: z.int().nullable(),
  thresholdBefore: z.int().nullable(),
  validUntil: z.number().nullable(),
  isStale: z.boolean(),
  root: z.string().nullable(),
  signers: z.array(z.object({ kid: z.string(), hasSigned: z.boolean() })),
  eventId: z.string().nullable(),
  signer: z.string().nullable(),
  ts: z.number().nullable(),
  keys: z.array(packKey),
  changes: z.array(
    z.object({ kid: z.string(), before: status.nullable(), after: status, members: z.array(z.string()) })
  )
})
export const packViews: z.ZodType<readonly PackView[]> = z.array(packView)

export const trustProof: z.ZodType<TrustProof> = z.object({
  ...named,
  root: z.string(),
  threshold: z.int(),
  validUntil: z.number(),
  event: z.string(),
  key: packKey,
  index: z.int(),
  treeSize: z.int(),
  path: z.array(z.string())
})

export const pinnedPack: z.ZodType<PinnedPack> = z.object({
  orgId: z.string(),
  packSeq: z.int(),
  hash: z.string(),
  isKnown: z.boolean(),
  isChanged: z.boolean(),
  isInForce: z.boolean()
})

import { leafHash, merkleRoot } from '../../batch/v1/merkle.ts'
import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import { fromBase64url, toHex, utf8 } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { isAscendingKids, KID_PATTERN } from '../../signature/v1/jws.ts'
import { PUBLIC_KEY_BYTES } from '../../signature/v1/public-key.ts'
import { NAME_PATTERN } from './announce.ts'
import { HASH_PATTERN, isDid, isNamespace } from './envelope.ts'

/**
 * Most keys of one organisation. Each machine and each replaced key counts; as many as fit into an event with their
 * shortest entries, so the limit is hit at a round number rather than by bytes.
 */
export const PACK_KEYS_MAX = 256

/**
 * Most bytes of all keys that result from a pack, as canonical JSON: as many as an event has. A delta names few keys
 * and leaves all of them in force, and nodes keep that set for each pack; without a bound small deltas would make them
 * keep gigabytes.
 */
export const PACK_KEYS_BYTES_MAX = 49_152

/**
 * Most last good events of one key. A key signs one chain in each namespace that it is used in, and organisations use
 * a handful of these; 64 entries with names of usual length are about 16 KiB, a third of what all keys may have.
 */
export const LAST_GOOD_MAX = 64

/** Longest reason in UTF-8 bytes: a sentence for people, not a document. */
export const REASON_BYTES_MAX = 256

/** The lifecycle of a trust anchor, which only goes forward. */
export const KEY_STATUSES = ['ACTIVE', 'RETIRED', 'REVOKED'] as const
export type KeyStatus = (typeof KEY_STATUSES)[number]

/** What a key may sign: events, packs. In ascending order, as it stands in a pack. */
export const KEY_USES = ['event', 'pack'] as const
export type KeyUse = (typeof KEY_USES)[number]

/** The last event of a chain that a retired or revoked key still vouches for; its ancestors are good with it. */
export interface LastGood {
  readonly signer: string
  readonly kid: string
  readonly namespace: string
  readonly authorSeq: number
  readonly id: string
}

/** One trust anchor as a pack says it. Times are integer milliseconds since 1970 and inform; they decide nothing. */
export interface PackKey {
  readonly kid: string
  /** Ed25519, 32 bytes as base64url. */
  readonly publicKey: string
  readonly status: KeyStatus
  /** Ascending, at least one. */
  readonly uses: readonly KeyUse[]
  readonly notBefore: number
  readonly notAfter?: number
  /** Only of retired and revoked keys. */
  readonly retiredAt?: number
  /** Only of revoked keys. */
  readonly revokedAt?: number
  /** Only of retired and revoked keys. */
  readonly reason?: string
  /** Only of retired and revoked keys; at most 64, absent means none. */
  readonly lastGood?: readonly LastGood[]
}

/** The body of an `anchor-pack`: an organisation's trust anchors, or what changed in them. */
export interface AnchorPack {
  readonly orgId: string
  /** Position in the organisation's packs, from 1. */
  readonly packSeq: number
  /** `packHash` of the pack before; null at position 1. */
  readonly prevPack: string | null
  /** All keys, or only those that are new or changed. */
  readonly kind: 'full' | 'delta'
  /** Ascending by kid. */
  readonly keys: readonly PackKey[]
  /** How many keys with the use `pack` must sign the next pack. */
  readonly threshold: number
  /** Milliseconds since 1970; past it the keys are shown as stale. */
  readonly validUntil: number
  /** `packRoot` of what results. */
  readonly root: string
  /** Who signed this event, ascending. */
  readonly signingKids: readonly string[]
}

export type AnchorPackReading =
  | { readonly ok: true; readonly pack: AnchorPack }
  | { readonly ok: false; readonly code: 'BODY_INVALID'; readonly detail: string }

const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const KID: Member = { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid' }
const TIME: Member = {
  is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
  expected: 'milliseconds since 1970'
}
const POSITION: Member = {
  is: (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER),
  expected: 'an integer from 1'
}
const OPTIONAL_TIME: Member = { ...TIME, optional: true }

const PACK_SHAPE: Shape = {
  keys: {
    is: (value) => Array.isArray(value) && value.length <= PACK_KEYS_MAX,
    expected: `a list of at most ${PACK_KEYS_MAX}`
  },
  kind: { is: (value) => value === 'full' || value === 'delta', expected: 'full or delta' },
  orgId: { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'an organisation id' },
  packSeq: POSITION,
  prevPack: { is: (value) => value === null || HASH.is(value), expected: 'a hash or null' },
  root: HASH,
  signingKids: { is: (value) => isAscendingKids(value) && value.length > 0, expected: 'ascending kids, at least one' },
  threshold: {
    is: (value) => isIntegerBetween(value, 1, PACK_KEYS_MAX),
    expected: `an integer from 1 to ${PACK_KEYS_MAX}`
  },
  validUntil: TIME
}

const KEY_SHAPE: Shape = {
  kid: KID,
  lastGood: {
    is: (value) => Array.isArray(value) && value.length <= LAST_GOOD_MAX,
    expected: `a list of at most ${LAST_GOOD_MAX}`,
    optional: true
  },
  notAfter: OPTIONAL_TIME,
  notBefore: TIME,
  publicKey: {
    is: (value) => typeof value === 'string' && fromBase64url(value)?.length === PUBLIC_KEY_BYTES,
    expected: `base64url of ${PUBLIC_KEY_BYTES} bytes`
  },
  reason: {
    is: (value) => typeof value === 'string' && utf8(value).length <= REASON_BYTES_MAX,
    expected: `text of at most ${REASON_BYTES_MAX} bytes`,
    optional: true
  },
  retiredAt: OPTIONAL_TIME,
  revokedAt: OPTIONAL_TIME,
  status: { is: (value) => KEY_STATUSES.some((status) => status === value), expected: KEY_STATUSES.join(', ') },
  uses: { is: isUses, expected: 'event, pack or both, ascending' }
}

const LAST_GOOD_SHAPE: Shape = {
  authorSeq: POSITION,
  id: HASH,
  kid: KID,
  namespace: { is: isNamespace, expected: 'a namespace' },
  signer: { is: isDid, expected: 'a DID' }
}

/** Members that a key may have only in these states. */
const MEMBERS_OF_STATUS: Readonly<Record<KeyStatus, readonly string[]>> = {
  ACTIVE: ['retiredAt', 'revokedAt', 'reason', 'lastGood'],
  RETIRED: ['revokedAt'],
  REVOKED: []
}

/**
 * Reads the body of an `anchor-pack` (SPEC EV-30 to EV-34): its form alone. Whether keys are good ones, follow from
 * the pack before and give its root is for the keyring to say.
 */
export function parseAnchorPack(body: JsonObject): AnchorPackReading {
  const problem = packProblem(body)
  if (problem !== null) return { ok: false, code: 'BODY_INVALID', detail: problem }
  return { ok: true, pack: body as unknown as AnchorPack }
}

/** What a pack is known by, hex: SHA-256 of its canonical body. The same in whatever event it comes. */
export function packHash(body: AnchorPack | JsonObject): string {
  return sha256Hex(encodeCanonical(body))
}

/**
 * The Merkle root (hex) over an organisation's resulting trust anchors: leaf 0 is the canonical JSON of `orgId` and
 * `threshold`, then each key's in ascending order of kid, in whatever order they are given.
 */
export function packRoot(resulting: Pick<AnchorPack, 'orgId' | 'threshold' | 'keys'>): string {
  return toHex(merkleRoot(packLeaves(resulting)))
}

/** The hashes of the leaves under the pack root, in their order. */
export function packLeaves({ orgId, threshold, keys }: Pick<AnchorPack, 'orgId' | 'threshold' | 'keys'>): Uint8Array[] {
  const ordered = keys.toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
  return [{ orgId, threshold }, ...ordered].map((leaf) => leafHash(utf8(encodeCanonical(leaf))))
}

/** Bytes of an organisation's resulting trust anchors as canonical JSON, in one list; in whatever order they are. */
export function packKeysBytes(keys: readonly PackKey[]): number {
  return utf8(encodeCanonical(keys)).length
}

function packProblem(body: JsonObject): string | null {
  const problem = shapeProblem(body, PACK_SHAPE, 'pack')
  if (problem !== null) return problem
  const pack = body as unknown as AnchorPack
  if ((pack.prevPack === null) !== (pack.packSeq === 1)) return 'pack.prevPack: null at packSeq 1 and only there'
  if (pack.packSeq === 1 && pack.kind !== 'full') return 'pack.kind: the first pack is full'
  if (pack.kind === 'full' && pack.keys.length === 0) return 'pack.keys: a full pack has at least one'
  for (const [index, key] of pack.keys.entries()) {
    const name = `pack.keys[${index}]`
    const keyProblemFound = keyProblem(key as unknown as JsonValue, name)
    if (keyProblemFound !== null) return keyProblemFound
    const before = pack.keys[index - 1]
    if (before !== undefined && before.kid >= key.kid) return `${name}.kid: not above the one before`
  }
  return null
}

function keyProblem(value: JsonValue, name: string): string | null {
  const problem = shapeProblem(value, KEY_SHAPE, name)
  if (problem !== null) return problem
  const key = value as unknown as PackKey
  const misplaced = MEMBERS_OF_STATUS[key.status].find((member) => Object.hasOwn(key, member))
  if (misplaced !== undefined) return `${name}.${misplaced}: not for a key that is ${key.status}`
  for (const [index, lastGood] of (key.lastGood ?? []).entries()) {
    const lastGoodProblem = shapeProblem(
      lastGood as unknown as JsonValue,
      LAST_GOOD_SHAPE,
      `${name}.lastGood[${index}]`
    )
    if (lastGoodProblem !== null) return lastGoodProblem
  }
  return null
}

function isUses(value: JsonValue): boolean {
  if (!Array.isArray(value) || value.length === 0) return false
  const uses = value as readonly JsonValue[]
  return JSON.stringify(KEY_USES.filter((use) => uses.includes(use))) === JSON.stringify(uses)
}

import { RECEIPT_BYTES_MAX } from '../../batch/v1/receipt.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { firstViolation } from '../../canonical-json/v1/scan.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import type { TimestampAnchor } from '../../event/v1/announce.ts'
import { NAME_PATTERN } from '../../event/v1/announce.ts'
import { EVENT_BYTES_MAX, HASH_PATTERN, isDid, NAMESPACE_PATTERN } from '../../event/v1/envelope.ts'
import { timestampAnchorProblem } from '../../event/v1/timestamp-anchor.ts'
import { isBase64url } from '../../primitives/bytes.ts'

/** What a file of this protocol calls itself. */
export const PROOF_TYPE = 'anchormesh-proof'

/**
 * Largest file in bytes. Seventeen whole events as base64url are 1.1 MiB, a record whose every character needs an escape
 * is 384 KiB; the rest is for timestamp anchors whose evidence stood by hash, and for attestations.
 */
export const PROOF_BYTES_MAX = 4_194_304

/** Most timestamp anchors: one announce has as many. */
export const PROOF_ANCHORS_MAX = 16

/** Most announcements: one for each timestamp anchor, and the owner's. */
export const PROOF_ANNOUNCEMENTS_MAX = 17

/** Most attestations: quorums are a handful, and nothing is proven by them. */
export const PROOF_ATTESTATIONS_MAX = 64

/** Longest path: RFC 9162 trees of 2^53 leaves. */
const PATH_MAX = 53

/** Longest text of what the writing node saw of a timestamp anchor: the bound of a verdict's evidence. */
export const SEEN_CHARACTERS_MAX = 16_384

/** The receipt, and where its leaf stands. */
export type ProvenReceipt = {
  /** The bytes of the record (batch/v1), as text. */
  readonly record: string
  /** Hashes in hex. */
  readonly leafHash: string
  /** Position of the leaf, from 0. */
  readonly index: number
  /** How many leaves the batch has. */
  readonly treeSize: number
  /** Sibling hashes from the leaf up (BAT-8). */
  readonly path: readonly string[]
}

/** What helps to check a timestamp anchor without asking anybody. */
export type Supplement = {
  /** Bitcoin: the 80 bytes of the block's header, hex. */
  readonly header?: string
  /** What the writing node saw and asked, as JSON text: informative. */
  readonly seen?: string
}

/** Evidence that the root existed. */
export type ProvenAnchor = { readonly timestampAnchor: TimestampAnchor; readonly supplement?: Supplement }

/** What the node that wrote the file says: no proof of anything. */
export type ProofClaims = {
  /** The node's DID. */
  readonly by: string
  /** The position of its log at which it says so. */
  readonly logSeq: number
  /** Digest of the namespace's policy there, or `null` where it had none. */
  readonly policyDigest: string | null
  readonly standing: 'proven' | 'unproven'
  /** A word. */
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly provenTime: number | null
  readonly chainId: string | null
  /** What decided the batch there, or `null`. */
  readonly winner: { readonly chainId: string; readonly evidenceId: string; readonly evidenceHash: string } | null
}

/** One receipt with all that proves when it existed at the latest, and under whose root (SPEC PR-4 to PR-8). */
export type Proof = {
  readonly v: 1
  readonly type: typeof PROOF_TYPE
  readonly namespace: string
  readonly owner: string
  /** Who announced the root for the owner; `null` where nobody did. */
  readonly ownerDid: string | null
  readonly batchId: string
  /** Hex. */
  readonly batchRoot: string
  readonly receipt: ProvenReceipt
  /** Wire bytes of announces (event/v1), base64url. */
  readonly announcements: readonly string[]
  readonly timestampAnchors: readonly ProvenAnchor[]
  /** Wire bytes of attestations (event/v1), base64url. */
  readonly attestations?: readonly string[]
  readonly claims?: ProofClaims
}

export type ProofCode =
  | 'PROOF_TOO_LARGE'
  | 'MALFORMED'
  | 'DUPLICATE_KEY'
  | 'NUMBER_NOT_IJSON'
  | 'LONE_SURROGATE'
  | 'UNKNOWN_VERSION'
  | 'PROOF_INVALID'

export type ProofDecoding =
  | { readonly ok: true; readonly proof: Proof }
  | { readonly ok: false; readonly code: ProofCode; readonly detail: string }

const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const NAME: Member = { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'a name' }
const OBJECT: Member = { is: isJsonObject, expected: 'an object' }
const EVENT_CHARACTERS_MAX = Math.ceil((EVENT_BYTES_MAX * 4) / 3)

const PROOF_SHAPE: Shape = {
  announcements: eventsOf(PROOF_ANNOUNCEMENTS_MAX),
  attestations: { ...eventsOf(PROOF_ATTESTATIONS_MAX), optional: true },
  batchId: NAME,
  batchRoot: HASH,
  claims: { ...OBJECT, optional: true },
  namespace: { is: (value) => isStringLike(value, NAMESPACE_PATTERN), expected: 'a namespace' },
  owner: NAME,
  ownerDid: { is: (value) => value === null || isDid(value), expected: 'a DID or null' },
  receipt: OBJECT,
  timestampAnchors: {
    is: (value) => Array.isArray(value) && value.length <= PROOF_ANCHORS_MAX,
    expected: `a list of at most ${PROOF_ANCHORS_MAX}`
  },
  type: { is: (value) => value === PROOF_TYPE, expected: PROOF_TYPE },
  v: { is: (value) => value === 1, expected: '1' }
}

const RECEIPT_SHAPE: Shape = {
  index: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an integer from 0' },
  leafHash: HASH,
  path: {
    is: (value) => Array.isArray(value) && value.length <= PATH_MAX && value.every(HASH.is),
    expected: `a list of at most ${PATH_MAX} hashes`
  },
  record: {
    is: (value) => typeof value === 'string' && value !== '' && value.length <= RECEIPT_BYTES_MAX,
    expected: 'a receipt record'
  },
  treeSize: { is: (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER), expected: 'an integer from 1' }
}

const ANCHOR_SHAPE: Shape = { supplement: { ...OBJECT, optional: true }, timestampAnchor: OBJECT }

const SEEN: Member = {
  is: (value) => typeof value === 'string' && value.length <= SEEN_CHARACTERS_MAX,
  expected: `a text of at most ${SEEN_CHARACTERS_MAX} characters`,
  optional: true
}
const HEADER: Member = {
  is: (value) => isStringLike(value, /^[0-9a-f]{160}$/),
  expected: '80 bytes in hex',
  optional: true
}

const CHAIN_ID: Member = { is: (value) => isStringLike(value, /^[a-z0-9:._-]{1,80}$/), expected: 'a chain id' }

const CLAIMS_SHAPE: Shape = {
  by: { is: isDid, expected: 'a DID' },
  chainId: { is: (value) => value === null || CHAIN_ID.is(value), expected: 'a chain id or null' },
  logSeq: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an integer from 0' },
  policyDigest: { is: (value) => value === null || HASH.is(value), expected: 'a hash or null' },
  provenTime: {
    is: (value) => value === null || isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
    expected: 'a time or null'
  },
  reason: { is: (value) => isStringLike(value, /^[a-z][a-z-]{0,63}$/), expected: 'a word' },
  standing: { is: (value) => value === 'proven' || value === 'unproven', expected: 'proven or unproven' },
  winner: {
    is: (value) =>
      value === null ||
      shapeProblem(value, { chainId: CHAIN_ID, evidenceHash: HASH, evidenceId: HASH }, 'winner') === null,
    expected: 'a winner or null'
  }
}

// A byte order mark is kept, so that JSON.parse refuses it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The file of a proof: JSON for people and machines, with a line feed at the end. */
export function encodeProof(proof: Proof): string {
  return `${JSON.stringify(proof, null, 2)}\n`
}

/**
 * Reads a file by SPEC PR-1 to PR-8, in that order; the first rule that fails gives the code. What it proves is not yet
 * looked at.
 */
export function decodeProof(bytes: Uint8Array): ProofDecoding {
  // [REJECT] PR-1: size.
  if (bytes.length > PROOF_BYTES_MAX) return refused('PROOF_TOO_LARGE', `${bytes.length} bytes`)
  // [REJECT] PR-2: one I-JSON text.
  let text: string
  let value: JsonValue
  try {
    text = decoder.decode(bytes)
    value = JSON.parse(text) as JsonValue
  } catch (error) {
    return refused('MALFORMED', (error as Error).message)
  }
  const violation = firstViolation(text)
  if (violation !== null) return { ok: false, ...violation }
  // [REJECT] PR-3: what it is.
  if (!isJsonObject(value) || value['type'] !== PROOF_TYPE) return refused('PROOF_INVALID', `no ${PROOF_TYPE}`)
  if (isIntegerBetween(value['v'], 2, Number.MAX_SAFE_INTEGER))
    return refused('UNKNOWN_VERSION', `version ${value['v']}`)
  // [REJECT] PR-4 to PR-8: exactly the members, of the right form.
  const problem = proofProblem(value)
  return problem === null ? { ok: true, proof: value as unknown as Proof } : refused('PROOF_INVALID', problem)
}

function proofProblem(value: JsonValue): string | null {
  const problem = shapeProblem(value, PROOF_SHAPE, 'proof')
  if (problem !== null) return problem
  const { receipt, timestampAnchors, claims } = value as unknown as Record<'receipt' | 'claims', JsonValue> & {
    readonly timestampAnchors: readonly JsonValue[]
  }
  const inner = shapeProblem(receipt, RECEIPT_SHAPE, 'receipt')
  if (inner !== null) return inner
  for (const [index, entry] of timestampAnchors.entries()) {
    const broken = anchorProblem(entry, `timestampAnchors[${index}]`)
    if (broken !== null) return broken
  }
  return claims === undefined ? null : shapeProblem(claims, CLAIMS_SHAPE, 'claims')
}

function anchorProblem(entry: JsonValue, name: string): string | null {
  const problem = shapeProblem(entry, ANCHOR_SHAPE, name)
  if (problem !== null) return problem
  const { timestampAnchor, supplement } = entry as unknown as { timestampAnchor: JsonValue; supplement?: JsonValue }
  const broken = timestampAnchorProblem(timestampAnchor, `${name}.timestampAnchor`)
  if (broken !== null || supplement === undefined) return broken
  const isBitcoin = (timestampAnchor as unknown as TimestampAnchor).chainId.startsWith('btc:')
  return shapeProblem(supplement, isBitcoin ? { header: HEADER, seen: SEEN } : { seen: SEEN }, `${name}.supplement`)
}

function eventsOf(most: number): Member {
  return {
    is: (value) =>
      Array.isArray(value) &&
      value.length <= most &&
      (value as readonly JsonValue[]).every(
        (text) => typeof text === 'string' && text !== '' && text.length <= EVENT_CHARACTERS_MAX && isBase64url(text)
      ),
    expected: `a list of at most ${most} events`
  }
}

function refused(code: ProofCode, detail: string): ProofDecoding {
  return { ok: false, code, detail }
}

import { decodeReceipt, RECEIPT_BYTES_MAX } from '../../batch/v1/receipt.ts'
import { leafHash } from '../../batch/v1/merkle.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { EVENT_BYTES_MAX, HASH_PATTERN } from '../../event/v1/envelope.ts'
import { fromBase64url, fromHex, isBase64url, toHex } from '../../primitives/bytes.ts'
import { PROOF_HASHES_MAX, rootOfRange } from './range-proof.ts'
import { BATCH_SHAPE, isPlace, SIGNED_SHAPE } from './request.ts'
import type { BatchRoot, Place } from './request.ts'
import { decodeSigned, encodeSigned } from './signed.ts'
import type { UnverifiedSignature } from './signed.ts'

/** Largest page in bytes: hundreds of ordinary receipts at once, and memory for many pages under way. */
export const PAGE_BYTES_MAX = 1_048_576
/** Most parts of one page: as many as a request has wants. */
export const PARTS_MAX = 64
/** Most announces with a part: the owner's, and those that added timestamp anchors. 8 of 48 KiB are half a page. */
export const ANNOUNCES_MAX = 8

/** A leaf of a page: the receipt's record, base64url, or its hash alone where the server does not have the record. */
export type PageLeaf = { readonly record: string } | { readonly leafHash: string }

/** Consecutive leaves of a batch, with what proves them. */
export type PagePart = BatchRoot & {
  readonly receiptCount: number
  /** The index of the first leaf. */
  readonly from: number
  readonly leaves: readonly PageLeaf[]
  /** Hashes, hex (SPEC BU-14). */
  readonly proof: readonly string[]
  /** Wire bytes of announces, base64url; only where `from` is 0. */
  readonly announces: readonly string[]
}

/** An answer to a request (SPEC BU-10). */
export type BundlePage = {
  readonly v: 1
  readonly namespace: string
  readonly signer: string
  readonly kid: string
  readonly audience: string
  /** Milliseconds since 1970. */
  readonly ts: number
  /** SHA-256 of the canonical bytes of the request, hex. */
  readonly request: string
  readonly parts: readonly PagePart[]
  /** The first leaf that had no room. */
  readonly next: Place | null
}

/** A page whose form is right. Its signature and its receipts are not yet checked. */
export interface DecodedPage {
  readonly page: BundlePage
  readonly signature: UnverifiedSignature
}

export type PageDecoding =
  | { readonly ok: true; readonly decoded: DecodedPage }
  | { readonly ok: false; readonly code: 'too-big' | 'bad-request'; readonly detail: string }

/** A leaf that stands under the batch's root. */
export interface ProvenLeaf {
  readonly index: number
  /** Hex. */
  readonly leafHash: string
  /** The receipt record; null where the server did not have it. */
  readonly record: Uint8Array | null
}

const COUNT = { is: (value: JsonValue) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER), expected: 'a count' }
const INDEX = { is: (value: JsonValue) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an index' }
// Base64url has four characters for three bytes.
const textLength = (bytes: number): number => Math.ceil((bytes * 4) / 3)

const PART_SHAPE: Shape = {
  ...BATCH_SHAPE,
  announces: {
    is: (value) => isListOf(value, ANNOUNCES_MAX, (text) => isBytes(text, EVENT_BYTES_MAX)),
    expected: `a list of at most ${ANNOUNCES_MAX} events`
  },
  from: INDEX,
  leaves: {
    is: (value) => Array.isArray(value) && value.length > 0 && (value as readonly JsonValue[]).every(isLeaf),
    expected: 'a list of leaves'
  },
  proof: {
    is: (value) => isListOf(value, PROOF_HASHES_MAX, (hash) => isStringLike(hash, HASH_PATTERN)),
    expected: `a list of at most ${PROOF_HASHES_MAX} hashes`
  },
  receiptCount: COUNT
}

const PAGE_SHAPE: Shape = {
  ...SIGNED_SHAPE,
  next: { is: (value) => value === null || isPlace(value), expected: 'a place or null' },
  parts: {
    is: (value) => Array.isArray(value) && value.length <= PARTS_MAX,
    expected: `a list of at most ${PARTS_MAX}`
  },
  request: { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
}

/** Signs a page. Rejects as `sign` does. */
export async function encodePage(
  page: BundlePage,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<Uint8Array> {
  return (await encodeSigned(page, 'bundle-page', sign)).wire
}

/** Reads a page by SPEC BU-1 to BU-3 and BU-10 to BU-12; its signature and its proofs are not looked at. */
export function decodePage(wire: Uint8Array): PageDecoding {
  const decoding = decodeSigned(wire, 'bundle-page', PAGE_BYTES_MAX)
  if (!decoding.ok) return decoding
  const { value, signature } = decoding.signed
  const problem = pageProblem(value)
  if (problem !== null) return { ok: false, code: 'bad-request', detail: problem }
  return { ok: true, decoded: { page: value as unknown as BundlePage, signature } }
}

/**
 * The leaves of a part, once they are proven to stand under its root in a batch of `receiptCount` (SPEC BU-14, BU-15);
 * otherwise what is wrong with it.
 */
export function provenLeaves(
  part: PagePart,
  receiptCount: number
): { readonly ok: true; readonly leaves: readonly ProvenLeaf[] } | { readonly ok: false; readonly detail: string } {
  if (part.receiptCount !== receiptCount)
    return { ok: false, detail: `receiptCount ${part.receiptCount}, announced are ${receiptCount}` }
  const leaves: ProvenLeaf[] = []
  const hashes: Uint8Array[] = []
  for (const [offset, leaf] of part.leaves.entries()) {
    const record = 'record' in leaf ? (fromBase64url(leaf.record) ?? new Uint8Array()) : null
    // [REJECT] BU-15.
    const read = record === null ? null : decodeReceipt(record)
    if (read?.ok === false) return { ok: false, detail: `leaf ${part.from + offset}: ${read.code}: ${read.detail}` }
    const hash = record === null ? bytesOf((leaf as { leafHash: string }).leafHash) : leafHash(record)
    hashes.push(hash)
    leaves.push({ index: part.from + offset, leafHash: toHex(hash), record })
  }
  // [REJECT] BU-14.
  const root = rootOfRange(receiptCount, part.from, hashes, part.proof.map(bytesOf))
  if (root === null || toHex(root) !== part.batchRoot)
    return { ok: false, detail: 'the leaves do not stand under the root' }
  return { ok: true, leaves }
}

function pageProblem(value: JsonObject): string | null {
  // [REJECT] BU-10.
  const problem = shapeProblem(value, PAGE_SHAPE, 'page')
  if (problem !== null) return problem
  // [REJECT] BU-11, BU-12.
  for (const [index, part] of (value['parts'] as readonly JsonValue[]).entries()) {
    const name = `page.parts[${index}]`
    const wrong = shapeProblem(part, PART_SHAPE, name)
    if (wrong !== null) return wrong
    const { from, announces } = part as PagePart
    if (from > 0 && announces.length > 0) return `${name}.announces: only where from is 0`
  }
  return null
}

function isLeaf(value: JsonValue): boolean {
  if (!isJsonObject(value) || Object.keys(value).length !== 1) return false
  return isBytes(value['record'], RECEIPT_BYTES_MAX) || isStringLike(value['leafHash'], HASH_PATTERN)
}

function isBytes(value: JsonValue | undefined, bytesMax: number): boolean {
  return typeof value === 'string' && value !== '' && value.length <= textLength(bytesMax) && isBase64url(value)
}

function isListOf(value: JsonValue, most: number, is: (element: JsonValue) => boolean): boolean {
  return Array.isArray(value) && value.length <= most && (value as readonly JsonValue[]).every(is)
}

function bytesOf(hash: string): Uint8Array {
  return fromHex(hash) ?? new Uint8Array()
}

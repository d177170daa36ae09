import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { NAME_PATTERN } from '../../event/v1/announce.ts'
import { HASH_PATTERN, isDid, isNamespace } from '../../event/v1/envelope.ts'
import { fromBase64url } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'
import { decodeSigned, encodeSigned } from './signed.ts'
import type { UnverifiedSignature } from './signed.ts'

/** Largest request in bytes: 64 wants with the longest names are 40 KiB. */
export const REQUEST_BYTES_MAX = 65_536
/** Most wants of one request: as many gaps of a batch as are worth one page. */
export const WANTS_MAX = 64
/** So many random bytes are never drawn twice. */
export const NONCE_BYTES = 16

/** A root that the owner of a batch announced for it. */
export type BatchRoot = {
  readonly owner: string
  readonly batchId: string
  /** Hex. */
  readonly batchRoot: string
}

/** The leaves `from` ≤ index < `to` of a batch. */
export type Want = BatchRoot & { readonly from: number; readonly to: number }

/** A leaf in the order of all batches of a namespace (SPEC BU-9). */
export type Place = BatchRoot & { readonly index: number }

/** A request for receipts (SPEC BU-4). Times are milliseconds since 1970. */
export type BundleRequest = {
  readonly v: 1
  readonly namespace: string
  readonly signer: string
  readonly kid: string
  readonly audience: string
  readonly ts: number
  /** 16 random bytes, base64url. */
  readonly nonce: string
  /** In the order in which they are to be answered; without it all batches are asked for. */
  readonly want?: readonly Want[]
  readonly fromTs?: number
  readonly toTs?: number
  readonly after?: Place
}

/** A request whose form is right. Whether its signature is good and its signer may ask is not yet known. */
export interface DecodedRequest {
  readonly request: BundleRequest
  /** SHA-256 of the canonical bytes, hex: the page names it. */
  readonly hash: string
  readonly signature: UnverifiedSignature
}

export type RequestDecoding =
  | { readonly ok: true; readonly decoded: DecodedRequest }
  | { readonly ok: false; readonly code: 'too-big' | 'bad-request'; readonly detail: string }

const INDEX = { is: (value: JsonValue) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an integer' }
const NAME = { is: (value: JsonValue) => isStringLike(value, NAME_PATTERN), expected: 'a name' }
const HASH = { is: (value: JsonValue) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const DID = { is: isDid, expected: 'a DID' }

/** The members that name a batch. */
export const BATCH_SHAPE: Shape = { batchId: NAME, batchRoot: HASH, owner: NAME }
const PLACE_SHAPE: Shape = { ...BATCH_SHAPE, index: INDEX }
const WANT_SHAPE: Shape = { ...BATCH_SHAPE, from: INDEX, to: INDEX }
/** What a request and a page have in common. */
export const SIGNED_SHAPE: Shape = {
  audience: DID,
  kid: { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid' },
  namespace: { is: isNamespace, expected: 'a namespace' },
  signer: DID,
  ts: INDEX,
  v: { is: (value) => value === 1, expected: '1' }
}
const REQUEST_SHAPE: Shape = {
  ...SIGNED_SHAPE,
  after: { is: isPlace, expected: 'a place', optional: true },
  fromTs: { ...INDEX, optional: true },
  nonce: {
    is: (value) => typeof value === 'string' && fromBase64url(value)?.length === NONCE_BYTES,
    expected: `base64url of ${NONCE_BYTES} bytes`
  },
  toTs: { ...INDEX, optional: true },
  want: {
    is: (value) => Array.isArray(value) && value.length >= 1 && value.length <= WANTS_MAX,
    expected: `a list of 1 to ${WANTS_MAX}`,
    optional: true
  }
}

/** Whether the value is a place (SPEC BU-9). */
export function isPlace(value: JsonValue | undefined): value is Place {
  return shapeProblem(value, PLACE_SHAPE, 'place') === null
}

/** Signs a request. `hash` is what its page will name. Rejects as `sign` does. */
export async function encodeRequest(
  request: BundleRequest,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<{ readonly wire: Uint8Array; readonly hash: string }> {
  const { wire, canonical } = await encodeSigned(request, 'bundle-request', sign)
  return { wire, hash: sha256Hex(canonical) }
}

/** Reads a request by SPEC BU-1 to BU-5; the first rule that fails gives the code. The signature is not verified. */
export function decodeRequest(wire: Uint8Array): RequestDecoding {
  const decoding = decodeSigned(wire, 'bundle-request', REQUEST_BYTES_MAX)
  if (!decoding.ok) return decoding
  const { value, canonical, signature } = decoding.signed
  const problem = requestProblem(value)
  if (problem !== null) return { ok: false, code: 'bad-request', detail: problem }
  const request = value as unknown as BundleRequest
  return { ok: true, decoded: { request, hash: sha256Hex(canonical), signature } }
}

function requestProblem(value: JsonObject): string | null {
  // [REJECT] BU-4.
  const problem = shapeProblem(value, REQUEST_SHAPE, 'request')
  if (problem !== null) return problem
  if (value['want'] === undefined) return null
  for (const other of ['after', 'fromTs', 'toTs'])
    if (value[other] !== undefined) return `request.${other}: only without want`
  // [REJECT] BU-5.
  for (const [index, want] of (value['want'] as readonly JsonValue[]).entries()) {
    const name = `request.want[${index}]`
    const wrong = shapeProblem(want, WANT_SHAPE, name)
    if (wrong !== null) return wrong
    const { from, to } = want as Want
    if (to <= from) return `${name}.to: not above from`
  }
  return null
}

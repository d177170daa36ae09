import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { isDid, isNamespace, TRUST_NAMESPACE } from '../../event/v1/envelope.ts'
import { fromBase64url } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'
import { decodeSignedBody, encodeSignedBody } from './signed-body.ts'
import type { SignedBodyCode, UnverifiedSignature } from './signed-body.ts'

/** So many random bytes are never drawn twice. */
export const NONCE_BYTES = 16
/** Nobody guesses so many random bytes. */
export const TOKEN_BYTES = 32
/** How long a token is good (SPEC DE-15): to sign and send a delivery takes a second, and a slow line some more. */
export const TOKEN_LIVES_MS = 60_000

/** A request for a token (SPEC DE-5). Times are milliseconds since 1970. */
export type Challenge = {
  readonly v: 1
  readonly signer: string
  readonly kid: string
  /** The DID of the node that is asked. */
  readonly audience: string
  readonly ts: number
  /** 16 random bytes, base64url. */
  readonly nonce: string
}

/** A payload for a node (SPEC DE-6). */
export type Delivery = Challenge & {
  readonly namespace: string
  readonly payload: JsonObject
  /** 32 bytes, base64url: what the answer to the challenge gave. */
  readonly token: string
}

/** A request whose form is right. Whether its signature is good and its sender known is not yet known. */
export interface DecodedSigned<Request> {
  readonly request: Request
  /** What is signed, and of a delivery what is stored. */
  readonly canonical: Uint8Array
  /** SHA-256 of `canonical`, hex: of a delivery the one that its receipt names. */
  readonly hash: string
  readonly signature: UnverifiedSignature
}

export type SignedDecoding<Request> =
  | { readonly ok: true; readonly decoded: DecodedSigned<Request> }
  | { readonly ok: false; readonly code: SignedBodyCode; readonly detail: string }

type Sign = (input: Uint8Array) => Promise<Uint8Array>

const DID = { is: isDid, expected: 'a DID' }

/** The members of every signed request. */
export const REQUEST_SHAPE: Shape = {
  audience: DID,
  kid: { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid' },
  nonce: { is: (value) => isBytes(value, NONCE_BYTES), expected: `base64url of ${NONCE_BYTES} bytes` },
  signer: DID,
  ts: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'a time' },
  v: { is: (value) => value === 1, expected: '1' }
}
const DELIVERY_SHAPE: Shape = {
  ...REQUEST_SHAPE,
  namespace: { is: (value) => isNamespace(value) && value !== TRUST_NAMESPACE, expected: 'a namespace' },
  payload: { is: isJsonObject, expected: 'an object' },
  token: { is: (value) => isBytes(value, TOKEN_BYTES), expected: `base64url of ${TOKEN_BYTES} bytes` }
}

/** Signs a challenge, for `POST /v1/federation/challenge`. Rejects as `sign` does. */
export async function encodeChallenge(challenge: Challenge, sign: Sign): Promise<{ readonly body: string }> {
  const { body } = await encodeSignedBody(challenge, 'challenge', sign)
  return { body }
}

/** Signs a delivery, for `POST /v1/federation/deliver`. `hash` is what its receipt will name. Rejects as `sign` does. */
export async function encodeDelivery(
  delivery: Delivery,
  sign: Sign
): Promise<{ readonly body: string; readonly hash: string }> {
  const { body, canonical } = await encodeSignedBody(delivery, 'delivery', sign)
  return { body, hash: sha256Hex(canonical) }
}

/** Reads a challenge by SPEC DE-1 to DE-5. The signature is not verified. */
export function decodeChallenge(bytes: Uint8Array): SignedDecoding<Challenge> {
  return decode<Challenge>(bytes, 'challenge', REQUEST_SHAPE)
}

/** Reads a delivery by SPEC DE-1 to DE-6. The signature is not verified. */
export function decodeDelivery(bytes: Uint8Array): SignedDecoding<Delivery> {
  return decode<Delivery>(bytes, 'delivery', DELIVERY_SHAPE)
}

function decode<Request>(bytes: Uint8Array, purpose: string, shape: Shape): SignedDecoding<Request> {
  const decoding = decodeSignedBody(bytes, { purpose, shape })
  if (!decoding.ok) return decoding
  const { value, canonical, signature } = decoding
  return { ok: true, decoded: { request: value as Request, canonical, hash: sha256Hex(canonical), signature } }
}

function isBytes(value: JsonValue, length: number): boolean {
  return typeof value === 'string' && fromBase64url(value)?.length === length
}

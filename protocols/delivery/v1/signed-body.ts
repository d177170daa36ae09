import { decodeIJson, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { CanonicalCode } from '../../canonical-json/v1/codec.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { toBase64url, utf8 } from '../../primitives/bytes.ts'
import { decodeDetached, protectedHeader, signingInput, typOfPurpose } from '../../signature/v1/jws.ts'

/** Largest body in bytes (SPEC DE-1): what the HTTP interface takes. */
export const SIGNED_BODY_BYTES_MAX = 1_048_576

/** The signature over a value; whether it is good is not yet known. */
export interface UnverifiedSignature {
  readonly kid: string
  /** What the key must have signed: the protected header, a full stop, the canonical bytes. */
  readonly input: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** Why a body has not the form of one (SPEC DE-1 to DE-4). */
export type SignedBodyCode = CanonicalCode | 'BODY_TOO_LARGE' | 'SCHEMA_INVALID' | 'SIGNATURE_INVALID'

export type SignedBodyDecoding =
  | {
      readonly ok: true
      readonly value: JsonObject
      /** What is signed and hashed: the canonical form of the value. */
      readonly canonical: Uint8Array
      readonly signature: UnverifiedSignature
    }
  | { readonly ok: false; readonly code: SignedBodyCode; readonly detail: string }

/** What a body of one kind must be. */
export interface SignedBodyForm {
  /** What its signature is for, as `delivery`: its `typ` is `anchormesh.<purpose>.v1+jws`. */
  readonly purpose: string
  /** The members of `signed`; `kid` must be among them, and of the form of a kid. */
  readonly shape: Shape
  /** Default `SIGNED_BODY_BYTES_MAX`. */
  readonly bytesMax?: number
}

const BODY_SHAPE: Shape = {
  signatures: { is: Array.isArray, expected: 'a list' },
  signed: { is: isJsonObject, expected: 'an object' }
}

/** Makes the body of a request. Rejects as `sign` does; throws `TypeError` on what I-JSON can't hold. */
export async function encodeSignedBody(
  value: JsonObject & { readonly kid: string },
  purpose: string,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<{ readonly body: string; readonly canonical: Uint8Array }> {
  const canonical = utf8(encodeCanonical(value))
  const header = protectedHeader(value.kid, typOfPurpose(purpose))
  const signature = toBase64url(await sign(signingInput(header, canonical)))
  const body = encodeCanonical({ signed: value, signatures: [{ protected: header, signature }] })
  return { body, canonical }
}

/** Reads a body by SPEC DE-1 to DE-4; the first rule that fails gives the code. The signature is not verified. */
export function decodeSignedBody(bytes: Uint8Array, form: SignedBodyForm): SignedBodyDecoding {
  const { purpose, shape, bytesMax = SIGNED_BODY_BYTES_MAX } = form
  // [REJECT] DE-1: size.
  if (bytes.length > bytesMax)
    return { ok: false, code: 'BODY_TOO_LARGE', detail: `${bytes.length} bytes, at most ${bytesMax}` }
  // [REJECT] DE-2: I-JSON.
  const decoded = decodeIJson(bytes)
  if (!decoded.ok) return decoded
  // [REJECT] DE-3: the members.
  const body = decoded.value
  const problem =
    shapeProblem(body, BODY_SHAPE, 'body') ?? shapeProblem((body as JsonObject)['signed'], shape, 'signed')
  if (problem !== null) return { ok: false, code: 'SCHEMA_INVALID', detail: problem }
  const { signed, signatures } = body as { signed: JsonObject & { kid: string }; signatures: readonly JsonValue[] }
  // [REJECT] DE-4: one signature, in the one allowed form.
  if (signatures.length !== 1) return invalid('not exactly one signature')
  const detached = decodeDetached(utf8(encodeCanonical({ signatures })))
  if (!detached.ok) return invalid(detached.detail)
  const [entry] = detached.signatures
  const { kid } = signed
  if (entry === undefined || entry.protected !== protectedHeader(kid, typOfPurpose(purpose)))
    return invalid('the protected header is not that of the kid and the purpose')
  const text = encodeCanonical(signed)
  const canonical = utf8(text)
  const input = signingInput(entry.protected, canonical)
  // From the bytes that are signed and kept, so that nothing of how the sender wrote them (-0, order) is left in it.
  const value = JSON.parse(text) as JsonObject
  return { ok: true, value, canonical, signature: { kid, input, signature: entry.signature } }
}

function invalid(detail: string) {
  return { ok: false, code: 'SIGNATURE_INVALID', detail } as const
}

import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { JsonObject } from '../../canonical-json/v1/json.ts'
import { isStringLike } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { decodeSignedBody } from '../../delivery/v1/signed-body.ts'
import type { SignedBodyCode, SignedBodyForm, UnverifiedSignature } from '../../delivery/v1/signed-body.ts'
import { isDid } from '../../event/v1/envelope.ts'
import { fromBase64url, toBase64url, utf8 } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { KID_PATTERN, protectedHeader, typOfPurpose } from '../../signature/v1/jws.ts'

/** So many random bytes are never drawn twice. */
const NONCE_BYTES = 16

/** Who a namespace belongs to, and what data it shares with nobody (SPEC TM-4). */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/

/** A request that speaks for a tenant, whose form is right. Whether its signature is good is not yet known. */
export interface DecodedTenantRequest<Request> {
  readonly request: Request
  /** SHA-256 of what is signed, hex: its id. */
  readonly id: string
  /** The canonical form of the whole body: what is kept. */
  readonly body: Uint8Array
  readonly signature: UnverifiedSignature
}

export type TenantRequestDecoding<Request> =
  | { readonly ok: true; readonly decoded: DecodedTenantRequest<Request> }
  | { readonly ok: false; readonly code: SignedBodyCode; readonly detail: string }

/** Members of every request that speaks for a tenant. */
export const TENANT_REQUEST_SHAPE: Shape = {
  audience: { is: isDid, expected: 'a DID' },
  kid: { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid' },
  nonce: {
    is: (value) => typeof value === 'string' && fromBase64url(value)?.length === NONCE_BYTES,
    expected: `base64url of ${NONCE_BYTES} bytes`
  },
  signer: { is: isDid, expected: 'a DID' },
  tenant: { is: (value) => isStringLike(value, TENANT_PATTERN), expected: 'a tenant' },
  v: { is: (value) => value === 1, expected: '1' }
}

/** Reads a signed body, and then what its form alone does not say. */
export function decodeTenantRequest<Request>(
  bytes: Uint8Array,
  form: SignedBodyForm,
  problemOf: (value: JsonObject) => string | null
): TenantRequestDecoding<Request> {
  const decoding = decodeSignedBody(bytes, form)
  if (!decoding.ok) return decoding
  const { value, canonical, signature } = decoding
  const problem = problemOf(value)
  if (problem !== null) return { ok: false, code: 'SCHEMA_INVALID', detail: problem }
  const header = protectedHeader(signature.kid, typOfPurpose(form.purpose))
  const entry = { protected: header, signature: toBase64url(signature.signature) }
  const body = utf8(encodeCanonical({ signed: value, signatures: [entry] }))
  return { ok: true, decoded: { request: value as Request, id: sha256Hex(canonical), body, signature } }
}

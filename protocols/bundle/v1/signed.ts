import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import { concat, utf8 } from '../../primitives/bytes.ts'
import { decodeDetached, encodeDetached, protectedHeader, signingInput, typOfPurpose } from '../../signature/v1/jws.ts'

/** What a signature of this protocol is for (SPEC BU-3). */
export type BundlePurpose = 'bundle-request' | 'bundle-page'

const LENGTH_BYTES = 4

/** The signature over a request or page; whether it is good is not yet known. */
export interface UnverifiedSignature {
  readonly kid: string
  /** What the key must have signed: the protected header, a full stop, the canonical bytes. */
  readonly input: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** What came in the form `signed`: the value, its bytes, and its one signature. */
export interface SignedValue {
  readonly value: JsonObject
  /** What is signed and hashed; a view into the wire bytes. */
  readonly canonical: Uint8Array
  readonly signature: UnverifiedSignature
}

export type SignedDecoding =
  | { readonly ok: true; readonly signed: SignedValue }
  | { readonly ok: false; readonly code: 'too-big' | 'bad-request'; readonly detail: string }

/** Joins value and signature. Rejects as `sign` does; throws `TypeError` on what I-JSON can't hold. */
export async function encodeSigned(
  value: JsonObject & { readonly kid: string },
  purpose: BundlePurpose,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<{ readonly wire: Uint8Array; readonly canonical: Uint8Array }> {
  const canonical = utf8(encodeCanonical(value))
  const header = protectedHeader(value.kid, typOfPurpose(purpose))
  const signature = await sign(signingInput(header, canonical))
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setUint32(0, canonical.length)
  const wire = concat(length, canonical, encodeDetached([{ protected: header, signature }]))
  return { wire, canonical }
}

/** Reads the form `signed` by SPEC BU-1 to BU-3, for a value that is read by `kid` alone so far. */
export function decodeSigned(wire: Uint8Array, purpose: BundlePurpose, bytesMax: number): SignedDecoding {
  // [REJECT] BU-1: size.
  if (wire.length > bytesMax) return { ok: false, code: 'too-big', detail: `${wire.length} bytes, at most ${bytesMax}` }
  // [REJECT] BU-2: framing, canonical JSON.
  if (wire.length < LENGTH_BYTES) return bad('no length')
  const end = LENGTH_BYTES + new DataView(wire.buffer, wire.byteOffset).getUint32(0)
  if (end === LENGTH_BYTES || end >= wire.length) return bad('length and bytes do not fit')
  const canonical = wire.subarray(LENGTH_BYTES, end)
  const decoded = decodeCanonical(canonical)
  if (!decoded.ok) return bad(`${decoded.code}: ${decoded.detail}`)
  // [REJECT] BU-3: one signature, in the one allowed form.
  const detached = decodeDetached(wire.subarray(end))
  if (!detached.ok) return bad(`signatures: ${detached.code}: ${detached.detail}`)
  const [entry, second] = detached.signatures
  const kid = kidOf(decoded.value)
  if (entry === undefined || second !== undefined) return bad('not exactly one signature')
  if (kid === null || entry.protected !== protectedHeader(kid, typOfPurpose(purpose)))
    return bad('the protected header is not that of the kid and the purpose')
  const { signature } = entry
  const input = signingInput(entry.protected, canonical)
  return {
    ok: true,
    signed: { value: decoded.value as JsonObject, canonical, signature: { kid, input, signature } }
  }
}

function kidOf(value: JsonValue): string | null {
  const kid = isJsonObject(value) ? value['kid'] : undefined
  return typeof kid === 'string' ? kid : null
}

function bad(detail: string) {
  return { ok: false, code: 'bad-request', detail } as const
}

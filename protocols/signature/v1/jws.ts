import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { CanonicalCode } from '../../canonical-json/v1/codec.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { fromBase64url, toBase64url, utf8 } from '../../primitives/bytes.ts'
import { SIGNATURE_BYTES } from './signature-bytes.ts'

/** The name of a key among its holder's keys. */
export const KID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}$/

// A node sees the same few keys and types again and again; 4,096 headers are about 1.5 MiB.
const HEADERS_KEPT_MAX = 4_096
const headers = new Map<string, string>()

/**
 * One entry, as nearly every event has it: in this form, without anything to escape, it is canonical JSON as it stands.
 */
const SINGLE = /^\{"signatures":\[\{"protected":"([A-Za-z0-9_-]+)","signature":"([A-Za-z0-9_-]{86})"\}\]\}$/

const FULL_STOP = 0x2e

const encoder = new TextEncoder()
/** One character a byte, so that anything but ASCII can't match by accident. */
const latin1 = new TextDecoder('latin1')

const LIST_SHAPE: Shape = {
  signatures: { is: (value) => Array.isArray(value) && value.length > 0, expected: 'a non-empty list' }
}

const ENTRY_SHAPE: Shape = {
  protected: { is: (value) => typeof value === 'string', expected: 'a string' },
  signature: {
    is: (value) => typeof value === 'string' && fromBase64url(value)?.length === SIGNATURE_BYTES,
    expected: `base64url of ${SIGNATURE_BYTES} bytes`
  }
}

/** One entry of a detached JWS: the protected header as it stands there (base64url) and the 64 signature bytes. */
export interface DetachedSignature {
  readonly protected: string
  readonly signature: Uint8Array
}

export type DetachedDecoding =
  | { readonly ok: true; readonly signatures: readonly DetachedSignature[] }
  | { readonly ok: false; readonly code: CanonicalCode | 'SIGNATURE_INVALID'; readonly detail: string }

/** The `typ` of signatures for one purpose, `anchormesh.<purpose>.v1+jws`; an event's purpose is `event.<type>`. */
export function typOfPurpose(purpose: string): string {
  return `anchormesh.${purpose}.v1+jws`
}

/**
 * The one allowed protected header for a key and a `typ` (SPEC SIG-10), as base64url. Both must be of the alphabets
 * that need no escape in JSON, as `KID_PATTERN` and every `typ` of this project are.
 */
export function protectedHeader(kid: string, typ: string): string {
  const name = `${kid} ${typ}`
  const known = headers.get(name)
  if (known !== undefined) return known
  const header = toBase64url(utf8(`{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${kid}","typ":"${typ}"}`))
  if (headers.size >= HEADERS_KEPT_MAX) headers.clear()
  headers.set(name, header)
  return header
}

/** The `kid` of a protected header (base64url) that is the one allowed encoding for it and this `typ`, else null. */
export function kidOfProtectedHeader(header: string, typ: string): string | null {
  const bytes = fromBase64url(header)
  if (bytes === null) return null
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok || !isJsonObject(decoded.value)) return null
  const kid = decoded.value['kid']
  if (!isStringLike(kid, KID_PATTERN)) return null
  return protectedHeader(kid, typ) === header ? kid : null
}

/** Whether the value is a list of kids in ascending order, none twice. */
export function isAscendingKids(value: JsonValue | undefined): value is readonly string[] {
  if (!Array.isArray(value)) return false
  const list = value as readonly JsonValue[]
  return list.every((kid, index) => {
    if (!isStringLike(kid, KID_PATTERN)) return false
    const before = list[index - 1]
    return before === undefined || (before as string) < kid
  })
}

/** What is signed: the protected header (base64url), a full stop, the payload as it is (RFC 7797 section 5). */
export function signingInput(header: string, payload: Uint8Array): Uint8Array {
  const input = new Uint8Array(header.length + 1 + payload.length)
  writeSigningInput(header, payload, input)
  return input
}

/**
 * Writes the signing input at the beginning of `target`, for who verifies many. Returns its length in bytes; throws
 * `RangeError` where `target` is shorter.
 */
export function writeSigningInput(header: string, payload: Uint8Array, target: Uint8Array): number {
  encoder.encodeInto(header, target)
  target[header.length] = FULL_STOP
  target.set(payload, header.length + 1)
  return header.length + 1 + payload.length
}

/** The general serialization without a payload (RFC 7515 section 7.2.1 and appendix F) as canonical JSON. */
export function encodeDetached(signatures: readonly DetachedSignature[]): Uint8Array {
  const entries = signatures.map((entry) => ({
    protected: entry.protected,
    signature: toBase64url(entry.signature)
  }))
  return utf8(encodeCanonical({ signatures: entries }))
}

/**
 * Reads a detached JWS. Canonical JSON's codes where the bytes are not canonical; `SIGNATURE_INVALID` unless it is a
 * non-empty list of entries with exactly `protected` and `signature`, the latter 64 bytes. What a header says and
 * whether a signature is good is not looked at.
 */
export function decodeDetached(bytes: Uint8Array): DetachedDecoding {
  const [, onlyHeader, onlyText] = SINGLE.exec(latin1.decode(bytes)) ?? []
  const only = onlyText === undefined ? null : fromBase64url(onlyText)
  if (onlyHeader !== undefined && only !== null)
    return { ok: true, signatures: [{ protected: onlyHeader, signature: only }] }
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok) return decoded
  const problem = shapeProblem(decoded.value, LIST_SHAPE, 'signatures')
  if (problem !== null) return { ok: false, code: 'SIGNATURE_INVALID', detail: problem }
  const { signatures: entries } = decoded.value as { signatures: readonly JsonValue[] }
  const signatures: DetachedSignature[] = []
  for (const entry of entries) {
    const entryProblem = shapeProblem(entry, ENTRY_SHAPE, 'signature')
    if (entryProblem !== null) return { ok: false, code: 'SIGNATURE_INVALID', detail: entryProblem }
    const { protected: header, signature } = entry as { protected: string; signature: string }
    signatures.push({ protected: header, signature: fromBase64url(signature) as Uint8Array })
  }
  return { ok: true, signatures }
}

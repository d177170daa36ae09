import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { CanonicalCode } from '../../canonical-json/v1/codec.ts'
import { concat, utf8 } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import {
  decodeDetached,
  encodeDetached,
  isAscendingKids,
  kidOfProtectedHeader,
  protectedHeader,
  signingInput,
  typOfPurpose
} from '../../signature/v1/jws.ts'
import type { DetachedSignature } from '../../signature/v1/jws.ts'
import { EVENT_BYTES_MAX, readEnvelope } from './envelope.ts'
import type { Envelope } from './envelope.ts'

/** The type whose body names the signers, because one signature is not enough for it. */
export const ANCHOR_PACK_TYPE = 'anchor-pack'

/** Bytes of the length that stands before the canonical bytes. */
const LENGTH_BYTES = 4

/** Why bytes are no event; each is for ever. */
export type RejectCode =
  'EVENT_TOO_LARGE' | CanonicalCode | 'UNKNOWN_VERSION' | 'SCHEMA_INVALID' | 'SIGNATURE_INVALID' | 'SIGNER_MISMATCH'

/** A signature over an event, with the kid that its protected header names. */
export interface EventSignature {
  readonly kid: string
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** A signature as it came. */
export interface DecodedSignature extends EventSignature {
  /** The protected header (base64url): the one allowed encoding for the kid and the event's type. */
  readonly protected: string
}

/** An event whose form is right. Whether its signatures are good and its signer may is not yet known. */
export interface DecodedEvent {
  /** SHA-256 of the canonical bytes, hex. */
  readonly id: string
  readonly envelope: Envelope
  /** What is signed; a view into `wire`. */
  readonly canonical: Uint8Array
  /** The bytes as they came, which are what is stored and passed on. */
  readonly wire: Uint8Array
  /** Of exactly the kids that the canonical bytes name, ascending. */
  readonly signatures: readonly DecodedSignature[]
}

export type EventDecoding =
  | { readonly ok: true; readonly event: DecodedEvent }
  | { readonly ok: false; readonly code: RejectCode; readonly detail: string }

/** The canonical bytes of an envelope: what is signed and hashed. Throws `TypeError` on what I-JSON can't hold. */
export function canonicalEvent(envelope: Envelope): Uint8Array {
  return utf8(encodeCanonical(envelope))
}

/** The id of an event: SHA-256 of its canonical bytes, hex. */
export function eventId(canonical: Uint8Array): string {
  return sha256Hex(canonical)
}

/**
 * The id of the event in these wire bytes, which were checked before: only the framing is looked at. `null` where that
 * is broken.
 */
export function eventIdOfWire(wire: Uint8Array): string | null {
  const framing = splitFrame(wire)
  return framing === null ? null : eventId(framing.canonical)
}

/** The canonical bytes in these wire bytes, as `eventIdOfWire` finds them. */
export function canonicalOfWire(wire: Uint8Array): Uint8Array | null {
  return splitFrame(wire)?.canonical ?? null
}

/** The bytes that the key `kid` signs for an event of this type. */
export function eventSigningInput(type: string, kid: string, canonical: Uint8Array): Uint8Array {
  return signingInput(protectedHeader(kid, typOfEvent(type)), canonical)
}

/**
 * The wire bytes of an event. It puts the signatures into order and checks nothing: an author decodes what it made
 * before it lets it go.
 */
export function encodeEvent(envelope: Envelope, signatures: readonly EventSignature[]): Uint8Array {
  const canonical = canonicalEvent(envelope)
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setUint32(0, canonical.length)
  const typ = typOfEvent(envelope.type)
  const entries = signatures
    .toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
    .map(({ kid, signature }) => ({ protected: protectedHeader(kid, typ), signature }))
  return concat(length, canonical, encodeDetached(entries))
}

/**
 * Reads an event from its wire bytes by SPEC EV-1 to EV-12, in that order; the first rule that fails gives the code.
 * Signatures are not verified. The result holds views of `wire`, which must not be changed afterwards.
 */
export function decodeEvent(wire: Uint8Array): EventDecoding {
  // [REJECT] EV-1: size.
  if (wire.length > EVENT_BYTES_MAX) return rejected('EVENT_TOO_LARGE', `${wire.length} bytes`)
  // [REJECT] EV-2: framing.
  const framing = splitFrame(wire)
  if (framing === null) return rejected('MALFORMED', 'length and bytes do not fit')
  const { canonical, signatureBytes } = framing
  // [REJECT] EV-3: the event is canonical JSON.
  const decoded = decodeCanonical(canonical)
  if (!decoded.ok) return rejected(decoded.code, `event: ${decoded.detail}`)
  // [REJECT] EV-4: the signatures are canonical JSON. Where they are but have another form, the envelope comes first.
  const detached = decodeDetached(signatureBytes)
  if (!detached.ok && detached.code !== 'SIGNATURE_INVALID') {
    return rejected(detached.code, `signatures: ${detached.detail}`)
  }
  // [REJECT] EV-5 to EV-8: the envelope.
  const reading = readEnvelope(decoded.value)
  if (!reading.ok) return reading
  // [REJECT] EV-9: the signatures are a detached JWS.
  if (!detached.ok) return rejected(detached.code, detached.detail)
  const { envelope } = reading
  const signatures = readSignatures(envelope, detached.signatures)
  if (!signatures.ok) return signatures
  return { ok: true, event: { id: eventId(canonical), envelope, canonical, wire, signatures: signatures.signatures } }
}

function splitFrame(wire: Uint8Array): { canonical: Uint8Array; signatureBytes: Uint8Array } | null {
  if (wire.length < LENGTH_BYTES) return null
  const length = new DataView(wire.buffer, wire.byteOffset).getUint32(0)
  const end = LENGTH_BYTES + length
  if (length === 0 || end >= wire.length) return null
  return { canonical: wire.subarray(LENGTH_BYTES, end), signatureBytes: wire.subarray(end) }
}

function readSignatures(envelope: Envelope, entries: readonly DetachedSignature[]) {
  const typ = typOfEvent(envelope.type)
  const named = namedSigners(envelope)
  const signatures: DecodedSignature[] = []
  for (const [index, entry] of entries.entries()) {
    // [REJECT] EV-10: the one allowed header. Almost always it is just what the signed bytes ask for, and need not be
    // taken apart.
    const expected = named?.[index]
    const isExpected = expected !== undefined && entry.protected === protectedHeader(expected, typ)
    const kid = isExpected ? expected : kidOfProtectedHeader(entry.protected, typ)
    if (kid === null) return rejected('SIGNATURE_INVALID', 'a protected header is not the one allowed encoding')
    signatures.push({ kid, protected: entry.protected, signature: entry.signature })
  }
  // [REJECT] EV-11, EV-12: exactly the kids that the signed bytes name.
  if (named === null)
    return rejected('SIGNER_MISMATCH', 'body.signingKids: no ascending list with the kid of the envelope')
  const exact = named.length === signatures.length && signatures.every(({ kid }, index) => kid === named[index])
  if (!exact)
    return rejected('SIGNER_MISMATCH', `signed by ${signatures.length}, not just by the ${named.length} named`)
  return { ok: true, signatures } as const
}

/** The kids that must have signed, ascending; null where a pack's own list is not well-formed. */
function namedSigners(envelope: Envelope): readonly string[] | null {
  if (envelope.type !== ANCHOR_PACK_TYPE) return [envelope.kid]
  const named = envelope.body['signingKids']
  return isAscendingKids(named) && named.includes(envelope.kid) ? named : null
}

function typOfEvent(type: string): string {
  return typOfPurpose(`event.${type}`)
}

function rejected(code: RejectCode, detail: string) {
  return { ok: false, code, detail } as const
}

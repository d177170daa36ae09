import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'

/**
 * Largest event in bytes, framing and signatures included. An announce with 16 timestamp anchors of 2 KiB of evidence
 * fits; five whole events fit into one 256 KiB transfer frame; the body limit of the HTTP listener is far above.
 */
export const EVENT_BYTES_MAX = 49_152

/** The namespace of anchor packs, which every node carries. No other name may begin with an underscore. */
export const TRUST_NAMESPACE = '_trust'

/** Names of namespaces, besides `_trust`. */
export const NAMESPACE_PATTERN = /^[a-z0-9][a-z0-9._:-]{0,63}$/

/** Names of event types. No full stop, so that `event.<type>` is never ambiguous in a signature's `typ`. */
export const TYPE_PATTERN = /^[a-z][a-z0-9-]{0,63}$/

/** Longest signer in characters. DIDs have no limit of their own; every method in use stays far below this. */
export const SIGNER_CHARS_MAX = 256

/** A DID without path, query or fragment (W3C DID Core 1.0 section 3.1). */
export const DID_PATTERN =
  /^did:[a-z0-9]+:(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/

/** An id, hash or root: SHA-256 as 64 lower-case hex digits. */
export const HASH_PATTERN = /^[0-9a-f]{64}$/

/** The signed part of an event. */
export interface Envelope {
  /** Version of the envelope. */
  readonly v: 1
  /** What the body is; unknown types are admitted without effect. */
  readonly type: string
  readonly namespace: string
  /** The DID of who signed. */
  readonly signer: string
  /** Which of the signer's keys signed. */
  readonly kid: string
  /** Position in the chain `(signer, kid, namespace)`, from 1. */
  readonly authorSeq: number
  /** Id of the event before in the chain; null at position 1. */
  readonly prev: string | null
  /** When the signer says it was made: integer milliseconds since 1970. */
  readonly ts: number
  readonly body: JsonObject
}

export type EnvelopeReading =
  | { readonly ok: true; readonly envelope: Envelope }
  | { readonly ok: false; readonly code: 'UNKNOWN_VERSION' | 'SCHEMA_INVALID'; readonly detail: string }

/** Whether the text names a namespace. */
export function isNamespace(value: JsonValue | undefined): value is string {
  return value === TRUST_NAMESPACE || isStringLike(value, NAMESPACE_PATTERN)
}

/** Whether the text is a DID of at most `SIGNER_CHARS_MAX` characters. */
export function isDid(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length <= SIGNER_CHARS_MAX && DID_PATTERN.test(value)
}

const ENVELOPE_SHAPE: Shape = {
  authorSeq: { is: (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER), expected: 'an integer from 1' },
  body: { is: isJsonObject, expected: 'an object' },
  kid: { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid' },
  namespace: { is: isNamespace, expected: 'a namespace' },
  prev: { is: (value) => value === null || isStringLike(value, HASH_PATTERN), expected: 'an event id or null' },
  signer: { is: isDid, expected: `a DID of at most ${SIGNER_CHARS_MAX} characters` },
  ts: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an integer from 0' },
  type: { is: (value) => isStringLike(value, TYPE_PATTERN), expected: 'an event type' },
  v: { is: (value) => value === 1, expected: '1' }
}

/** Reads an envelope from its parsed canonical bytes by SPEC EV-5 to EV-8. What the body holds is not looked at. */
export function readEnvelope(value: JsonValue): EnvelopeReading {
  const version = isJsonObject(value) ? value['v'] : undefined
  // [REJECT] EV-5. Before the schema: another version may have other members, and the sender should hear what is wrong.
  if (isIntegerBetween(version, 2, Number.MAX_SAFE_INTEGER)) {
    return { ok: false, code: 'UNKNOWN_VERSION', detail: `version ${version}` }
  }
  // [REJECT] EV-6, EV-7: exactly the members, of the right form.
  const problem = shapeProblem(value, ENVELOPE_SHAPE, 'event')
  if (problem !== null) return { ok: false, code: 'SCHEMA_INVALID', detail: problem }
  // [REJECT] EV-8: a chain begins at 1, and only there.
  const envelope = value as unknown as Envelope
  if ((envelope.prev === null) !== (envelope.authorSeq === 1)) {
    return { ok: false, code: 'SCHEMA_INVALID', detail: 'event.prev: null at authorSeq 1 and only there' }
  }
  return { ok: true, envelope }
}

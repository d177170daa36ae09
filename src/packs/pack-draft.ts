import { decodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { EventSignature } from '../../protocols/event/v1/codec.ts'
import {
  ANCHOR_PACK_TYPE,
  canonicalEvent,
  encodeEvent,
  eventId,
  eventSigningInput
} from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { EVENT_BYTES_MAX, readEnvelope, TRUST_NAMESPACE } from '../../protocols/event/v1/envelope.ts'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { PackDraft } from './pack-operations.ts'

const SIGNATURE_BYTES = 64

/** A draft, taken apart. Whether its pack would count, and its signatures are good, is not yet known. */
export interface ReadDraft {
  readonly id: string
  readonly canonical: Uint8Array
  readonly envelope: Envelope
  readonly pack: AnchorPack
  readonly hash: string
  /** Of kids that the pack names, ascending. */
  readonly signatures: readonly EventSignature[]
}

/** A draft of these canonical bytes. */
export function makeDraft(envelope: Envelope, signatures: readonly EventSignature[]): PackDraft {
  const canonical = canonicalEvent(envelope)
  return {
    v: 1,
    id: eventId(canonical),
    event: toBase64url(canonical),
    signatures: signatures
      .toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
      .map(({ kid, signature }) => ({ kid, signature: toBase64url(signature) }))
  }
}

/**
 * Takes a draft apart. Throws `PACK_DRAFT_ALTERED` where its bytes are not those that it was made of, and
 * `PACK_DRAFT_INVALID` where they are no pack.
 */
export function readDraft(draft: PackDraft): ReadDraft {
  const canonical = fromBase64url(draft.event)
  if (canonical === null || canonical.length > EVENT_BYTES_MAX) throw invalid('its event is no base64url of an event')
  if (eventId(canonical) !== draft.id) {
    throw new AnchormeshError('PACK_DRAFT_ALTERED', 'the bytes of the draft are not those that its id names', {
      hint: 'Get the file once more from where it was made.'
    })
  }
  const decoded = decodeCanonical(canonical)
  if (!decoded.ok) throw invalid(`its event is not canonical: ${decoded.detail}`)
  const reading = readEnvelope(decoded.value)
  if (!reading.ok) throw invalid(`its event has no good envelope: ${reading.detail}`)
  const { envelope } = reading
  if (envelope.type !== ANCHOR_PACK_TYPE || envelope.namespace !== TRUST_NAMESPACE)
    throw invalid('its event is no pack')
  const body = parseAnchorPack(envelope.body)
  if (!body.ok) throw invalid(body.detail)
  const { pack } = body
  if (!pack.signingKids.includes(envelope.kid)) throw invalid('its own author is not among its signers')
  const signatures = draft.signatures.map(({ kid, signature }) => ({ kid, signature: signatureBytes(kid, signature) }))
  const kids = signatures.map(({ kid }) => kid)
  if (new Set(kids).size !== kids.length || !kids.every((kid) => pack.signingKids.includes(kid)))
    throw invalid('it is signed by somebody whom it does not name, or twice by one key')
  // Who changes a draft and its id can't keep this one, and nobody is to sign first what its author has not.
  if (!kids.includes(envelope.kid)) throw invalid('its own author has not signed it')
  return { id: draft.id, canonical, envelope, pack, hash: packHash(envelope.body), signatures }
}

/** Whose signatures a draft still needs. */
export function missingKids({ pack, signatures }: Pick<ReadDraft, 'pack' | 'signatures'>): readonly string[] {
  return pack.signingKids.filter((kid) => !signatures.some((given) => given.kid === kid))
}

/** What a key signs for the draft. */
export function draftSigningInput({ canonical }: Pick<ReadDraft, 'canonical'>, kid: string): Uint8Array {
  return eventSigningInput(ANCHOR_PACK_TYPE, kid, canonical)
}

/** The wire bytes of a draft that has all its signatures. */
export function wireOfDraft({ envelope, signatures }: Pick<ReadDraft, 'envelope' | 'signatures'>): Uint8Array {
  return encodeEvent(envelope, signatures)
}

function signatureBytes(kid: string, signature: string): Uint8Array {
  const bytes = fromBase64url(signature)
  if (bytes?.length !== SIGNATURE_BYTES) throw invalid(`the signature of ${kid} is none`)
  return bytes
}

/**
 * Reads a draft as a file holds it: only its outer form, because what it says is read by `readDraft`. Throws
 * `PACK_DRAFT_INVALID`.
 */
export function parseDraft(value: JsonValue): PackDraft {
  const { v, id, event, signatures, ...rest } = (typeof value === 'object' && value !== null ? value : {}) as {
    readonly [member: string]: JsonValue | undefined
  }
  const isWhole = v === 1 && typeof id === 'string' && typeof event === 'string' && Array.isArray(signatures)
  if (!isWhole || Object.keys(rest).length > 0) throw invalid('it has not the members of a draft of version 1')
  const read = (signatures as readonly JsonValue[]).map((entry) => {
    const { kid, signature } = (entry ?? {}) as { readonly kid?: JsonValue; readonly signature?: JsonValue }
    if (typeof kid !== 'string' || typeof signature !== 'string') throw invalid('a signature is none')
    return { kid, signature }
  })
  return { v: 1, id, event, signatures: read }
}

function invalid(why: string): AnchormeshError {
  return new AnchormeshError('PACK_DRAFT_INVALID', `this is no draft of a pack: ${why}`, {
    hint: 'A draft is what `anchormesh pack publish --out FILE` writes.'
  })
}

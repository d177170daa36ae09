import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { writeSigningInput } from '../../protocols/signature/v1/jws.ts'
import { chainIdOf } from './chain.ts'

declare const verified: unique symbol

/**
 * An event all of whose signatures were found good under keys bound to its signer. Only `verifySignatures` makes one.
 */
export type VerifiedEvent = DecodedEvent & {
  /** The name of the chain that it belongs to (`chainIdOf`). */
  readonly chain: string
  readonly [verified]: true
}

export type SignatureCheck =
  | { readonly ok: true; readonly event: VerifiedEvent }
  | { readonly ok: false; readonly code: 'SIGNATURE_INVALID'; readonly detail: string }

// Header and event together are one wire's content, but for the base64url of the header, which is at most 400
// characters.
const input = new Uint8Array(EVENT_BYTES_MAX + 1_024)

/**
 * Checks every signature of the event. `keys` holds the keys for each kid that signed (several
 * after a forked pack chain); one of them has to fit.
 * `SIGNATURE_INVALID` is for ever: the same bytes are refused by every node.
 */
export function verifySignatures(
  event: DecodedEvent,
  keys: ReadonlyMap<string, readonly CheckedPublicKey[]>
): SignatureCheck {
  for (const { kid, protected: header, signature } of event.signatures) {
    const candidates = keys.get(kid)
    if (candidates === undefined) throw new Error(`no key was given for kid ${kid}`)
    // Verified before anything else runs, so one place for all of them will do.
    const signed = input.subarray(0, writeSigningInput(header, event.canonical, input))
    if (!candidates.some((key) => verifyEd25519(key, signed, signature))) {
      return { ok: false, code: 'SIGNATURE_INVALID', detail: `the signature of kid ${kid} does not fit the event` }
    }
  }
  return { ok: true, event: asVerified(event) }
}

/**
 * Takes an event back that this node's own log holds: its signatures were good when it was appended, and the log's hash
 * chain covers its bytes.
 */
export function fromOwnLog(event: DecodedEvent): VerifiedEvent {
  return asVerified(event)
}

function asVerified({ id, envelope, canonical, wire, signatures }: DecodedEvent): VerifiedEvent {
  return { id, envelope, canonical, wire, signatures, chain: chainIdOf(envelope) } as VerifiedEvent
}

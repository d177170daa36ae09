import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'

declare const verified: unique symbol

/** An event all of whose signatures were found good under keys bound to its signer. Only `verifySignatures` makes one. */
export type VerifiedEvent = DecodedEvent & { readonly [verified]: true }

export type SignatureCheck =
  | { readonly ok: true; readonly event: VerifiedEvent }
  | { readonly ok: false; readonly code: 'SIGNATURE_INVALID'; readonly detail: string }

/**
 * Checks every signature of the event. `keys` holds the keys for each kid that signed (several
 * after a forked pack chain); one of them has to fit.
 * `SIGNATURE_INVALID` is for ever: the same bytes are refused by every node.
 */
export function verifySignatures(
  event: DecodedEvent,
  keys: ReadonlyMap<string, readonly CheckedPublicKey[]>
): SignatureCheck {
  for (const { kid, signature } of event.signatures) {
    const candidates = keys.get(kid)
    if (candidates === undefined) throw new Error(`no key was given for kid ${kid}`)
    const input = eventSigningInput(event.envelope.type, kid, event.canonical)
    if (!candidates.some((key) => verifyEd25519(key, input, signature))) {
      return { ok: false, code: 'SIGNATURE_INVALID', detail: `the signature of kid ${kid} does not fit the event` }
    }
  }
  return { ok: true, event: event as VerifiedEvent }
}

/**
 * Takes an event back that this node's own log holds: its signatures were good when it was appended, and the log's hash
 * chain covers its bytes.
 */
export function fromOwnLog(event: DecodedEvent): VerifiedEvent {
  return event as VerifiedEvent
}

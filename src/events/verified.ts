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
  | { readonly ok: false; readonly code: 'SIGNATURE_INVALID' | 'KEY_UNKNOWN' | 'KEY_WEAK'; readonly detail: string }

/** The keys of a kid (several after a forked pack chain), or why there is none: unknown so far, or weak for ever. */
export type KeyLookup =
  | {
      readonly ok: true
      readonly keys: readonly CheckedPublicKey[]
      /** Whether the kid may get further keys, so that a signature that fits none of these may be good all the same. */
      readonly mayGrow: boolean
    }
  | { readonly ok: false; readonly code: 'KEY_UNKNOWN' | 'KEY_WEAK'; readonly detail: string }

// An event has at most 49,152 bytes, its header at most 400 characters: kid and type are bounded.
const input = new Uint8Array(EVENT_BYTES_MAX + 1_024)

/**
 * Checks every signature of the event under the keys that `find` gives for its kid; one of them has to fit. The
 * envelope's own kid comes first: what the body says of others is not worth work before that. `SIGNATURE_INVALID` is
 * for ever; where further keys may come it is `KEY_UNKNOWN`. `onVerifying` is called before each verification.
 */
export function verifySignatures(
  event: DecodedEvent,
  find: (kid: string) => KeyLookup,
  onVerifying: () => void = () => {}
): SignatureCheck {
  const { kid: own } = event.envelope
  for (const signature of event.signatures.toSorted(
    (left, right) => Number(right.kid === own) - Number(left.kid === own)
  )) {
    const found = find(signature.kid)
    if (!found.ok) return found
    onVerifying()
    // Verified before anything else runs, so one place for all of them will do.
    const signed = input.subarray(0, writeSigningInput(signature.protected, event.canonical, input))
    if (found.keys.some((key) => verifyEd25519(key, signed, signature.signature))) continue
    return found.mayGrow
      ? { ok: false, code: 'KEY_UNKNOWN', detail: `no key that kid ${signature.kid} has so far fits the event` }
      : { ok: false, code: 'SIGNATURE_INVALID', detail: `the signature of kid ${signature.kid} does not fit the event` }
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

import { encodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import { decodeEvent } from '../../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../../protocols/event/v1/envelope.ts'
import { fromBase64url } from '../../../protocols/primitives/bytes.ts'
import type { LoggedEventAnswer } from '../../api/answers.ts'
import { verifySignatures } from '../../events/verified.ts'
import type { Trust } from './trust.ts'

/** Whether an event is what its signer signed. `code`: of the first rule that does not hold. */
export type EventCheck =
  | { readonly ok: true; readonly envelope: Envelope }
  | { readonly ok: false; readonly code: string; readonly detail: string }

/**
 * Checks an event as a node shows it: its bytes are canonical (codes of event/v1), `id` and `event` are of these bytes
 * (`EVENT_MISMATCH`), the signer is one that the app takes (`SIGNER_NOT_TRUSTED`), and its signatures are good under keys
 * that the app knows (`KEY_UNKNOWN`, `KEY_WEAK`, `SIGNATURE_INVALID`). `NOT_SHARED` for a local record, which nobody but
 * the node has signed for.
 */
export function checkEvent(logged: LoggedEventAnswer, trust: Trust): EventCheck {
  if (logged.scope !== 'shared') return failed('NOT_SHARED', 'a local record is what the node itself says')
  const wire = fromBase64url(logged.bytes)
  if (wire === null) return failed('MALFORMED', 'the bytes are no base64url')
  const decoding = decodeEvent(wire)
  if (!decoding.ok) return decoding
  const { event } = decoding
  const { envelope } = event
  if (logged.id !== event.id) return failed('EVENT_MISMATCH', `the bytes have the id ${event.id}, not ${logged.id}`)
  if (!isSameJson(logged.event, envelope)) return failed('EVENT_MISMATCH', 'the event shown is not that of the bytes')
  if (!trust.takes(envelope.signer)) return failed('SIGNER_NOT_TRUSTED', `${envelope.signer} is none of yours`)
  const check = verifySignatures(event, (kid) => trust.findKeys(envelope.signer, kid))
  return check.ok ? { ok: true, envelope } : check
}

function isSameJson(shown: LoggedEventAnswer['event'], envelope: Envelope): boolean {
  try {
    return encodeCanonical(shown) === encodeCanonical(envelope)
  } catch (error) {
    // Not of I-JSON, so not of an envelope.
    if (error instanceof TypeError) return false
    throw error
  }
}

function failed(code: string, detail: string): EventCheck {
  return { ok: false, code, detail }
}

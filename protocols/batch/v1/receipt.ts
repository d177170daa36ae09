import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { CanonicalCode } from '../../canonical-json/v1/codec.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { fromBase64url, toBase64url, utf8 } from '../../primitives/bytes.ts'

/**
 * Largest receipt record in bytes. A record must fit, with its proof and as base64url, into one 256 KiB transfer frame;
 * 64 KiB leaves room for a frame to hold a few.
 */
export const RECEIPT_BYTES_MAX = 65_536

/** Salt length in bytes: 128 bits can't be guessed, so the hash of an erased receipt tells nothing. */
export const SALT_BYTES = 16

const RECORD_SHAPE: Shape = {
  receipt: { is: () => true, expected: 'any value' },
  salt: {
    is: (value) => typeof value === 'string' && fromBase64url(value)?.length === SALT_BYTES,
    expected: `base64url of ${SALT_BYTES} bytes`
  },
  v: { is: (value) => value === 1, expected: '1' }
}

/** A receipt with the salt that hides it: one leaf of a batch. */
export interface SaltedReceipt {
  readonly receipt: JsonValue
  /** 16 random bytes, drawn for this receipt alone. */
  readonly salt: Uint8Array
}

export type ReceiptEncoding =
  | { readonly ok: true; readonly record: Uint8Array }
  | { readonly ok: false; readonly code: 'RECEIPT_TOO_LARGE' | 'RECEIPT_NOT_IJSON'; readonly detail: string }

export type ReceiptDecoding =
  | { readonly ok: true; readonly receipt: JsonValue; readonly salt: Uint8Array }
  | {
      readonly ok: false
      readonly code: 'RECEIPT_TOO_LARGE' | 'RECEIPT_INVALID' | CanonicalCode
      readonly detail: string
    }

/**
 * The record of a receipt (SPEC BAT-1 to BAT-3), whose `leafHash` stands in the batch. `RECEIPT_NOT_IJSON` for a value
 * that canonical JSON can't hold. Throws `RangeError` for a salt that is not 16 bytes.
 */
export function encodeReceipt({ receipt, salt }: SaltedReceipt): ReceiptEncoding {
  if (salt.length !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes, not ${salt.length}`)
  let text: string
  try {
    text = encodeCanonical({ receipt, salt: toBase64url(salt), v: 1 })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return { ok: false, code: 'RECEIPT_NOT_IJSON', detail: error.message }
  }
  const record = utf8(text)
  return record.length > RECEIPT_BYTES_MAX ? tooLarge(record) : { ok: true, record }
}

/** Reads a receipt record; the code is that of the first rule of SPEC BAT-1 to BAT-3 that fails. */
export function decodeReceipt(record: Uint8Array): ReceiptDecoding {
  if (record.length > RECEIPT_BYTES_MAX) return tooLarge(record)
  const decoded = decodeCanonical(record)
  if (!decoded.ok) return decoded
  const problem = shapeProblem(decoded.value, RECORD_SHAPE, 'record')
  if (problem !== null) return { ok: false, code: 'RECEIPT_INVALID', detail: problem }
  const { receipt, salt } = decoded.value as { receipt: JsonValue; salt: string }
  return { ok: true, receipt, salt: fromBase64url(salt) as Uint8Array }
}

function tooLarge(record: Uint8Array) {
  const detail = `${record.length} bytes, at most ${RECEIPT_BYTES_MAX}`
  return { ok: false, code: 'RECEIPT_TOO_LARGE', detail } as const
}

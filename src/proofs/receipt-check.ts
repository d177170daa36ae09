import { verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { checkReceipt, decodeReceipt } from '../../protocols/delivery/v1/receipt.ts'
import type { DecodedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { bytesOfHex } from '../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'

/** What a receipt is held against. */
export interface ReceiptQuestion {
  /** The receipt as it was answered. */
  readonly receipt: JsonValue
  /** The DID that delivered. */
  readonly sender: string
  /** The DID of the node that was delivered to. */
  readonly receiver: string
  /** Hex. */
  readonly deliveryHash: string
  /** Its keys by a kid. */
  readonly keysOf: (kid: string) => readonly CheckedPublicKey[]
}

export type ReceiptVerdict =
  | { readonly ok: true; readonly decoded: DecodedReceipt; readonly leafHash: string }
  | { readonly ok: false; readonly code: 'RECEIPT_INVALID' | 'KEY_UNKNOWN'; readonly detail: string }

/** Whether the receipt is the receiver's, for this delivery, by delivery/v1 (DE-17 to DE-21). */
export function verifyReceipt({ receipt, sender, receiver, deliveryHash, keysOf }: ReceiptQuestion): ReceiptVerdict {
  const decoding = decodeReceipt(receipt)
  if (!decoding.ok) return decoding
  const { decoded } = decoding
  const { kid } = decoded.receipt
  let verdict: ReceiptVerdict = { ok: false, code: 'KEY_UNKNOWN', detail: `no key ${kid} of ${receiver} is known here` }
  for (const key of keysOf(kid)) {
    const check = checkReceipt(decoded, { sender, receiver, deliveryHash, key })
    if (check.ok) return { ok: true, decoded, leafHash: check.leafHash }
    verdict = check
  }
  return verdict
}

/** Whether the proof (hex) shows that the delivery's record is in the log, as the receipt's checkpoint has it. */
export function isInLog(verdict: Extract<ReceiptVerdict, { ok: true }>, proof: readonly string[]): boolean {
  const { receipt, note } = verdict.decoded
  return verifyInclusion({
    leafHash: bytesOfHex(verdict.leafHash),
    index: receipt.logSeq - 1,
    treeSize: note.size,
    path: proof.map(bytesOfHex),
    root: note.root
  })
}

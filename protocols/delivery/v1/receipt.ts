import { isSignedBy, originOf, parseCheckpoint } from '../../checkpoint/v1/note.ts'
import type { CheckpointNote } from '../../checkpoint/v1/note.ts'
import { recordHashAt, recordLeaf } from '../../checkpoint/v1/tree.ts'
import { decodeCanonical, decodeIJson, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { HASH_PATTERN, isDid } from '../../event/v1/envelope.ts'
import { bytesOfHex, fromBase64url, isBase64url, toBase64url, toHex, utf8 } from '../../primitives/bytes.ts'
import { SIGNATURE_BYTES, verifyEd25519 } from '../../signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../signature/v1/ed25519.ts'
import { KID_PATTERN, protectedHeader, signingInput, typOfPurpose } from '../../signature/v1/jws.ts'
import type { UnverifiedSignature } from './signed-body.ts'

const TYP = typOfPurpose('delivery-receipt')
/** In base64url, of a record of at most 16,384 bytes: a delivery's has some hundred. */
const RECORD_CHARACTERS_MAX = 21_846
/** A checkpoint has at most 16,384 bytes, which are no fewer than its characters. */
const NOTE_CHARACTERS_MAX = 16_384

/** The log record of a delivery, as it is hashed (SPEC DE-22). */
export type DeliveryRecord = {
  /** Hex. */
  readonly previousHash: string
  /** Milliseconds since 1970. */
  readonly recordedAt: number
  /** The canonical JSON of the record, base64url. */
  readonly bytes: string
}

/** What a receipt says (SPEC DE-17): the receiver `signer` has the delivery at `logSeq` of its log. */
export type Receipt = {
  readonly v: 1
  /** Who delivered. */
  readonly audience: string
  readonly signer: string
  readonly kid: string
  /** Hex. */
  readonly deliveryHash: string
  readonly logSeq: number
  /** A signed note (checkpoint/v1) over at least `logSeq` records. */
  readonly checkpoint: string
  readonly record: DeliveryRecord
  /** Milliseconds since 1970. */
  readonly ts: number
}

/** A receipt as it stands in the answer. */
export type SignedReceipt = Receipt & {
  /** The protected header, base64url. */
  readonly protected: string
  /** 64 bytes, base64url. */
  readonly signature: string
}

/** A receipt whose form is right. Whether it is what was hoped for, `checkReceipt` says. */
export interface DecodedReceipt {
  readonly receipt: Receipt
  readonly signed: SignedReceipt
  readonly note: CheckpointNote
  readonly signature: UnverifiedSignature
}

export type ReceiptDecoding =
  | { readonly ok: true; readonly decoded: DecodedReceipt }
  | { readonly ok: false; readonly code: 'RECEIPT_INVALID'; readonly detail: string }

/** What a sender holds a receipt against. */
export interface ReceiptExpectation {
  /** The DID that delivered. */
  readonly sender: string
  /** The DID to which it was addressed. */
  readonly receiver: string
  /** Hex. */
  readonly deliveryHash: string
  /** The receiver's key by the receipt's `kid`. */
  readonly key: CheckedPublicKey
}

export type ReceiptCheck =
  | {
      readonly ok: true
      /** Hex; of the record at `logSeq`, as `GET /v1/log/inclusion` names them. */
      readonly recordHash: string
      readonly leafHash: string
    }
  | { readonly ok: false; readonly code: 'RECEIPT_INVALID'; readonly detail: string }

const HASH = { is: (value: JsonValue) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const DID = { is: isDid, expected: 'a DID' }
const TIME = { is: (value: JsonValue) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'a time' }

const RECORD_SHAPE: Shape = {
  bytes: { is: isRecordBytes, expected: 'base64url of 1 to 16384 bytes' },
  previousHash: HASH,
  recordedAt: TIME
}
const RECEIPT_SHAPE: Shape = {
  audience: DID,
  checkpoint: {
    is: (value) => typeof value === 'string' && value.length <= NOTE_CHARACTERS_MAX,
    expected: 'a checkpoint'
  },
  deliveryHash: HASH,
  kid: { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid' },
  logSeq: { is: (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER), expected: 'an integer from 1' },
  protected: { is: (value) => typeof value === 'string', expected: 'a protected header' },
  record: { is: (value) => shapeProblem(value, RECORD_SHAPE, 'record') === null, expected: 'a record' },
  signature: {
    is: (value) => typeof value === 'string' && fromBase64url(value)?.length === SIGNATURE_BYTES,
    expected: `base64url of ${SIGNATURE_BYTES} bytes`
  },
  signer: DID,
  ts: TIME,
  v: { is: (value) => value === 1, expected: '1' }
}

/** Signs a receipt. Rejects as `sign` does. */
export async function signReceipt(
  receipt: Receipt,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<SignedReceipt> {
  const header = protectedHeader(receipt.kid, TYP)
  const signature = await sign(signingInput(header, utf8(encodeCanonical(receipt))))
  return { ...receipt, protected: header, signature: toBase64url(signature) }
}

/** Reads the answer to a delivery, `{"receipt": …}`, by SPEC DE-17. No signature is verified. */
export function decodeReceiptAnswer(bytes: Uint8Array): ReceiptDecoding {
  const decoded = decodeIJson(bytes)
  if (!decoded.ok) return invalid(`${decoded.code}: ${decoded.detail}`)
  return decodeReceipt(isJsonObject(decoded.value) ? decoded.value['receipt'] : undefined)
}

/** Reads a receipt, as a value of JSON, by SPEC DE-17. No signature is verified. */
export function decodeReceipt(value: JsonValue | undefined): ReceiptDecoding {
  // [REJECT] DE-17.
  const problem = shapeProblem(value, RECEIPT_SHAPE, 'receipt')
  if (problem !== null) return invalid(problem)
  const signed = value as SignedReceipt
  const { protected: header, signature, ...receipt } = signed
  if (header !== protectedHeader(receipt.kid, TYP)) return invalid('receipt.protected: not that of the kid')
  const reading = parseCheckpoint(utf8(receipt.checkpoint))
  if (!reading.ok) return invalid(`receipt.checkpoint: ${reading.detail}`)
  const input = signingInput(header, utf8(encodeCanonical(receipt)))
  const unverified = { kid: receipt.kid, input, signature: fromBase64url(signature) ?? new Uint8Array() }
  return { ok: true, decoded: { receipt, signed, note: reading.note, signature: unverified } }
}

/** Whether a receipt proves that the delivery was taken, by SPEC DE-18 to DE-21; the first rule that fails is named. */
export function checkReceipt(decoded: DecodedReceipt, expected: ReceiptExpectation): ReceiptCheck {
  const { receipt, note, signature } = decoded
  const { key } = expected
  // [REJECT] DE-18: the signature.
  if (!verifyEd25519(key, signature.input, signature.signature)) return invalid('the signature is not good')
  // [REJECT] DE-19: it is about this delivery.
  if (receipt.audience !== expected.sender) return invalid('it is for another sender')
  if (receipt.signer !== expected.receiver) return invalid('it is of another receiver')
  if (receipt.deliveryHash !== expected.deliveryHash) return invalid('it is for another delivery')
  // [REJECT] DE-20: the checkpoint is of the same log and key, and covers the position.
  if (originOf(note.name) !== originOf(receipt)) return invalid('its checkpoint is of another log')
  if (!isSignedBy(note, key)) return invalid('its checkpoint is not signed by the same key')
  if (note.size < receipt.logSeq) return invalid('its checkpoint does not cover its log position')
  // [REJECT] DE-21: the record is that of the delivery.
  const bytes = fromBase64url(receipt.record.bytes) ?? new Uint8Array()
  if (!isRecordOf(bytes, receipt.deliveryHash)) return invalid('its record is not that of the delivery')
  const { previousHash, recordedAt } = receipt.record
  const hashed = { previousHash: bytesOfHex(previousHash), scope: 2, recordedAt, bytes } as const
  const recordHash = recordHashAt(receipt.logSeq, hashed)
  return { ok: true, recordHash: toHex(recordHash), leafHash: toHex(recordLeaf(recordHash)) }
}

function isRecordOf(bytes: Uint8Array, deliveryHash: string): boolean {
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok || !isJsonObject(decoded.value) || decoded.value['type'] !== 'delivery') return false
  const body = decoded.value['body']
  return isJsonObject(body) && body['deliveryHash'] === deliveryHash
}

function isRecordBytes(value: JsonValue): boolean {
  return typeof value === 'string' && value !== '' && value.length <= RECORD_CHARACTERS_MAX && isBase64url(value)
}

function invalid(detail: string) {
  return { ok: false, code: 'RECEIPT_INVALID', detail } as const
}

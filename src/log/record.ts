import { createHash } from 'node:crypto'
import { sha256 } from '../../protocols/primitives/sha256.ts'

/** `shared` records are events that travel; `local` ones are what this node learned or was told, and never leave it. */
export type RecordScope = 'shared' | 'local'

/**
 * One record of the log. `payload` is the event's wire bytes, or a local event's canonical JSON.
 * `hash` covers the record before it, so that no record can be changed, dropped or moved unnoticed.
 */
export interface LogRecord {
  readonly logSeq: number
  readonly scope: RecordScope
  /** When this node wrote it, by its own clock: local knowledge, in no digest. */
  readonly recordedAt: number
  /** 32 bytes. */
  readonly hash: Uint8Array
  readonly payload: Uint8Array
}

/** The hash that stands before the first record. */
export const GENESIS_HASH: Uint8Array = new Uint8Array(32)

const SCOPE_BYTE: Record<RecordScope, number> = { shared: 1, local: 2 }
const HASH_BYTES = 32
/** `logSeq`, between the previous hash and the rest of what is hashed. */
const POSITION_BYTES = 8
/** Stored form: hash, scope, `recordedAt`, payload. */
const HEADER_BYTES = HASH_BYTES + 1 + 8

/**
 * Makes the record that follows `previousHash`, and its stored form. The hash is SHA-256 over the hash before it (32
 * bytes), `logSeq` (8), scope (1), `recordedAt` (8) and the payload, numbers big-endian; stored are the hash, the
 * scope, `recordedAt` and the payload.
 */
export function sealRecord(
  previousHash: Uint8Array,
  content: Omit<LogRecord, 'hash'>
): { readonly record: LogRecord; readonly stored: Uint8Array } {
  const { payload } = content
  const bytes = Buffer.allocUnsafe(POSITION_BYTES + HEADER_BYTES + payload.length)
  writeHead(bytes, previousHash, content)
  bytes.set(payload, POSITION_BYTES + HEADER_BYTES)
  const hash = sha256(bytes)
  // What is stored begins where the position began; the hash takes the place of what only went into it.
  bytes.set(hash, POSITION_BYTES)
  return { record: { ...content, hash }, stored: bytes.subarray(POSITION_BYTES) }
}

/**
 * The hash (32 bytes) of a record that follows `previousHash`, as `sealRecord` makes it, of one that stands there already:
 * without a copy of its payload, which may be of half a megabyte.
 */
export function recordHash(previousHash: Uint8Array, content: Omit<LogRecord, 'hash'>): Uint8Array {
  const head = Buffer.alloc(POSITION_BYTES + HEADER_BYTES)
  writeHead(head, previousHash, content)
  return createHash('sha256').update(head).update(content.payload).digest()
}

type RecordHead = Omit<LogRecord, 'hash' | 'payload'>

/** All that is hashed before the payload. */
function writeHead(bytes: Buffer, previousHash: Uint8Array, { logSeq, scope, recordedAt }: RecordHead): void {
  bytes.set(previousHash, 0)
  writeNumber(bytes, logSeq, HASH_BYTES)
  bytes[HASH_BYTES + POSITION_BYTES] = SCOPE_BYTE[scope]
  writeNumber(bytes, recordedAt, HASH_BYTES + POSITION_BYTES + 1)
}

/** Writes a number up to 2^53 as 8 bytes, big-endian. */
export function writeNumber(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), offset)
  bytes.writeUInt32BE(value % 2 ** 32, offset + 4)
}

/** Reads the stored form; `null` when it is none. Whether the hash is right is for `verifyLog` to say. */
export function decodeRecord(logSeq: number, bytes: Uint8Array): LogRecord | null {
  const scope = bytes[HASH_BYTES]
  if (bytes.length < HEADER_BYTES || (scope !== 1 && scope !== 2)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    logSeq,
    scope: scope === 1 ? 'shared' : 'local',
    recordedAt: Number(view.getBigUint64(HASH_BYTES + 1)),
    hash: bytes.subarray(0, HASH_BYTES),
    payload: bytes.subarray(HEADER_BYTES)
  }
}

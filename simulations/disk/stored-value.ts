import type { TextPool } from './text-pool.ts'

/**
 * A value as a simulated disk holds it: text with one character for each byte, which takes a quarter of the memory of
 * an array of bytes and can be the same object wherever it is the same. Large ones are in parts, because a thousand
 * nodes hold policies that differ at their end alone.
 */
export type StoredValue = string | readonly string[]

// To look a text up costs more than to hold a short one twice: those are the states of projections.
const SHARED_CHARS_MIN = 128
// V8 hashes no more of a text than its length beyond 16,383 characters, and what differs must not look alike to it.
const PART_BYTES = 4_096
// SHA-256, scope and time of a record of the log stand before its payload, which is the same on all nodes.
const RECORD_HEAD_BYTES = 41
const RECORD_PAYLOAD_BYTES_MIN = 128

/** Text is stored as UTF-8. */
export function storedValue(value: Uint8Array | string, isRecord: boolean, pool: TextPool): StoredValue {
  if (typeof value === 'string' && value.length <= PART_BYTES && isAscii(value))
    return value.length < SHARED_CHARS_MIN ? value : pool.shared(value)
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : asBuffer(value)
  if (isRecord && bytes.length >= RECORD_HEAD_BYTES + RECORD_PAYLOAD_BYTES_MIN)
    return [bytes.toString('latin1', 0, RECORD_HEAD_BYTES), ...partsOf(bytes, RECORD_HEAD_BYTES, pool)]
  if (bytes.length > PART_BYTES) return partsOf(bytes, 0, pool)
  return pool.shared(bytes.toString('latin1'))
}

/** The bytes, in an array that nobody else holds. */
export function bytesOf(stored: StoredValue): Uint8Array {
  const bytes = new Uint8Array(lengthOf(stored))
  const buffer = asBuffer(bytes)
  if (typeof stored === 'string') {
    buffer.write(stored, 'latin1')
    return bytes
  }
  let at = 0
  for (const part of stored) at += buffer.write(part, at, 'latin1')
  return bytes
}

export function lengthOf(stored: StoredValue): number {
  return typeof stored === 'string' ? stored.length : stored.reduce((sum, part) => sum + part.length, 0)
}

function partsOf(bytes: Buffer, from: number, pool: TextPool): string[] {
  const parts: string[] = []
  for (let at = from; at < bytes.length; at += PART_BYTES)
    parts.push(pool.shared(bytes.toString('latin1', at, Math.min(at + PART_BYTES, bytes.length))))
  return parts
}

const isAscii = (text: string): boolean => Buffer.byteLength(text, 'utf8') === text.length

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

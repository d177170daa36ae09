import { decodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { RECEIPT_BYTES_MAX } from '../../protocols/batch/v1/receipt.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** The media type of streams of lines, each one JSON value; blank lines say that nothing has happened. */
export const LINES_MEDIA_TYPE = 'application/x-ndjson'

const LINE_FEED = 0x0a

/** A line is longer than its reader allows. */
export class LineTooLong extends Error {
  /** From 1. */
  readonly line: number

  constructor(line: number, bytesMax: number) {
    super(`line ${line}: is longer than ${bytesMax} bytes`)
    this.name = 'LineTooLong'
    this.line = line
  }
}

/** The value as one line of a stream. */
export function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

/** The lines of a stream without their line feeds, blank ones too. Holds one line at most. Throws `LineTooLong`. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let length = 0
  let line = 1
  for await (const chunk of chunks) {
    let start = 0
    while (start < chunk.length) {
      const end = chunk.indexOf(LINE_FEED, start)
      const part = chunk.subarray(start, end < 0 ? chunk.length : end)
      length += part.length
      if (length > bytesMax) throw new LineTooLong(line, bytesMax)
      parts.push(part)
      start += part.length + 1
      if (end < 0) continue
      yield joined(parts)
      parts = []
      length = 0
      line += 1
    }
  }
  if (length > 0) yield joined(parts)
}

/**
 * Receipts as a client sends them: one JSON value a line, blank lines ignored. A line is at most as long as a receipt
 * record may be. Throws `RECEIPTS_INVALID` that names the first line that is no I-JSON (a repeated member name, a number
 * that would be rounded): its value would not be the one that was meant.
 */
export async function* readReceipts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<JsonValue> {
  let line = 0
  try {
    for await (const bytes of splitLines(chunks, RECEIPT_BYTES_MAX)) {
      line += 1
      if (!isBlank(bytes)) yield receiptOf(bytes, line)
    }
  } catch (error) {
    throw error instanceof LineTooLong ? invalid(error.line, error.message) : error
  }
}

function receiptOf(bytes: Uint8Array, line: number): JsonValue {
  const decoded = decodeCanonical(bytes)
  if (decoded.ok) return decoded.value
  // The last rule of canonical JSON: all others hold, and what is written is only written differently.
  if (decoded.code === 'NOT_CANONICAL') return JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonValue
  throw invalid(line, `line ${line}: ${decoded.code}: ${decoded.detail}`)
}

function invalid(line: number, message: string): AnchormeshError {
  return new AnchormeshError('RECEIPTS_INVALID', message, {
    hint: 'One receipt a line, as JSON. Nothing was sealed.',
    detail: { line }
  })
}

/** Nothing but spaces, tabs and carriage returns. */
function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}

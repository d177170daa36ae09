import { decodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { RECEIPT_BYTES_MAX } from '../../protocols/batch/v1/receipt.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { LineTooLong, splitLines } from '../platform/lines.ts'

/** The media type of streams of lines, each one JSON value; blank lines say that nothing has happened. */
export const LINES_MEDIA_TYPE = 'application/x-ndjson'

/** The value as one line of a stream. */
export function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

/**
 * Receipts as a client sends them: one JSON value a line, blank lines ignored. A line is at most as long as a receipt
 * record may be. Throws `RECEIPTS_INVALID` that names the first line that is no I-JSON (a repeated member name, a
 * number that would be rounded): its value would not be the one that was meant.
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

import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Input } from './input.ts'
import { JsonLineError, readJsonLines } from './json-lines.ts'

/**
 * The receipts of a JSON Lines file, one a line. `onReceipt` is called with the number of those that were taken. Throws
 * `RECEIPTS_INVALID`, with the line, for what is no receipt.
 */
export async function* readReceipts(
  { name, chunks }: Input,
  onReceipt: (count: number) => void
): AsyncGenerator<JsonValue> {
  let count = 0
  try {
    for await (const { value } of readJsonLines(chunks)) {
      yield value
      count += 1
      onReceipt(count)
    }
  } catch (error) {
    if (!(error instanceof JsonLineError)) throw error
    throw new AnchormeshError('RECEIPTS_INVALID', `${name}, ${error.message}`, {
      hint: 'One receipt a line, as JSON. Nothing was sealed.',
      detail: { file: name, line: error.line }
    })
  }
}

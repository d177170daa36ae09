import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { JsonLineError, readJsonLines } from './json-lines.ts'
import type { JsonLine } from './json-lines.ts'

/**
 * The file that `log export` writes and `log import` reads, as JSON Lines:
 *
 *     {"export":"anchormesh.events","v":1}
 *     {"bytes":"<one event's wire bytes, base64url>"}
 *     …
 *     {"end":true,"events":<how many>,"chained":"<hex>"}
 *
 * `chained` begins as 32 zero bytes and becomes SHA-256(chained ‖ wire bytes) with each event. It shows that nothing
 * was cut off or lost on the way; what an event is worth, its signature says.
 */
const HEADER = { export: 'anchormesh.events', v: 1 } as const

/** The lines of an export, without their line feeds. `onEvent` is called with the number of events so far. */
export async function* exportLines(
  events: AsyncIterable<Uint8Array>,
  onEvent: (count: number) => void
): AsyncGenerator<string> {
  yield JSON.stringify(HEADER)
  let chained = EMPTY
  let count = 0
  for await (const wire of events) {
    yield JSON.stringify({ bytes: toBase64url(wire) })
    chained = next(chained, wire)
    count += 1
    onEvent(count)
  }
  yield JSON.stringify({ end: true, events: count, chained })
}

/**
 * The events of an export. Throws `USAGE` for a file that is none, and, after the events that it holds, for one that
 * has no end or another content than was written.
 */
export async function* readExport(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let chained = EMPTY
  let count = 0
  let state: 'header' | 'events' | 'end' = 'header'
  try {
    for await (const { number, value } of readJsonLines(chunks)) {
      const line = isJsonObject(value) ? value : {}
      if (state === 'header') {
        if (line['export'] !== HEADER.export) throw new JsonLineError(number, 'is not the first line of an export')
        if (line['v'] !== HEADER.v) throw new JsonLineError(number, 'is of a version that a newer release wrote')
        state = 'events'
      } else if (state === 'end') {
        throw new JsonLineError(number, 'follows the end of the export')
      } else if (line['end'] === true) {
        const fits = line['events'] === count && line['chained'] === chained
        if (!fits) throw new JsonLineError(number, 'does not belong to the events before it')
        state = 'end'
      } else {
        const wire = wireOf({ number, value: line['bytes'] ?? null })
        chained = next(chained, wire)
        count += 1
        yield wire
      }
    }
    if (state !== 'end') throw new JsonLineError(count + 2, 'the export ends before its last line')
  } catch (error) {
    if (!(error instanceof JsonLineError)) throw error
    throw new AnchormeshError('USAGE', `${name}, ${error.message}`, {
      hint: 'Give a whole file that anchormesh log export wrote. What was taken in before this line stays.',
      detail: { file: name, line: error.line, eventsBefore: count }
    })
  }
}

const EMPTY = '0'.repeat(64)

function next(chained: string, wire: Uint8Array): string {
  return sha256Hex(Buffer.concat([Buffer.from(chained, 'hex'), wire]))
}

function wireOf({ number, value }: JsonLine): Uint8Array {
  const wire = typeof value === 'string' ? fromBase64url(value) : null
  if (wire === null) throw new JsonLineError(number, 'holds no event: bytes as base64url')
  return wire
}

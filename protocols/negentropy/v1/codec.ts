import { ID_BYTES } from './fingerprint.ts'
import { MessageReader } from './reader.ts'
import type { MessageFailure, Range } from './reader.ts'
import { MessageWriter } from './writer.ts'

export type MessageDecoding =
  { readonly ok: true; readonly ranges: readonly Range[] } | ({ readonly ok: false } & MessageFailure)

/**
 * Reads a whole message by SPEC NG-1 to NG-12; the first rule that is broken gives the code. The result holds views
 * of the message. A skip up to infinity that the message leaves out is not added.
 */
export function decodeMessage(message: Uint8Array): MessageDecoding {
  const reader = new MessageReader(message)
  const ranges: Range[] = []
  for (let range = reader.next(); range !== null; range = reader.next()) ranges.push(range)
  return reader.failure === null ? { ok: true, ranges } : { ok: false, ...reader.failure }
}

/**
 * The bytes of a message. It checks nothing but that timestamps do not go down (`RangeError`): to be sure, decode
 * what was made.
 */
export function encodeMessage(ranges: readonly Range[]): Uint8Array {
  const writer = new MessageWriter()
  for (const range of ranges) {
    switch (range.mode) {
      case 'skip':
        writer.skip(range.upper)
        break
      case 'fingerprint':
        writer.fingerprint(range.upper, range.fingerprint)
        break
      case 'ids':
        writer.ids(range.upper, range.ids.length / ID_BYTES)
        writer.bytes(range.ids)
        break
      default:
        range satisfies never
    }
  }
  return writer.message()
}

import { utf8 } from '../../primitives/bytes.ts'

/** What an event stream begins with: how soon a browser connects again after it was cut off (SU-17). */
export const EVENT_STREAM_BEGIN: Uint8Array = utf8('retry: 3000\n\n')

// RFC 6455 section 5.2: the final fragment of a text message; lengths of 126 and 127 say how the true one is written.
const FINAL_TEXT = 0x81
const LENGTH_IN_TWO_BYTES = 126
const LENGTH_IN_EIGHT_BYTES = 127

/** A frame as a Server-Sent Event (SU-17). `json` is in one line. */
export function eventBytes(json: string, cursor: string | null): Uint8Array {
  return utf8(eventText(json, cursor))
}

/** The same as text. */
export function eventText(json: string, cursor: string | null): string {
  return cursor === null ? `data: ${json}\n\n` : `id: ${cursor}\ndata: ${json}\n\n`
}

/** A frame as an unmasked WebSocket text message (SU-18, RFC 6455 section 5.2). */
export function messageBytes(json: string): Uint8Array {
  const payload = utf8(json)
  const header = messageHeader(payload.length)
  const bytes = new Uint8Array(header.length + payload.length)
  bytes.set(header)
  bytes.set(payload, header.length)
  return bytes
}

function messageHeader(length: number): Uint8Array {
  if (length < LENGTH_IN_TWO_BYTES) return new Uint8Array([FINAL_TEXT, length])
  if (length <= 0xffff) return new Uint8Array([FINAL_TEXT, LENGTH_IN_TWO_BYTES, length >> 8, length & 0xff])
  const header = new Uint8Array(10)
  header[0] = FINAL_TEXT
  header[1] = LENGTH_IN_EIGHT_BYTES
  new DataView(header.buffer).setBigUint64(2, BigInt(length))
  return header
}

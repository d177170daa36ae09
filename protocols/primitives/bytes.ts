const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const HEX_DIGITS = '0123456789abcdef'
const BASE64URL_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The two digits of each 12 bits: half as many pieces to join as with single digits. */
const BASE64URL_PAIRS: readonly string[] = Array.from(
  { length: 4096 },
  (_, bits) => BASE64URL_DIGITS.charAt(bits >> 6) + BASE64URL_DIGITS.charAt(bits & 63)
)

const BASE64URL_TEXT = /^[A-Za-z0-9_-]*$/

/** Undefined in a browser. */
const NodeBuffer: typeof Buffer | undefined = globalThis.Buffer

const NOT_A_DIGIT = 255
const HEX_VALUES = valuesOf(HEX_DIGITS)
const BASE64URL_VALUES = valuesOf(BASE64URL_DIGITS)

const encoder = new TextEncoder()

/** The bytes as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX_OF_BYTE[byte]
  return text
}

/** The bytes of lower-case hex; null for an odd length or any other character (upper case too). */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let index = 0; index < bytes.length; index += 1) {
    const high = digitAt(HEX_VALUES, text, index * 2)
    const low = digitAt(HEX_VALUES, text, index * 2 + 1)
    if (high === NOT_A_DIGIT || low === NOT_A_DIGIT) return null
    bytes[index] = (high << 4) | low
  }
  return bytes
}

/** The bytes of what was found to be lower-case hex before. Throws `TypeError` for anything else: that is a defect. */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new TypeError(`${hex} is no hex`)
  return bytes
}

/** The bytes as base64url without padding (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  let text = ''
  for (let index = 0; index < bytes.length; index += 3) {
    const group = (byteAt(bytes, index) << 16) | (byteAt(bytes, index + 1) << 8) | byteAt(bytes, index + 2)
    text += `${BASE64URL_PAIRS[group >> 12]}${BASE64URL_PAIRS[group & 0xfff]}`
  }
  // The last group stands for as many digits as it has bytes, and one.
  return text.slice(0, Math.ceil((bytes.length * 4) / 3))
}

/**
 * Whether the text is the one base64url encoding of some bytes: no padding, no white space, unused bits zero.
 */
export function isBase64url(text: string): boolean {
  if (text.length % 4 === 1 || !BASE64URL_TEXT.test(text)) return false
  const unusedBits = [0, 0, 0b1111, 0b11][text.length % 4] ?? 0
  return (digitAt(BASE64URL_VALUES, text, text.length - 1) & unusedBits) === 0 || text === ''
}

/** The bytes of base64url text; null unless it is the one encoding of those bytes (`isBase64url`). */
export function fromBase64url(text: string): Uint8Array | null {
  return isBase64url(text) ? decodeBase64url(text) : null
}

/** The bytes as base64 with padding (RFC 4648 section 4), as notes of C2SP have it. */
export function toBase64(bytes: Uint8Array): string {
  const text = toBase64url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** The bytes of base64 with padding; null unless it is the one encoding of those bytes. */
export function fromBase64(text: string): Uint8Array | null {
  const digits = text.replace(/={1,2}$/, '')
  if (text.length % 4 !== 0 || /[-_]/.test(text)) return null
  const bytes = fromBase64url(digits.replaceAll('+', '-').replaceAll('/', '_'))
  return bytes !== null && toBase64(bytes) === text ? bytes : null
}

function decodeBase64url(text: string): Uint8Array {
  // Several times faster than the loop, where the runtime has it.
  if (NodeBuffer !== undefined) return new Uint8Array(NodeBuffer.from(text, 'base64url'))
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let pending = 0
  let pendingBits = 0
  let at = 0
  for (let index = 0; index < text.length; index += 1) {
    pending = (pending << 6) | digitAt(BASE64URL_VALUES, text, index)
    pendingBits += 6
    if (pendingBits < 8) continue
    pendingBits -= 8
    bytes[at] = pending >> pendingBits
    at += 1
    pending &= (1 << pendingBits) - 1
  }
  return bytes
}

/** The text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** One new array that holds all parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** Whether both hold the same bytes. Not constant in time: for public values only. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false
  }
  return true
}

function valuesOf(digits: string): Uint8Array {
  const values = new Uint8Array(128).fill(NOT_A_DIGIT)
  for (let value = 0; value < digits.length; value += 1) values[digits.charCodeAt(value)] = value
  return values
}

function digitAt(values: Uint8Array, text: string, index: number): number {
  return values[text.charCodeAt(index)] ?? NOT_A_DIGIT
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

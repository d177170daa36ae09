import { SIGNER_CHARS_MAX, isDid } from '../../event/v1/envelope.ts'
import { concat, equalBytes, fromBase64, toBase64, toHex, utf8 } from '../../primitives/bytes.ts'
import { sha256 } from '../../primitives/sha256.ts'
import { SIGNATURE_BYTES, verifyEd25519 } from '../../signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../signature/v1/ed25519.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'

/** The algorithm byte of Ed25519 in C2SP signed-note. */
const ED25519 = 0x01
const KEY_ID_BYTES = 4
const HASH_BYTES = 32

// Beside origin, size, root and epoch others may add lines, and witnesses signatures: sixteen of each stay below this.
export const NOTE_BYTES_MAX = 16_384
const EXTENSIONS_MAX = 16
const SIGNATURES_MAX = 16

const SIZE_PATTERN = /^(?:0|[1-9][0-9]{0,15})$/
const EPOCH_LINE = /^epoch ([0-9a-f]{16})$/
const SIGNATURE_LINE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u

/** Which log a checkpoint is of: that of one key of a signer. */
export interface LogName {
  readonly signer: string
  readonly kid: string
}

/** What a checkpoint says: the log of `name` had, in this epoch, `size` records under `root`. */
export interface CheckpointText {
  readonly name: LogName
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** 16 hex digits: which log of the key it is. */
  readonly epoch: string
}

/** A note that has the form of a checkpoint; whether a signature is good is not known yet. */
export interface CheckpointNote extends CheckpointText {
  /** What is signed. */
  readonly text: Uint8Array
  readonly signatures: readonly NoteSignature[]
}

export interface NoteSignature {
  /** The name of the key. */
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Uint8Array
  readonly signature: Uint8Array
}

export type NoteReading =
  | { readonly ok: true; readonly note: CheckpointNote }
  | { readonly ok: false; readonly code: 'CHECKPOINT_MALFORMED'; readonly detail: string }

/** The origin line, which is also the name of the key (SPEC CHK-7). */
export function originOf({ signer, kid }: LogName): string {
  return `${signer}#${kid}`
}

/** The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), by C2SP signed-note. */
export function keyIdOf(name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(ED25519), publicKey)).subarray(0, KEY_ID_BYTES)
}

/** The key as other tools take it: `name+key id+base64(0x01 ‖ public key)`, the vkey of C2SP signed-note. */
export function verifierKeyOf(name: LogName, publicKey: Uint8Array): string {
  const origin = originOf(name)
  const key = toBase64(concat(Uint8Array.of(ED25519), publicKey))
  return `${origin}+${toHex(keyIdOf(origin, publicKey))}+${key}`
}

/** The bytes that are signed (SPEC CHK-7 to CHK-10). */
export function checkpointText(checkpoint: CheckpointText): Uint8Array {
  return utf8(textOf(checkpoint))
}

function textOf({ name, size, root, epoch }: CheckpointText): string {
  return `${originOf(name)}\n${size}\n${toBase64(root)}\nepoch ${epoch}\n`
}

/** The whole note. `signature` is over `checkpointText`. */
export function encodeCheckpoint(checkpoint: CheckpointText, publicKey: Uint8Array, signature: Uint8Array): string {
  const origin = originOf(checkpoint.name)
  const signed = toBase64(concat(keyIdOf(origin, publicKey), signature))
  return `${textOf(checkpoint)}\n— ${origin} ${signed}\n`
}

/** Reads a note by SPEC CHK-6 to CHK-11. Signatures are not verified. */
export function parseCheckpoint(bytes: Uint8Array): NoteReading {
  // [REJECT] CHK-6: the size and the characters of a note.
  if (bytes.length > NOTE_BYTES_MAX) return malformed(`${bytes.length} bytes`)
  const content = decodeUtf8(bytes)
  if (content === null || [...content].some(isControl)) return malformed('no UTF-8 text without control characters')
  const end = content.lastIndexOf('\n\n')
  if (end < 0 || !content.endsWith('\n'))
    return malformed('no text, empty line and signatures, each ended by a newline')
  const lines = content.slice(0, end).split('\n')
  const signed = content.slice(end + 2, -1).split('\n')
  // [REJECT] CHK-7 to CHK-10: the lines.
  const [origin = '', size = '', root = '', ...extensions] = lines
  const name = nameOf(origin)
  if (name === null) return malformed('the origin is no DID, number sign and kid')
  if (!SIZE_PATTERN.test(size) || !Number.isSafeInteger(Number(size))) return malformed('the size is none')
  const hash = fromBase64(root)
  if (hash?.length !== HASH_BYTES) return malformed('the root is not base64 of 32 bytes')
  const epoch = epochOf(extensions)
  if (epoch === null) return malformed('not just one epoch among at most sixteen further lines, none of them empty')
  // [REJECT] CHK-11: the signatures.
  const signatures = signed.length > SIGNATURES_MAX ? null : signed.map(signatureOf)
  if (signatures === null || !isComplete(signatures)) return malformed('a signature line has another form')
  const text = utf8(content.slice(0, end + 1))
  return { ok: true, note: { name, size: Number(size), root: hash, epoch, text, signatures } }
}

/** Whether a signature of the log's own key stands under the note and is good (SPEC CHK-12). */
export function isSignedBy({ name, text, signatures }: CheckpointNote, key: CheckedPublicKey): boolean {
  const origin = originOf(name)
  const keyId = keyIdOf(origin, key.bytes)
  const own = signatures.filter((entry) => entry.name === origin && equalBytes(entry.keyId, keyId))
  const [only] = own
  if (only === undefined || own.length > 1 || only.signature.length !== SIGNATURE_BYTES) return false
  return verifyEd25519(key, text, only.signature)
}

function nameOf(origin: string): LogName | null {
  const at = origin.indexOf('#')
  if (at < 0 || at > SIGNER_CHARS_MAX) return null
  const [signer, kid] = [origin.slice(0, at), origin.slice(at + 1)]
  return isDid(signer) && KID_PATTERN.test(kid) && !kid.endsWith('\n') ? { signer, kid } : null
}

function epochOf(extensions: readonly string[]): string | null {
  if (extensions.length > EXTENSIONS_MAX || extensions.includes('')) return null
  const epochs = extensions.flatMap((line) => EPOCH_LINE.exec(line)?.[1] ?? [])
  return epochs.length === 1 ? (epochs[0] ?? null) : null
}

function signatureOf(line: string): NoteSignature | null {
  const [, name, text] = SIGNATURE_LINE.exec(line) ?? []
  const bytes = text === undefined ? null : fromBase64(text)
  if (name === undefined || bytes === null || bytes.length <= KEY_ID_BYTES) return null
  return { name, keyId: bytes.subarray(0, KEY_ID_BYTES), signature: bytes.subarray(KEY_ID_BYTES) }
}

function isComplete(signatures: readonly (NoteSignature | null)[]): signatures is readonly NoteSignature[] {
  return signatures.length > 0 && !signatures.includes(null)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return null
  }
}

function malformed(detail: string): NoteReading {
  return { ok: false, code: 'CHECKPOINT_MALFORMED', detail }
}

/** ASCII control characters, of which a note holds none but the newline (C2SP signed-note). */
function isControl(character: string): boolean {
  return (character < ' ' && character !== '\n') || character === '\u007f'
}

import { ripemd160, sha1 } from '@noble/hashes/legacy.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concat, equalBytes, toHex, utf8 } from '../../primitives/bytes.ts'
import { sha256 } from '../../primitives/sha256.ts'
import type { ByteReader } from './byte-reader.ts'

/** A hash function that OpenTimestamps knows. */
export type OtsHash = 'sha1' | 'ripemd160' | 'sha256' | 'keccak256'

/** What turns one message into the next (SPEC BE-18). */
export type OtsOperation =
  | { readonly name: 'append' | 'prepend'; readonly argument: Uint8Array }
  | { readonly name: 'reverse' | 'hexlify' | OtsHash }

/** Longest message, argument and result in bytes (`Op.MAX_MSG_LENGTH` of the reference). */
const MESSAGE_BYTES_MAX = 4_096

/** Tags of operations by their names. */
const TAGS = {
  sha1: 0x02,
  ripemd160: 0x03,
  sha256: 0x08,
  keccak256: 0x67,
  append: 0xf0,
  prepend: 0xf1,
  reverse: 0xf2,
  hexlify: 0xf3
} as const satisfies Record<OtsOperation['name'], number>

const NAMES = new Map(Object.entries(TAGS).map(([name, tag]) => [tag as number, name as OtsOperation['name']]))

const HASHES: Readonly<Record<OtsHash, (data: Uint8Array) => Uint8Array>> = {
  sha1,
  ripemd160,
  sha256,
  keccak256: keccak_256
}

/** Length of the digests in bytes. */
const DIGEST_BYTES: Readonly<Record<OtsHash, number>> = { sha1: 20, ripemd160: 20, sha256: 32, keccak256: 32 }

/** Reads what follows the tag of an operation (SPEC BE-18). */
export function readOperation(reader: ByteReader, tag: number): OtsOperation {
  const name = NAMES.get(tag)
  // [INVALID] BE-18: what an unknown operation would make of the message, nobody can say.
  if (name === undefined) reader.refuse(`unknown operation ${tag}`)
  if (name !== 'append' && name !== 'prepend') return { name }
  return { name, argument: reader.varbytes(1, MESSAGE_BYTES_MAX) }
}

/** Reads the digest that a proof file is about: the tag of a hash and as many bytes as it has (SPEC BE-16). */
export function readFileDigest(reader: ByteReader): { readonly hash: OtsHash; readonly digest: Uint8Array } {
  const name = NAMES.get(reader.octet())
  if (name === undefined || !isHash(name)) reader.refuse('the digest of the file is of no known hash')
  return { hash: name, digest: reader.take(DIGEST_BYTES[name]) }
}

/** The tag and what follows it. Lengths are varuints of at most two digits. */
export function encodeOperation(operation: OtsOperation): Uint8Array {
  const tag = Uint8Array.of(TAGS[operation.name])
  if (!('argument' in operation)) return tag
  return concat(tag, encodeVaruint(operation.argument.length), operation.argument)
}

/** A varuint (SPEC BE-15) of an integer from 0 to 2^53 − 1. */
export function encodeVaruint(value: number): Uint8Array {
  const digits: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...digits, rest)
    digits.push((rest % 128) + 128)
  }
}

/** What the operation makes of the message; null where it can't be applied to it (SPEC BE-18). */
export function applyOperation(operation: OtsOperation, message: Uint8Array): Uint8Array | null {
  const result = resultOf(operation, message)
  return result !== null && result.length <= MESSAGE_BYTES_MAX ? result : null
}

/** Whether both are the same operation with the same argument. */
export function isSameOperation(left: OtsOperation, right: OtsOperation): boolean {
  return equalBytes(encodeOperation(left), encodeOperation(right))
}

function resultOf(operation: OtsOperation, message: Uint8Array): Uint8Array | null {
  switch (operation.name) {
    case 'append':
      return concat(message, operation.argument)
    case 'prepend':
      return concat(operation.argument, message)
    case 'reverse':
      return message.toReversed()
    case 'hexlify':
      return utf8(toHex(message))
    default:
      return HASHES[operation.name](message)
  }
}

function isHash(name: OtsOperation['name']): name is OtsHash {
  return Object.hasOwn(HASHES, name)
}

import { concat, equalBytes, utf8 } from '../../primitives/bytes.ts'
import { ByteReader } from './byte-reader.ts'
import { encodeAttestation, readAttestation } from './ots-attestation.ts'
import type { OtsAttestation } from './ots-attestation.ts'
import { applyOperation, encodeOperation, readFileDigest, readOperation } from './ots-operation.ts'
import type { OtsHash, OtsOperation } from './ots-operation.ts'
import { refusable } from './refusal.ts'
import type { EvidenceFailure } from './refusal.ts'

/** A message and what is known about it: at least one branch, in the order of the file. */
export interface OtsTimestamp {
  readonly message: Uint8Array
  readonly branches: readonly OtsBranch[]
}

/** Either who vouches for the message, or what is made of it and known about that. */
export type OtsBranch =
  { readonly attestation: OtsAttestation } | { readonly operation: OtsOperation; readonly timestamp: OtsTimestamp }

/** A proof file of OpenTimestamps (`DetachedTimestampFile`). */
export interface OtsProof {
  /** The hash that made the digest. */
  readonly hash: OtsHash
  /** The message of the timestamp is the digest of what was stamped. */
  readonly timestamp: OtsTimestamp
}

/** One step on the way from the digest: what was applied to which message, and what came of it. */
export interface OtsStep {
  readonly operation: OtsOperation
  readonly message: Uint8Array
  readonly result: Uint8Array
  /** The step that made `message`; null for the first. */
  readonly previous: OtsStep | null
}

/** An attestation with the message that it is about and the last step on the way there. */
export interface OtsAttested {
  readonly attestation: OtsAttestation
  readonly message: Uint8Array
  readonly lastStep: OtsStep | null
}

/** Real proofs have some hundred bytes to a few thousand; more would only be work for those who check. */
const PROOF_BYTES_MAX = 65_536

/** Nested operations (the recursion limit of the reference, 256, counts the digest too). */
const DEPTH_MAX = 255

/**
 * Of each operation the longer of what goes in and what comes out, together, in bytes. A byte of a file can ask for 4,096
 * to be hashed: without this bound a file within the other limits keeps a checker busy for seconds, while a real one
 * needs a hundredth of it.
 */
const MESSAGES_BYTES_MAX = 1_048_576

const MAGIC = Uint8Array.of(
  0,
  ...utf8('OpenTimestamps'),
  0,
  0,
  ...utf8('Proof'),
  0,
  0xbf,
  0x89,
  0xe2,
  0xe8,
  0x84,
  0xe8,
  0x92,
  0x94
)
const VERSION = 1
const ATTESTATION = 0x00
const ANOTHER = 0xff

/** Reads a proof file by SPEC BE-14 to BE-19; `OTS_MALFORMED` otherwise. */
export function parseOtsProof(bytes: Uint8Array): { readonly ok: true; readonly proof: OtsProof } | EvidenceFailure {
  return refusable(() => {
    const reader = readerOf(bytes)
    // [INVALID] BE-16: magic and version.
    if (!equalBytes(reader.take(MAGIC.length), MAGIC)) reader.refuse('no proof file of OpenTimestamps')
    if (reader.octet() !== VERSION) reader.refuse('an unknown version')
    const { hash, digest } = readFileDigest(reader)
    const timestamp = new TimestampReader(reader).read(digest)
    reader.end()
    return { ok: true, proof: { hash, timestamp } }
  })
}

/** The bytes of a proof file; of one that was read, the same bytes. */
export function encodeOtsProof({ hash, timestamp }: OtsProof): Uint8Array {
  return concat(
    MAGIC,
    Uint8Array.of(VERSION),
    encodeOperation({ name: hash }),
    timestamp.message,
    encodeOtsTimestamp(timestamp)
  )
}

/** Reads what is known about a message, as calendars answer it (SPEC BE-17); `OTS_MALFORMED` otherwise. */
export function parseOtsTimestamp(
  bytes: Uint8Array,
  message: Uint8Array
): { readonly ok: true; readonly timestamp: OtsTimestamp } | EvidenceFailure {
  return refusable(() => {
    const reader = readerOf(bytes)
    const timestamp = new TimestampReader(reader).read(message)
    reader.end()
    return { ok: true, timestamp }
  })
}

/** What is known about a message, without the message. */
export function encodeOtsTimestamp({ branches }: OtsTimestamp): Uint8Array {
  const last = branches.length - 1
  const parts = branches.flatMap((branch, index) =>
    index < last ? [Uint8Array.of(ANOTHER), encodeBranch(branch)] : [encodeBranch(branch)]
  )
  return concat(...parts)
}

/**
 * All attestations below a timestamp, each with its message and the way to it, in the order of the file. A step that is
 * on the way to several is one and the same object.
 */
export function attestationsOf(timestamp: OtsTimestamp): readonly OtsAttested[] {
  const found: OtsAttested[] = []
  collectAttestations(timestamp, null, found)
  return found
}

function collectAttestations({ message, branches }: OtsTimestamp, lastStep: OtsStep | null, into: OtsAttested[]): void {
  for (const branch of branches) {
    if ('attestation' in branch) into.push({ attestation: branch.attestation, message, lastStep })
    else {
      const { operation, timestamp: next } = branch
      collectAttestations(next, { operation, message, result: next.message, previous: lastStep }, into)
    }
  }
}

function readerOf(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes, 'OTS_MALFORMED')
  // [INVALID] BE-14: at most 65,536 bytes.
  if (bytes.length > PROOF_BYTES_MAX) reader.refuse(`a proof of ${bytes.length} bytes`)
  return reader
}

function encodeBranch(branch: OtsBranch): Uint8Array {
  return 'attestation' in branch
    ? concat(Uint8Array.of(ATTESTATION), encodeAttestation(branch.attestation))
    : concat(encodeOperation(branch.operation), encodeOtsTimestamp(branch.timestamp))
}

class TimestampReader {
  readonly #reader: ByteReader
  #messageBytes = 0

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  read(message: Uint8Array, depth = 0): OtsTimestamp {
    const branches: OtsBranch[] = []
    let octet = this.#reader.octet()
    for (; octet === ANOTHER; octet = this.#reader.octet()) {
      branches.push(this.#branch(this.#reader.octet(), message, depth))
    }
    branches.push(this.#branch(octet, message, depth))
    return { message, branches }
  }

  #branch(tag: number, message: Uint8Array, depth: number): OtsBranch {
    if (tag === ATTESTATION) return { attestation: readAttestation(this.#reader) }
    const operation = readOperation(this.#reader, tag)
    // [INVALID] BE-17: at most 255 operations on the way to an attestation.
    if (depth === DEPTH_MAX) this.#reader.refuse(`more than ${DEPTH_MAX} operations one after the other`)
    const result = applyOperation(operation, message)
    // [INVALID] BE-18: messages have at most 4,096 bytes, and 1,048,576 together.
    if (result === null) this.#reader.refuse(`${operation.name} makes too long a message`)
    this.#messageBytes += Math.max(message.length, result.length)
    if (this.#messageBytes > MESSAGES_BYTES_MAX) this.#reader.refuse('too much to compute')
    return { operation, timestamp: this.read(result, depth + 1) }
  }
}

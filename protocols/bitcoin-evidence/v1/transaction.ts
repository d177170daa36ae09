import { concat, equalBytes } from '../../primitives/bytes.ts'
import { ByteReader } from './byte-reader.ts'
import { hash256, printedHash } from './hashes.ts'
import { refusable } from './refusal.ts'
import type { EvidenceFailure } from './refusal.ts'

/** A transaction output. */
export interface TransactionOutput {
  readonly satoshis: bigint
  /** The scriptPubKey. */
  readonly script: Uint8Array
}

/** What a serialized transaction says, as far as it is of use here. */
export interface BitcoinTransaction {
  /** As Bitcoin's tools print it, 64 hex digits. */
  readonly txid: string
  /** The serialization without witness, of which `txid` is the hash. */
  readonly stripped: Uint8Array
  readonly outputs: readonly TransactionOutput[]
}

/** Largest serialization, in bytes: a block weighs at most 4,000,000, a byte at least 1 (BIP 141). */
const TRANSACTION_BYTES_MAX = 4_000_000

/** The outpoint (36), the length of an empty script (1) and the sequence number (4). */
const INPUT_BYTES_MIN = 41
/** The amount (8) and the length of an empty script (1). */
const OUTPUT_BYTES_MIN = 9

/**
 * Two hashes: a transaction of this size could be an inner node of a Merkle tree, and one could pass for it (SPEC BE-6).
 */
export const INNER_NODE_BYTES = 64

const OP_RETURN = 0x6a
const PUSH_32_BYTES = 0x20

/** Reads a serialized transaction, with or without witness, by SPEC BE-2 to BE-5. `BTC_MALFORMED` otherwise. */
export function parseTransaction(
  bytes: Uint8Array
): { readonly ok: true; readonly transaction: BitcoinTransaction } | EvidenceFailure {
  return refusable(() => ({ ok: true, transaction: readTransaction(bytes) }))
}

/** Whether any output carries the root, 32 bytes: OP_RETURN and one direct push (SPEC BE-8). */
export function carriesRoot({ outputs }: BitcoinTransaction, root: Uint8Array): boolean {
  const script = concat(Uint8Array.of(OP_RETURN, PUSH_32_BYTES), root)
  return outputs.some((output) => equalBytes(output.script, script))
}

function readTransaction(bytes: Uint8Array): BitcoinTransaction {
  const reader = new ByteReader(bytes, 'BTC_MALFORMED')
  // [INVALID] BE-2: at most 4,000,000 bytes.
  if (bytes.length > TRANSACTION_BYTES_MAX) reader.refuse(`a transaction of ${bytes.length} bytes`)
  const version = reader.take(4)
  const hasWitness = reader.peek() === 0
  // [INVALID] BE-4: marker 00, flags 01. So no transaction without inputs can be read as one.
  if (hasWitness && (reader.octet() !== 0 || reader.octet() !== 1)) reader.refuse('no inputs, or unknown flags')
  const from = reader.at
  const inputs = readInputs(reader)
  const outputs = readOutputs(reader)
  const body = bytes.subarray(from, reader.at)
  if (hasWitness) readWitness(reader, inputs)
  const lockTime = reader.take(4)
  // [INVALID] BE-2: nothing follows.
  reader.end()
  const stripped = hasWitness ? concat(version, body, lockTime) : bytes
  return { txid: printedHash(hash256(stripped)), stripped, outputs }
}

/** Returns how many there are. */
function readInputs(reader: ByteReader): number {
  const count = reader.count(INPUT_BYTES_MIN)
  // [INVALID] BE-5: at least one input and one output.
  if (count === 0) reader.refuse('no inputs')
  for (let index = 0; index < count; index += 1) {
    reader.take(36)
    reader.take(reader.compactSize())
    reader.take(4)
  }
  return count
}

function readOutputs(reader: ByteReader): readonly TransactionOutput[] {
  const count = reader.count(OUTPUT_BYTES_MIN)
  if (count === 0) reader.refuse('no outputs')
  const outputs: TransactionOutput[] = []
  for (let index = 0; index < count; index += 1) {
    outputs.push({ satoshis: reader.bigLittleEndian(), script: reader.take(reader.compactSize()) })
  }
  return outputs
}

function readWitness(reader: ByteReader, inputs: number): void {
  let items = 0
  for (let input = 0; input < inputs; input += 1) {
    const count = reader.count(1)
    for (let item = 0; item < count; item += 1) reader.take(reader.compactSize())
    items += count
  }
  // [INVALID] BE-4: a witness that holds nothing is left out.
  if (items === 0) reader.refuse('an empty witness')
}

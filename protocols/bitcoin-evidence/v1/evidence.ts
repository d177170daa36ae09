import { equalBytes, fromBase64url, fromHex } from '../../primitives/bytes.ts'
import type { BitcoinTimestampAnchor } from '../../event/v1/timestamp-anchor.ts'
import { hasProofOfWork, parseHeader } from './header.ts'
import { hashOfPrinted, printedHash } from './hashes.ts'
import { rootOfBranch } from './merkle-branch.ts'
import { attestationsOf, parseOtsProof } from './open-timestamps.ts'
import type { OtsProof, OtsStep } from './open-timestamps.ts'
import { Refusal, refusable } from './refusal.ts'
import type { EvidenceFailure } from './refusal.ts'
import { carriesRoot, INNER_NODE_BYTES, parseTransaction } from './transaction.ts'
import type { BitcoinTransaction } from './transaction.ts'

/** Evidence that holds in itself: what the header of its block has to say for it to prove anything. */
export interface BitcoinCommitment {
  readonly ok: true
  /** One of them (32 bytes, not reversed) is the Merkle root of the block. */
  readonly merkleRoots: readonly Uint8Array[]
}

/** Evidence that stands by its hash, and whose bytes are not here. */
export interface EvidenceMissing {
  readonly ok: false
  readonly code: 'EVIDENCE_MISSING'
  readonly detail: string
}

/**
 * Checks all that the evidence shows by itself (SPEC BE-6 to BE-9, BE-21 to BE-23): that the batch root (64 hex digits)
 * is in the transaction, and that the transaction leads to a Merkle root. Evidence must stand inline.
 */
export function checkBitcoinEvidence(
  timestampAnchor: BitcoinTimestampAnchor,
  batchRoot: string
): BitcoinCommitment | EvidenceFailure | EvidenceMissing {
  const evidence = 'otsProof' in timestampAnchor ? timestampAnchor.otsProof : timestampAnchor.rawTx
  const bytes = typeof evidence === 'string' ? fromBase64url(evidence) : null
  if (bytes === null) return { ok: false, code: 'EVIDENCE_MISSING', detail: 'the bytes of the evidence are not here' }
  const root = fromHex(batchRoot) as Uint8Array
  return refusable(() => ({
    ok: true,
    merkleRoots:
      'otsProof' in timestampAnchor
        ? rootsOfProof(bytes, root, timestampAnchor)
        : [rootOfTransaction(bytes, root, timestampAnchor)]
  }))
}

/** A block's header that bears the evidence out. */
export interface ProvenHeader {
  readonly ok: true
  /** Milliseconds since 1970, as the block says. */
  readonly provenTime: number
}

/**
 * Checks the header of the block against what the evidence leads to (SPEC BE-12, BE-13). The 80 bytes must hash to the
 * block hash of the evidence: `null` where they do not, which is no fault of the evidence.
 */
export function checkBitcoinHeader(
  { merkleRoots }: BitcoinCommitment,
  { blockHash, chainId }: BitcoinTimestampAnchor,
  bytes: Uint8Array
): ProvenHeader | EvidenceFailure | null {
  const header = parseHeader(bytes)
  if (header?.hash !== blockHash) return null
  const network = chainId.slice(chainId.indexOf(':') + 1)
  // [INVALID] BE-12.
  if (!hasProofOfWork(header, network)) return failure('BTC_POW', `block ${blockHash} does not meet its target`)
  // [INVALID] BE-13.
  if (!merkleRoots.some((root) => equalBytes(root, header.merkleRoot))) {
    return failure('BTC_BRANCH', `the evidence does not lead to the Merkle root of block ${blockHash}`)
  }
  return { ok: true, provenTime: header.time * 1000 }
}

/** A block that a proof leads to. */
export interface AttestedBlock {
  readonly blockHeight: number
  /** As Bitcoin's tools print it: what the proof takes for the Merkle root of the block. */
  readonly merkleRoot: string
  /** The transaction that the proof passes through, as Bitcoin's tools print its id; null where there is none. */
  readonly txid: string | null
}

/** The Bitcoin blocks that a proof leads to, in the order of the file: what is needed to announce it (SPEC BE-23). */
export function attestedBlocks({ timestamp }: OtsProof): readonly AttestedBlock[] {
  return attestationsOf(timestamp).flatMap(({ attestation, message, lastStep }) =>
    attestation.kind === 'bitcoin'
      ? [{ blockHeight: attestation.height, merkleRoot: printedHash(message), txid: txidOnTheWay(lastStep) }]
      : []
  )
}

type TransactionAnchor = Extract<BitcoinTimestampAnchor, { readonly rawTx: unknown }>

function rootOfTransaction(bytes: Uint8Array, root: Uint8Array, anchored: TransactionAnchor): Uint8Array {
  const { txid, txIndex, merkleBranch } = anchored
  const transaction = transactionOf(bytes, txid)
  // [INVALID] BE-8.
  if (!carriesRoot(transaction, root)) throw new Refusal('BTC_ROOT_NOT_FOUND', 'no output carries the root')
  const merkleRoot = rootOfBranch(printed(txid), txIndex, merkleBranch.map(printed))
  // [INVALID] BE-9.
  if (merkleRoot === null) throw new Refusal('BTC_BRANCH', `the branch does not lead up from place ${txIndex}`)
  return merkleRoot
}

type ProofAnchor = Extract<BitcoinTimestampAnchor, { readonly otsProof: unknown }>

function rootsOfProof(bytes: Uint8Array, root: Uint8Array, anchored: ProofAnchor): readonly Uint8Array[] {
  const reading = parseOtsProof(bytes)
  if (!reading.ok) throw new Refusal(reading.code, reading.detail)
  const { hash, timestamp } = reading.proof
  // [INVALID] BE-21: the proof begins at the root.
  if (hash !== 'sha256' || !equalBytes(timestamp.message, root)) {
    throw new Refusal('OTS_ROOT', 'the proof is about another digest')
  }
  const { txid, blockHeight } = anchored
  // [INVALID] BE-22: it leads to a block of that height…
  const attested = attestationsOf(timestamp).filter(
    ({ attestation }) => attestation.kind === 'bitcoin' && attestation.height === blockHeight
  )
  if (attested.length === 0) throw new Refusal('BTC_BRANCH', `the proof does not lead to block ${blockHeight}`)
  // [INVALID] BE-23: …through the transaction.
  const known = new Map<OtsStep, boolean>()
  const through = attested.filter(({ lastStep }) => passesThrough(lastStep, txid, known))
  if (through.length === 0) throw new Refusal('BTC_ROOT_NOT_FOUND', `no way to the block passes through ${txid}`)
  return through.map(({ message }) => message)
}

/**
 * Whether the double SHA-256 of a transaction is on the way and is the id; refuses what only looks like one. `known` are
 * the answers for steps that were met before: thousands of attestations may share the way to them.
 */
function passesThrough(step: OtsStep | null, txid: string, known: Map<OtsStep, boolean>): boolean {
  if (step === null) return false
  const before = known.get(step)
  if (before !== undefined) return before
  const { previous } = step
  let passes = isSha256(step) && isSha256(previous) && equalBytes(step.result, printed(txid))
  if (passes && previous !== null) transactionOf(previous.message, txid)
  else passes = passesThrough(previous, txid, known)
  known.set(step, passes)
  return passes
}

function txidOnTheWay(lastStep: OtsStep | null): string | null {
  for (let step = lastStep; step !== null; step = step.previous) {
    if (!isSha256(step) || !isSha256(step.previous)) continue
    const { message } = step.previous
    const reading = message.length === INNER_NODE_BYTES ? null : parseTransaction(message)
    if (reading?.ok === true && reading.transaction.stripped.length === message.length) return reading.transaction.txid
  }
  return null
}

const isSha256 = (step: OtsStep | null): step is OtsStep => step?.operation.name === 'sha256'

/** The transaction with that id which the bytes are. */
function transactionOf(bytes: Uint8Array, txid: string): BitcoinTransaction {
  const reading = parseTransaction(bytes)
  const size = reading.ok ? reading.transaction.stripped.length : bytes.length
  // [INVALID] BE-6: a node of a tree does not pass for a transaction.
  if (size === INNER_NODE_BYTES) throw new Refusal('BTC_TX_64_BYTES', 'it may be a node of a Merkle tree')
  // [INVALID] BE-2 to BE-5.
  if (!reading.ok) throw new Refusal(reading.code, reading.detail)
  const { transaction } = reading
  // [INVALID] BE-7: it is the one that is named.
  if (transaction.txid !== txid) throw new Refusal('BTC_MALFORMED', `the transaction has the id ${transaction.txid}`)
  return transaction
}

/** A hash of an envelope, which was found to be one. */
const printed = (hash: string): Uint8Array => hashOfPrinted(hash) as Uint8Array

function failure(code: EvidenceFailure['code'], detail: string): EvidenceFailure {
  return { ok: false, code, detail }
}

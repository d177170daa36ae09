import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import { fromBase64url, isBase64url } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { HASH_PATTERN } from './envelope.ts'

/** Evidence bytes: inline as base64url, or by the SHA-256 (hex) of a blob that is fetched apart. */
export type Evidence = string | { readonly blob: string }

/** What every Bitcoin timestamp anchor says. Hashes are in the order in which Bitcoin's tools print them. */
interface BitcoinBase {
  /** `btc:<network>`, as `btc:mainnet`. */
  readonly chainId: string
  readonly txid: string
  readonly blockHash: string
  readonly blockHeight: number
}

/** The root stands in an OP_RETURN output of `rawTx`, and the branch leads from that transaction to its block. */
interface BitcoinTransactionAnchor extends BitcoinBase {
  readonly rawTx: Evidence
  /** Position of the transaction in the block, from 0. */
  readonly txIndex: number
  /** Sibling hashes from the transaction up to the block's Merkle root. */
  readonly merkleBranch: readonly string[]
}

/** An OpenTimestamps proof leads from the root, through the transaction, to the block's Merkle root. */
interface OpenTimestampsAnchor extends BitcoinBase {
  readonly otsProof: Evidence
}

export type BitcoinTimestampAnchor = BitcoinTransactionAnchor | OpenTimestampsAnchor

/** An EVM transaction that carries the root. */
export interface EvmTimestampAnchor {
  /** `eip155:<chain id>`, as `eip155:1`. */
  readonly chainId: string
  /** 64 hex digits, without `0x`. */
  readonly txHash: string
  readonly blockNumber: number
  /** The contract that was called or that logged: 40 lower-case hex digits, without `0x`. */
  readonly contract?: string
  readonly carriedIn: 'calldata' | 'log'
}

/** An RFC 3161 token over the root. */
export interface TsaTimestampAnchor {
  /** `rfc3161:<tsa>`, as `rfc3161:freetsa`. */
  readonly chainId: string
  /** The DER TimeStampToken. */
  readonly token: Evidence
}

/** Evidence that a root existed, told apart by what its `chainId` begins with. */
export type TimestampAnchor = BitcoinTimestampAnchor | EvmTimestampAnchor | TsaTimestampAnchor

/**
 * Longest branch. A block of 4 MB holds fewer than 2^17 transactions; 32 is beyond anything that a block size could
 * become and still keeps `txIndex` within 32 bits.
 */
const MERKLE_BRANCH_MAX = 32

const RAIL_PATTERNS = {
  btc: /^btc:[a-z0-9][a-z0-9-]{0,31}$/,
  eip155: /^eip155:[1-9][0-9]{0,31}$/,
  rfc3161: /^rfc3161:[a-z0-9][a-z0-9._-]{0,63}$/
} as const

const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const EVIDENCE: Member = { is: isEvidence, expected: 'base64url text or an object with a blob hash' }
const BLOCK_NUMBER: Member = {
  is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
  expected: 'an integer from 0'
}
// The rail was told by the pattern of its chainId already.
const CHAIN_ID: Member = { is: () => true, expected: 'a chain id' }

const BITCOIN_BASE_SHAPE: Shape = { blockHash: HASH, blockHeight: BLOCK_NUMBER, chainId: CHAIN_ID, txid: HASH }

const BITCOIN_TRANSACTION_SHAPE: Shape = {
  ...BITCOIN_BASE_SHAPE,
  merkleBranch: {
    is: (value) => Array.isArray(value) && value.length <= MERKLE_BRANCH_MAX && value.every(HASH.is),
    expected: `a list of at most ${MERKLE_BRANCH_MAX} hashes`
  },
  rawTx: EVIDENCE,
  txIndex: { is: (value) => isIntegerBetween(value, 0, 2 ** MERKLE_BRANCH_MAX - 1), expected: 'an integer below 2^32' }
}

const OPEN_TIMESTAMPS_SHAPE: Shape = { ...BITCOIN_BASE_SHAPE, otsProof: EVIDENCE }

const EVM_SHAPE: Shape = {
  blockNumber: BLOCK_NUMBER,
  carriedIn: { is: (value) => value === 'calldata' || value === 'log', expected: 'calldata or log' },
  chainId: CHAIN_ID,
  contract: { is: (value) => isStringLike(value, /^[0-9a-f]{40}$/), expected: '40 hex digits', optional: true },
  txHash: HASH
}

const TSA_SHAPE: Shape = { chainId: CHAIN_ID, token: EVIDENCE }

/** Whether the value is a chain's name on one of the rails (SPEC EV-22). */
export function isChainId(value: JsonValue): value is string {
  return Object.values(RAIL_PATTERNS).some((pattern) => isStringLike(value, pattern))
}

/** Why the value is no timestamp anchor (SPEC EV-22 to EV-26), in words that begin with `name`; null when it is one. */
export function timestampAnchorProblem(value: JsonValue, name: string): string | null {
  if (!isJsonObject(value)) return `${name}: expected an object`
  const chainId = value['chainId']
  if (isStringLike(chainId, RAIL_PATTERNS.rfc3161)) return shapeProblem(value, TSA_SHAPE, name)
  if (isStringLike(chainId, RAIL_PATTERNS.eip155)) return shapeProblem(value, EVM_SHAPE, name)
  if (!isStringLike(chainId, RAIL_PATTERNS.btc)) return `${name}.chainId: expected btc:…, eip155:… or rfc3161:…`
  if (Object.hasOwn(value, 'otsProof')) return shapeProblem(value, OPEN_TIMESTAMPS_SHAPE, name)
  return shapeProblem(value, BITCOIN_TRANSACTION_SHAPE, name) ?? branchProblem(value as never, name)
}

/** The SHA-256 of the evidence bytes, hex, whether they stand inline or by hash. */
export function evidenceHash(evidence: Evidence): string {
  return typeof evidence === 'string' ? sha256Hex(fromBase64url(evidence) as Uint8Array) : evidence.blob
}

function branchProblem({ txIndex, merkleBranch }: BitcoinTransactionAnchor, name: string): string | null {
  return txIndex < 2 ** merkleBranch.length
    ? null
    : `${name}.txIndex: no such leaf under a branch of ${merkleBranch.length}`
}

function isEvidence(value: JsonValue): boolean {
  if (typeof value === 'string') return value !== '' && isBase64url(value)
  return shapeProblem(value, { blob: HASH }, 'evidence') === null
}

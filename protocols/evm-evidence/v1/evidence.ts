import { equalBytes, fromHex } from '../../primitives/bytes.ts'
import type { EvmTimestampAnchor } from '../../event/v1/timestamp-anchor.ts'

/** What a transaction did, as far as evidence goes. Addresses and topics are lower-case hex without `0x`. */
export interface EvmCarrier {
  /** `null` where the transaction creates a contract. */
  readonly to: string | null
  readonly input: Uint8Array
  /** Whether the receipt's status is 1. */
  readonly succeeded: boolean
  readonly logs: readonly EvmLog[]
}

export interface EvmLog {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: Uint8Array
}

/** Why a transaction does not carry the root as its anchor says. */
export type EvmEvidenceCode = 'EVM_REVERTED' | 'EVM_ROOT_NOT_FOUND' | 'EVM_CONTRACT'

/** What an anchor says of the place. */
type Anchored = Pick<EvmTimestampAnchor, 'carriedIn' | 'contract'>

const SELECTOR_BYTES = 4
const WORD_BYTES = 32

/** Which of SPEC EE-8, EE-9 and EE-11 to EE-13 the transaction breaks; null when it carries the root (64 hex digits). */
export function evidenceProblem(
  anchored: Anchored,
  batchRoot: string,
  transaction: EvmCarrier
): EvmEvidenceCode | null {
  const inCalldata = calldataProblem(anchored, batchRoot, transaction)
  if (inCalldata !== null) return inCalldata
  // EE-11
  if (!transaction.succeeded) return 'EVM_REVERTED'
  if (anchored.carriedIn === 'calldata') return null
  const root = rootBytes(batchRoot)
  const carriers = transaction.logs.filter((log) => carriedInLog(log, root, batchRoot))
  // EE-12
  if (carriers.length === 0) return 'EVM_ROOT_NOT_FOUND'
  // EE-13
  const { contract } = anchored
  return contract === undefined || carriers.some(({ address }) => address === contract) ? null : 'EVM_CONTRACT'
}

/** SPEC EE-8 and EE-9 alone, which the transaction's hash decides: null too where the root is in no calldata. */
export function calldataProblem(
  { carriedIn, contract }: Anchored,
  batchRoot: string,
  { to, input }: Pick<EvmCarrier, 'to' | 'input'>
): 'EVM_ROOT_NOT_FOUND' | 'EVM_CONTRACT' | null {
  if (carriedIn !== 'calldata') return null
  // EE-8
  if (!carriedInInput(input, rootBytes(batchRoot))) return 'EVM_ROOT_NOT_FOUND'
  // EE-9
  return contract === undefined || contract === to ? null : 'EVM_CONTRACT'
}

function rootBytes(batchRoot: string): Uint8Array {
  const root = fromHex(batchRoot)
  if (root?.length !== WORD_BYTES) throw new TypeError('a batch root is 64 hex digits')
  return root
}

function carriedInInput(input: Uint8Array, root: Uint8Array): boolean {
  if (equalBytes(input, root)) return true
  const words = input.subarray(SELECTOR_BYTES)
  return words.length % WORD_BYTES === 0 && hasWord(words, root)
}

function carriedInLog({ topics, data }: EvmLog, root: Uint8Array, batchRoot: string): boolean {
  return topics.includes(batchRoot) || hasWord(data, root)
}

function hasWord(words: Uint8Array, root: Uint8Array): boolean {
  for (let at = 0; at + WORD_BYTES <= words.length; at += WORD_BYTES) {
    if (equalBytes(words.subarray(at, at + WORD_BYTES), root)) return true
  }
  return false
}

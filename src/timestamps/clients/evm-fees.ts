import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { bytesOfQuantity } from '../../../protocols/evm-evidence/v1/hex-values.ts'
import { toHex } from '../../../protocols/primitives/bytes.ts'
import type { RpcCall, RpcOutcome } from './evm-json-rpc.ts'
import type { EvmFees } from './evm-draft.ts'

/** What to ask for `feesOf`. */
export const FEE_CALLS = [
  { method: 'eth_getBlockByNumber', params: ['latest', false] },
  { method: 'eth_maxPriorityFeePerGas', params: [] },
  { method: 'eth_gasPrice', params: [] }
] as const satisfies readonly RpcCall[]

// Six full blocks, one after the other, raise the base fee to twice what it is (EIP-1559).
const BASE_FEE_FACTOR = 2n
// Nodes take a transaction in the place of another of the same nonce from 10 % more on, for both parts of the fee.
const RAISE_PERCENT = 125n

const INTEGER_BYTES_MAX = 32

/** What a transaction has to offer now; null where the node does not say. */
export function feesOf([block, priority, price]: readonly [RpcOutcome, RpcOutcome, RpcOutcome]): EvmFees | null {
  if (!block.ok || !isJsonObject(block.result)) return null
  const baseFee = integerOf(block.result['baseFeePerGas'])
  const gasPrice = price.ok ? integerOf(price.result) : null
  if (baseFee === null) return gasPrice === null ? null : { gasPrice }
  // Not every node has the method; a gas price is the base fee and what is usual on top.
  const usual = gasPrice === null || gasPrice < baseFee ? null : gasPrice - baseFee
  const maxPriorityFeePerGas = (priority.ok ? integerOf(priority.result) : null) ?? usual
  if (maxPriorityFeePerGas === null) return null
  return { maxFeePerGas: BASE_FEE_FACTOR * baseFee + maxPriorityFeePerGas, maxPriorityFeePerGas }
}

/** What a transaction has to offer to take the place of one that offered `before`. */
export function raisedFees(before: EvmFees, now: EvmFees): EvmFees {
  if ('gasPrice' in before) {
    return { gasPrice: larger(raised(before.gasPrice), 'gasPrice' in now ? now.gasPrice : now.maxFeePerGas) }
  }
  const market = 'gasPrice' in now ? { maxFeePerGas: now.gasPrice, maxPriorityFeePerGas: now.gasPrice } : now
  return {
    maxFeePerGas: larger(raised(before.maxFeePerGas), market.maxFeePerGas),
    maxPriorityFeePerGas: larger(raised(before.maxPriorityFeePerGas), market.maxPriorityFeePerGas)
  }
}

/** The integer of a quantity; null for what is none. */
export function integerOf(value: JsonValue | undefined): bigint | null {
  const bytes = bytesOfQuantity(value, INTEGER_BYTES_MAX)
  return bytes === null ? null : BigInt(`0x${toHex(bytes) || '0'}`)
}

function raised(fee: bigint): bigint {
  // Rounded up, so that the smallest fee grows too.
  return (fee * RAISE_PERCENT) / 100n + 1n
}

function larger(left: bigint, right: bigint): bigint {
  return left > right ? left : right
}

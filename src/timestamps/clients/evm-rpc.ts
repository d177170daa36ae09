import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { numberOfQuantity } from '../../../protocols/evm-evidence/v1/hex-values.ts'
import type { Clock } from '../../platform/clock.ts'
import type { EvmProvider, EvmSight, EvmTag } from '../evm/provider.ts'
import type { ProviderHealth } from '../verifier.ts'
import type { ProviderAnswer } from '../provider.ts'
import { EvmJsonRpc } from './evm-json-rpc.ts'
import type { RpcOutcome } from './evm-json-rpc.ts'
import { readBlock, readReceipt, readTransaction } from './evm-values.ts'
import type { Place, RpcBlock, RpcReceipt, RpcTransaction } from './evm-values.ts'

export interface EvmRpcOptions {
  /** `eip155:<chain id>`. */
  readonly chainId: string
  /** http or https; may hold user name and password, which are never shown. */
  readonly url: string
  readonly clock: Clock
}

/** Shows transactions by the JSON-RPC of an Ethereum node (github.com/ethereum/execution-apis). */
export function createEvmRpc({
  chainId,
  url,
  clock
}: EvmRpcOptions): EvmProvider & { readonly health: ProviderHealth } {
  const rpc = new EvmJsonRpc(chainId, url, clock)
  const chain = BigInt(chainId.slice('eip155:'.length))
  return {
    name: rpc.name,
    get health() {
      return rpc.health
    },
    async see(txHash, blockNumber, tag, signal) {
      const first = await look(rpc, chain, { txHash, blockNumber, tag }, signal)
      if (!first.ok || first.value.problem === null) return sightOf(first)
      // The calls are answered one after the other, and perhaps by several nodes: the chain may have moved between them.
      const second = await look(rpc, chain, { txHash, blockNumber, tag }, signal)
      if (!second.ok || second.value.problem === null) return sightOf(second)
      return rpc.failure('PROVIDER_MALFORMED', `contradicts itself: ${second.value.problem}`)
    }
  }
}

interface Asked {
  readonly txHash: string
  readonly blockNumber: number
  readonly tag: EvmTag | null
}

interface Look {
  readonly sight: EvmSight
  /** What in it does not hold together; `null` when all does. */
  readonly problem: string | null
}

function sightOf(looked: ProviderAnswer<Look>): ProviderAnswer<EvmSight> {
  return looked.ok ? { ok: true, value: looked.value.sight } : looked
}

async function look(rpc: EvmJsonRpc, chain: bigint, asked: Asked, signal: AbortSignal): Promise<ProviderAnswer<Look>> {
  const { txHash, blockNumber, tag } = asked
  const answer = await rpc.ask(
    [
      { method: 'eth_getTransactionByHash', params: [`0x${txHash}`] },
      { method: 'eth_getTransactionReceipt', params: [`0x${txHash}`] },
      { method: 'eth_getBlockByNumber', params: [`0x${blockNumber.toString(16)}`, false] },
      { method: 'eth_getBlockByNumber', params: ['finalized', false] },
      // The last, so that a chain that grows meanwhile does not look shorter than the block that was asked for.
      { method: 'eth_blockNumber', params: [] }
    ],
    signal
  )
  if (!answer.ok) return answer
  const [transactionOutcome, receiptOutcome, blockOutcome, finalizedOutcome, headOutcome] = answer.value
  // Asked for seldom: `latest` is what the number of the newest block is for.
  const safe =
    tag === 'safe' ? await rpc.ask([{ method: 'eth_getBlockByNumber', params: ['safe', false] }], signal) : null
  if (safe?.ok === false) return safe

  for (const outcome of [transactionOutcome, receiptOutcome, headOutcome]) {
    if (!outcome.ok) return rpc.failure('PROVIDER_UNREACHABLE', `answered with an error: ${outcome.message}`)
  }
  const headNumber = numberOfQuantity(resultOf(headOutcome))
  if (headNumber === null) return rpc.failure('PROVIDER_MALFORMED', 'answered with no block number')
  // Some have an error where others have `null` for a block above their newest.
  if (!blockOutcome.ok && headNumber >= blockNumber)
    return rpc.failure('PROVIDER_UNREACHABLE', `does not show block ${blockNumber}: ${blockOutcome.message}`)

  const block = readBlock(resultOf(blockOutcome))
  const transaction = readTransaction(resultOf(transactionOutcome), txHash, chain)
  const receipt = readReceipt(resultOf(receiptOutcome), txHash)
  // A chain without finality, or too young for it, has no such block, and many nodes say so by an error.
  const finalized = readBlock(resultOf(finalizedOutcome))
  const tagged = safe === null ? finalized : readBlock(resultOf(safe.value[0]))
  for (const read of [block, transaction, receipt, finalized, tagged]) {
    if (!read.ok) return rpc.failure('PROVIDER_MALFORMED', `answered with ${read.problem}`)
  }
  if (!block.ok || !transaction.ok || !receipt.ok || !finalized.ok || !tagged.ok) throw new Error('checked above')
  if (block.value !== null && block.value.number !== blockNumber)
    return rpc.failure('PROVIDER_MALFORMED', `answered with another block than ${blockNumber}`)

  const seen = { headNumber, block: block.value, transaction: transaction.value, receipt: receipt.value }
  const sight: EvmSight = {
    headNumber,
    taggedNumber: tag === null ? null : tag === 'latest' ? headNumber : (tagged.value?.number ?? null),
    finalizedNumber: finalized.value?.number ?? null,
    block: block.value && {
      hash: block.value.hash,
      number: block.value.number,
      timestamp: block.value.timestamp,
      holdsTransaction: block.value.transactionHashes.includes(txHash)
    },
    transaction: placed(seen)
  }
  return { ok: true, value: { sight, problem: problemOf(seen, asked) } }
}

interface Seen {
  readonly headNumber: number
  readonly block: RpcBlock | null
  readonly transaction: RpcTransaction | null
  readonly receipt: RpcReceipt | null
}

function resultOf(outcome: RpcOutcome): JsonValue {
  return outcome.ok ? outcome.result : null
}

function placed({ transaction, receipt }: Seen): EvmSight['transaction'] {
  const place = transaction?.place ?? null
  if (transaction === null || place === null || receipt === null) return null
  const { to, input, hashChecked } = transaction
  const { succeeded, logs } = receipt
  return { blockHash: place.blockHash, blockNumber: place.blockNumber, to, input, hashChecked, succeeded, logs }
}

/** SPEC EE-2. */
function problemOf({ headNumber, block, transaction, receipt }: Seen, { txHash, blockNumber }: Asked): string | null {
  if (block === null && headNumber >= blockNumber) return `no block ${blockNumber}, though the newest is ${headNumber}`
  const place = transaction?.place ?? null
  if ((place === null) !== (receipt === null)) return 'a transaction without its receipt, or the other way round'
  if (place !== null && receipt !== null) {
    if (!isSamePlace(place, receipt.place)) return 'a transaction and its receipt in two places'
    if (transaction?.from !== receipt.from || transaction.to !== receipt.to) return 'a receipt of another transaction'
  }
  if (block === null) return null
  const index = block.transactionHashes.indexOf(txHash)
  if (index < 0) return place?.blockHash === block.hash ? 'a transaction in a block that does not list it' : null
  // Nodes that keep no index of old transactions know it no more.
  if (place === null) return 'a transaction in a block, which is not shown'
  const listed = { blockHash: block.hash, blockNumber, index }
  return isSamePlace(place, listed) ? null : 'a transaction in another place than its block lists it'
}

function isSamePlace(left: Place, right: Place): boolean {
  return left.blockHash === right.blockHash && left.blockNumber === right.blockNumber && left.index === right.index
}

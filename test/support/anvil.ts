import { addr, Transaction } from 'micro-eth-signer'
import { findAnvil, startEvmChain } from '../../src/cli/demo/evm-chain.ts'
import type { EvmChain, EvmChainOptions } from '../../src/cli/demo/evm-chain.ts'

/**
 * A contract that logs its calldata, with no topic: CALLDATACOPY all of it to memory, LOG0, STOP, behind the code that
 * deploys these bytes.
 */
const LOGGER_CODE = '600b600c600039600b6000f3366000600037366000a000'

/** A contract that takes no call: REVERT. */
export const REVERTER_CODE = '6005600c60003960056000f360006000fd'

/** anvil, with what tests do to a chain. Blocks are made on demand only. Hex is without `0x`. */
export interface Anvil extends EvmChain {
  readonly privateKey: string
  readonly address: string
  rpc<Result>(method: string, ...params: readonly unknown[]): Promise<Result>
  mine(blocks?: number): Promise<void>
  /** Replaces the newest blocks by as many others, empty but for the given signed transactions in the first of them. */
  reorganise(depth: number, rawTransactions?: readonly string[]): Promise<void>
  /** Sends a transaction, not mined yet, from the account (or from `privateKey`); its hash. */
  send(transaction: SentTransaction): Promise<string>
  /** Sends a transaction and makes a block with it. */
  include(transaction: SentTransaction): Promise<{ readonly txHash: string; readonly blockNumber: number }>
  /** The address of a contract with that code for its creation. */
  deploy(code: string): Promise<string>
  /** A contract that logs its calldata as it is, without topics. */
  deployLogger(): Promise<string>
  headNumber(): Promise<number>
}

export interface SentTransaction {
  /** Its own account, if not given; `null` creates a contract. */
  readonly to?: string | null
  readonly data?: string
  readonly nonce?: number
  readonly privateKey?: string
}

const WEI_PER_GWEI = 1_000_000_000n

/** Starts anvil; ends with this process at the latest. */
export async function startAnvil(options: EvmChainOptions = {}): Promise<Anvil> {
  const anvil = findAnvil()
  if (anvil === null) throw new Error('@foundry-rs/anvil is not installed')
  const chain = await startEvmChain(anvil, { ...options, args: ['--no-mining', ...(options.args ?? [])] })
  const [privateKey = ''] = chain.privateKeys
  const rpc = async <Result>(method: string, ...params: readonly unknown[]): Promise<Result> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const response = await fetch(chain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const { result, error } = (await response.json()) as { result: Result; error?: { message: string } }
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result
  }
  const mine = async (blocks = 1): Promise<void> => {
    await rpc('anvil_mine', `0x${blocks.toString(16)}`)
  }
  const send = async ({ to, data = '', nonce, privateKey: key = privateKey }: SentTransaction): Promise<string> => {
    const from = addr.fromPrivateKey(key)
    const pending = await rpc<string>('eth_getTransactionCount', from, 'pending')
    const transaction = Transaction.prepare(
      {
        type: 'eip1559',
        chainId: BigInt(chain.chainId.slice('eip155:'.length)),
        nonce: BigInt(nonce ?? pending),
        to: to === null ? '0x' : to === undefined ? from : `0x${to}`,
        value: 0n,
        data: `0x${data}`,
        // Given, because an estimate refuses what reverts.
        gasLimit: 200_000n,
        maxFeePerGas: 100n * WEI_PER_GWEI,
        maxPriorityFeePerGas: WEI_PER_GWEI
      },
      false
    ).signBy(key)
    return (await rpc<string>('eth_sendRawTransaction', transaction.toHex())).slice(2)
  }
  const include: Anvil['include'] = async (transaction) => {
    const txHash = await send(transaction)
    await mine()
    const { blockNumber } = await rpc<{ blockNumber: string }>('eth_getTransactionReceipt', `0x${txHash}`)
    return { txHash, blockNumber: Number(blockNumber) }
  }
  const deploy = async (code: string): Promise<string> => {
    const { txHash } = await include({ to: null, data: code })
    const receipt = await rpc<{ contractAddress: string }>('eth_getTransactionReceipt', `0x${txHash}`)
    return receipt.contractAddress.slice(2)
  }
  return {
    ...chain,
    privateKey,
    address: addr.fromPrivateKey(privateKey).slice(2).toLowerCase(),
    rpc,
    mine,
    reorganise: async (depth, rawTransactions = []) => {
      const inFirst = rawTransactions.map((raw) => [raw, 0])
      await rpc('anvil_reorg', depth, inFirst)
    },
    send,
    include,
    deploy,
    deployLogger: () => deploy(LOGGER_CODE),
    headNumber: async () => Number(await rpc<string>('eth_blockNumber'))
  }
}

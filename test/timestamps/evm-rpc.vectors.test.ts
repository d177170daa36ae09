import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { EvmTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { transactionHash } from '../../protocols/evm-evidence/v1/transaction-hash.ts'
import { createEvmRpc } from '../../src/timestamps/clients/evm-rpc.ts'
import { createEvmVerifier } from '../../src/timestamps/evm/verifier.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { describeThirdParty, readJson } from '../protocols/third-party.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { startNode } from './support/recorded-chain.ts'
import type { Answer } from './support/recorded-chain.ts'

const never = new AbortController().signal
const clock = createHandClock()
const numberOf = (quantity: string): number => Number(BigInt(quantity))

async function verdict(answer: Answer, anchored: EvmTimestampAnchor, batchRoot: string): Promise<VerifierResult> {
  await using node = await startNode(answer)
  const { chainId } = anchored
  const providers = [createEvmRpc({ chainId, url: node.url, clock })]
  const request = { timestampAnchor: anchored, batchRoot, finality: { depth: 10 } }
  return await createEvmVerifier({ chainId, providers, k: 1 }).verify(request, never)
}

interface Transaction extends JsonObject {
  readonly hash: string
  readonly blockHash: string
  readonly blockNumber: string
  readonly transactionIndex: string
  readonly to: string | null
  readonly from: string
  readonly type: string
}

interface Block extends JsonObject {
  readonly hash: string
  readonly number: string
  readonly timestamp: string
}

describeThirdParty('evm/ethereumjs', (folder) => {
  const block = readJson(folder, 'infura-goerli-block-10536893.json') as Block & { transactions: Transaction[] }
  const [index, root] = [33, '1a1c654292ab7eb4ef07030a864d9c6b77ce7a960f9f3aa30d5a6fac1f1077d4']
  const transaction = block.transactions[index] as Transaction

  test('every transaction of a block hashes to its hash', () => {
    expect(block.transactions.length).toBeGreaterThan(50)
    for (const each of block.transactions) expect(transactionHash(each)).toEqual({ ok: true, hash: each.hash.slice(2) })
  })

  // The receipt is not among the data; all but its status follows from the block.
  const receipt = {
    transactionHash: transaction.hash,
    transactionIndex: transaction.transactionIndex,
    blockHash: block.hash,
    blockNumber: block.number,
    from: transaction.from,
    to: transaction.to,
    status: '0x1',
    logs: []
  }
  const answers: Readonly<Record<string, unknown>> = {
    eth_chainId: '0x5',
    eth_blockNumber: `0x${(numberOf(block.number) + 12).toString(16)}`,
    eth_getTransactionByHash: transaction,
    eth_getTransactionReceipt: receipt,
    eth_getBlockByNumber: { ...block, transactions: block.transactions.map(({ hash }) => hash) }
  }
  const answer: Answer = (method, params) => (params[0] === 'finalized' ? null : answers[method])
  const anchored: EvmTimestampAnchor = {
    chainId: 'eip155:5',
    txHash: transaction.hash.slice(2),
    blockNumber: numberOf(block.number),
    contract: transaction.to?.slice(2) ?? '',
    carriedIn: 'calldata'
  }

  test('a call that carried a root on Goerli proves it', async () => {
    expect(await verdict(answer, anchored, root)).toMatchObject({
      outcome: 'valid',
      finality: { depth: 12 },
      position: 10_536_893,
      provenTime: Date.parse('2024-02-14T16:05:00Z'),
      evidence: { blockHash: block.hash.slice(2), transactionHashChecked: true }
    })
  })

  test('and no other root, contract, place or block', async () => {
    const other = root.replace('1', '2')
    expect(await verdict(answer, anchored, other)).toMatchObject({ code: 'EVM_ROOT_NOT_FOUND' })
    expect(await verdict(answer, { ...anchored, carriedIn: 'log' }, root)).toMatchObject({ code: 'EVM_ROOT_NOT_FOUND' })
    expect(await verdict(answer, { ...anchored, contract: '0'.repeat(40) }, root)).toMatchObject({
      code: 'EVM_CONTRACT'
    })
    const forged: Answer = (method, params) =>
      method === 'eth_getTransactionByHash' ? { ...transaction, input: `0x97ad09eb${other}` } : answer(method, params)
    expect(await verdict(forged, anchored, other)).toMatchObject({ outcome: 'unreachable', code: 'PROVIDER_MALFORMED' })
  })
})

interface Exchange {
  readonly method: string
  readonly params: readonly unknown[]
  readonly result: unknown
}

function exchangesOf(folder: string, method: string): readonly (Exchange & { readonly file: string })[] {
  return readdirSync(join(folder, method)).map((file) => {
    const lines = readFileSync(join(folder, method, file), 'utf8').split('\n')
    const of = (mark: string): unknown => JSON.parse(lines.find((line) => line.startsWith(mark))?.slice(3) ?? 'null')
    const { params } = of('>>') as Exchange
    return { file: file.replace('.io', ''), method, params, result: (of('<<') as Exchange).result }
  })
}

describeThirdParty('evm/execution-apis', (folder) => {
  const transactions = exchangesOf(folder, 'eth_getTransactionByHash')
  const receipts = exchangesOf(folder, 'eth_getTransactionReceipt')
  const blocks = exchangesOf(folder, 'eth_getBlockByNumber')
  const { config } = readJson(folder, 'genesis.json') as { config: { chainId: number } }
  const chainId = `eip155:${config.chainId}`
  const recorded = [...transactions, ...receipts, ...blocks]
  /** Of blocks that are not among the data, what their transactions say of them. */
  const blockOf = (number: unknown): unknown => {
    const found = transactions
      .map(({ result }) => result as Transaction | null)
      .find((each) => each?.blockNumber === number)
    if (found === undefined || found === null) return null
    const before = Array.from({ length: numberOf(found.transactionIndex) }, () => `0x${'00'.repeat(32)}`)
    return { hash: found.blockHash, number, timestamp: found['blockTimestamp'], transactions: [...before, found.hash] }
  }
  const answer: Answer = (method, params) => {
    if (method === 'eth_chainId') return `0x${config.chainId.toString(16)}`
    if (method === 'eth_blockNumber') return '0x36'
    const exact = recorded.find(
      (each) => each.method === method && JSON.stringify(each.params) === JSON.stringify(params)
    )
    return exact?.result ?? (method === 'eth_getBlockByNumber' ? blockOf(params[0]) : null)
  }

  const shown = transactions.filter(
    ({ result, params }) => result !== null && answer('eth_getTransactionReceipt', params) !== null
  )
  test('of every type there is one', () => {
    expect(shown.map(({ result }) => (result as Transaction).type)).toEqual(
      expect.arrayContaining(['0x0', '0x1', '0x2', '0x3', '0x4'])
    )
  })

  test.each(shown)('$file', async ({ result }) => {
    const { hash, blockNumber, to } = result as Transaction
    await using node = await startNode(answer)
    const provider = createEvmRpc({ chainId, url: node.url, clock })
    const receipt = answer('eth_getTransactionReceipt', [hash]) as { status?: string; logs: readonly unknown[] }
    expect(await provider.see(hash.slice(2), numberOf(blockNumber), null, never)).toMatchObject({
      ok: true,
      value: {
        headNumber: 0x36,
        block: { number: numberOf(blockNumber), holdsTransaction: true },
        transaction: {
          hashChecked: true,
          to: to?.slice(2) ?? null,
          // Those from before EIP-658 have no status.
          succeeded: receipt.status === '0x1',
          logs: { length: receipt.logs.length }
        }
      }
    })
  })

  test.each(transactions.filter(({ result }) => result === null))('$file', async ({ params }) => {
    await using node = await startNode(answer)
    const provider = createEvmRpc({ chainId, url: node.url, clock })
    expect(await provider.see(String(params[0]).slice(2), 0x2a, null, never)).toMatchObject({
      ok: true,
      value: { block: { holdsTransaction: false }, transaction: null }
    })
  })

  test('a topic of a log in a blob transaction carries what stands in it', async () => {
    const blob = shown.find(({ file }) => file === 'get-blob-tx')?.result as Transaction
    const receipt = answer('eth_getTransactionReceipt', [blob.hash]) as {
      logs: { topics: string[]; address: string }[]
    }
    const [log] = receipt.logs
    const anchored: EvmTimestampAnchor = {
      chainId,
      txHash: blob.hash.slice(2),
      blockNumber: numberOf(blob.blockNumber),
      contract: log?.address.slice(2) ?? '',
      carriedIn: 'log'
    }
    const topic = log?.topics[1]?.slice(2) ?? ''
    expect(await verdict(answer, anchored, topic)).toMatchObject({ outcome: 'valid', provenTime: 420_000 })
  })
})

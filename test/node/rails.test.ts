import { afterAll, beforeAll, expect, it, test } from 'vitest'
import type { AnchormeshNode } from '../../src/node.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import { describeBitcoind, startBitcoind } from '../support/bitcoind.ts'
import type { Bitcoind } from '../support/bitcoind.ts'
import { startFederation } from '../support/federation.ts'
import { BTC_CHAIN, DEPTH, EVM_CHAIN, TSA_CHAIN } from '../support/real-rails.ts'
import { until } from '../support/until.ts'
import {
  BATCH,
  anchored,
  everywhere,
  evmTimeOf,
  expectEqual,
  shared,
  stands,
  winnerChanges,
  winnerOf,
  wins
} from './rail-checks.ts'

test('an EVM chain that is rewritten takes its anchor back on every node; sent again when asked, it wins again', async () => {
  const federation = await startFederation()
  const { maker, rails, nodes } = federation
  await maker.seal({ ...BATCH, receipts: [{ n: 1 }, 'two'] })
  expect(await maker.anchor({ ...BATCH, rail: 'tsa' })).toMatchObject({ state: 'announced' })
  await wins(federation, TSA_CHAIN)
  const { heard } = winnerChanges(nodes[1] as AnchormeshNode)
  const first = await anchored(federation, 'evm', () => rails.anvil.mine(1 + DEPTH))
  const rows = await wins(federation, EVM_CHAIN)
  for (const row of rows)
    expect(row).toMatchObject({
      status: 'verified',
      winner: { evidenceId: first.evidenceId },
      losers: [{ chainId: TSA_CHAIN, rule: 'rail' }]
    })
  await expectEqual(federation)

  await rails.anvil.reorganise(1 + DEPTH)
  await stands(federation, first.evidenceId, { status: 'invalid', code: 'EVM_NOT_FOUND' })
  await wins(federation, TSA_CHAIN)
  await expectEqual(federation)
  await until('the reader hears of it', () => heard.length === 2)
  expect(heard).toMatchObject([
    { cause: 'displaced', rule: 'rail', previous: { chainId: TSA_CHAIN }, winner: { chainId: EVM_CHAIN } },
    { cause: 'withdrawn', rule: null, previous: { chainId: EVM_CHAIN }, winner: { chainId: TSA_CHAIN } }
  ])

  // Nothing is sent again before somebody asks.
  expect((await maker.status()).anchoring).toMatchObject({ underWay: 0, failed: 0 })
  const second = await anchored(federation, 'evm', () => rails.anvil.mine(1 + DEPTH))
  expect(second.evidenceId).toBe(first.evidenceId)
  expect(second.eventId).not.toBe(first.eventId)
  for (const row of await wins(federation, EVM_CHAIN))
    expect(row).toMatchObject({ winner: { evidenceId: first.evidenceId }, loserCount: 1 })
  expect(await rails.anvil.rpc('eth_getTransactionCount', `0x${rails.anvil.address}`, 'latest')).toBe('0x1')
  await expectEqual(federation)
})

test('an EVM transaction that a rewritten chain has in the same block still counts, with the time that the block has now', async () => {
  const federation = await startFederation()
  const { maker, rails } = federation
  await maker.seal({ ...BATCH, receipts: ['one'] })
  const { evidenceId } = await anchored(federation, 'evm', () => rails.anvil.mine(1 + DEPTH))
  await wins(federation, EVM_CHAIN)
  const raw = await rails.anvil.rpc<string>('eth_getRawTransactionByHash', `0x${evidenceId}`)
  await rails.anvil.reorganise(1 + DEPTH, [raw])
  const blockNumber = Number(
    (await rails.anvil.rpc<{ blockNumber: string }>('eth_getTransactionReceipt', `0x${evidenceId}`)).blockNumber
  )
  const provenTime = await evmTimeOf(rails, { blockNumber })
  await stands(federation, evidenceId, { status: 'verified', position: blockNumber, provenTime })
  await expectEqual(federation)
})

test('an EVM chain that falls back behind a block leaves its anchor open until another block is final there', async () => {
  const federation = await startFederation()
  const { maker, rails } = federation
  await maker.seal({ ...BATCH, receipts: ['one'] })
  await maker.anchor({ ...BATCH, rail: 'tsa' })
  const before = await rails.anvil.rpc('evm_snapshot')
  const { evidenceId } = await anchored(federation, 'evm', () => rails.anvil.mine(1 + DEPTH))
  await wins(federation, EVM_CHAIN)
  await rails.anvil.rpc('evm_revert', before)
  await stands(federation, evidenceId, { status: 'pending', code: null })
  await wins(federation, TSA_CHAIN)
  await expectEqual(federation)
  await rails.anvil.mine(1 + DEPTH)
  await stands(federation, evidenceId, { status: 'invalid', code: 'EVM_NOT_FOUND' })
  await expectEqual(federation)
})

describeBitcoind('nodes that verify all rails by themselves', () => {
  let bitcoind: Bitcoind
  beforeAll(async () => {
    bitcoind = await startBitcoind()
  })
  afterAll(() => bitcoind.stop())

  const headerTime = async (blockHash: string): Promise<number> =>
    ((await bitcoind.rpc('getblockheader', blockHash)) as { readonly time: number }).time * 1_000
  const blockOf = async (txid: string): Promise<string> =>
    ((await bitcoind.wallet('gettransaction', txid)) as { readonly blockhash: string }).blockhash

  it('have one winner: Bitcoin displaces an EVM chain later, and gives way while its block is not in the best chain', async () => {
    const federation = await startFederation({ bitcoind })
    const { maker, rails, nodes } = federation
    const { heard } = winnerChanges(nodes[2] as AnchormeshNode)
    await maker.seal({ ...BATCH, receipts: [{ n: 1 }, 'two', 3] })
    const token = await maker.anchor({ ...BATCH, rail: 'tsa' })
    expect(token).toMatchObject({ state: 'announced' })
    const [byToken] = await wins(federation, TSA_CHAIN)
    const tokenTime = byToken?.winner?.provenTime ?? 0
    const evm = await anchored(federation, 'evm', () => rails.anvil.mine(1 + DEPTH))
    const [byEvm] = await wins(federation, EVM_CHAIN)
    const evmTime = await evmTimeOf(rails, { blockNumber: byEvm?.winner?.position ?? 0 })
    const btc = await anchored(federation, 'btc', () => bitcoind.mine(1 + DEPTH))
    const block = await blockOf(btc.evidenceId)
    const btcTime = await headerTime(block)

    const decided = {
      status: 'verified',
      winner: { chainId: BTC_CHAIN, evidenceId: btc.evidenceId, provenTime: btcTime },
      losers: [
        { chainId: EVM_CHAIN, evidenceId: evm.evidenceId, provenTime: evmTime, rule: 'rail' },
        { chainId: TSA_CHAIN, evidenceId: token.evidenceId, provenTime: tokenTime, rule: 'rail' }
      ],
      loserCount: 2,
      earliestProvenTime: Math.min(tokenTime, evmTime, btcTime)
    }
    const rows = await wins(federation, BTC_CHAIN)
    for (const row of rows) expect(row).toMatchObject(decided)
    expect(rows.map(shared)).toEqual(rows.map(() => shared(rows[0] as WinnerRow)))
    await expectEqual(federation)
    await until('the reader hears of all', () => heard.length === 3)
    expect(heard).toMatchObject([
      { cause: 'first', previous: null, winner: { chainId: TSA_CHAIN } },
      { cause: 'displaced', rule: 'rail', previous: { chainId: TSA_CHAIN }, winner: { chainId: EVM_CHAIN } },
      {
        cause: 'displaced',
        rule: 'rail',
        previous: { chainId: EVM_CHAIN, provenTime: evmTime },
        winner: { chainId: BTC_CHAIN, provenTime: btcTime }
      }
    ])

    await bitcoind.rpc('invalidateblock', block)
    const address = await bitcoind.wallet('getnewaddress')
    const mineOthers = async (blocks: number): Promise<void> => {
      // Empty, so that the transaction is in none of them.
      for (let left = blocks; left > 0; left -= 1) await bitcoind.rpc('generateblock', address, [])
    }
    await mineOthers(1)
    await stands(federation, btc.evidenceId, { status: 'pending', code: null })
    for (const row of await wins(federation, EVM_CHAIN))
      expect(row).toMatchObject({ losers: [{ chainId: TSA_CHAIN }], loserCount: 1 })
    await expectEqual(federation)
    await mineOthers(DEPTH)
    await stands(federation, btc.evidenceId, { status: 'invalid', code: 'BTC_NOT_BEST_CHAIN' })
    await wins(federation, EVM_CHAIN)
    await expectEqual(federation)

    await bitcoind.restore(block)
    await stands(federation, btc.evidenceId, { status: 'verified', provenTime: btcTime })
    for (const row of await wins(federation, BTC_CHAIN)) expect(row).toMatchObject(decided)
    await expectEqual(federation)
    expect(heard.slice(3)).toMatchObject([
      { cause: 'withdrawn', previous: { chainId: BTC_CHAIN }, winner: { chainId: EVM_CHAIN } },
      { cause: 'displaced', rule: 'rail', previous: { chainId: EVM_CHAIN }, winner: { chainId: BTC_CHAIN } }
    ])
  })

  it('show an anchor that another block took up only once it is announced there, which costs nothing', async () => {
    const federation = await startFederation({ bitcoind })
    const { maker } = federation
    await maker.seal({ ...BATCH, receipts: ['one'] })
    const first = await anchored(federation, 'btc', () => bitcoind.mine(1 + DEPTH))
    await wins(federation, BTC_CHAIN)
    await bitcoind.reorganise(await blockOf(first.evidenceId))
    await bitcoind.mine(1 + DEPTH)
    expect(await blockOf(first.evidenceId)).toMatch(/^[0-9a-f]{64}$/)
    await stands(federation, first.evidenceId, { status: 'invalid', code: 'BTC_NOT_BEST_CHAIN' })
    await everywhere(
      federation,
      'nothing wins',
      winnerOf,
      ({ winner, status }) => winner === null && status === 'proposed'
    )

    const paid = await bitcoind.wallet('listtransactions', '*', 1_000)
    const again = await maker.anchor({ ...BATCH, rail: 'btc' })
    expect(again).toMatchObject({ state: 'announced', evidenceId: first.evidenceId })
    expect(again.eventId).not.toBe(first.eventId)
    for (const row of await wins(federation, BTC_CHAIN)) expect(row).toMatchObject({ loserCount: 0 })
    expect(await bitcoind.wallet('listtransactions', '*', 1_000)).toEqual(paid)
    expect(await bitcoind.rpc('getrawmempool')).toEqual([])
    const { rows } = await maker.query('timestamp-anchors', BATCH)
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['invalid', 'verified']))
    expect(rows).toHaveLength(2)
    await expectEqual(federation)
  })

  it('have another transaction made when the coins of the announced one were spent otherwise', async () => {
    const federation = await startFederation({ bitcoind })
    const { maker } = federation
    await maker.seal({ ...BATCH, receipts: ['one'] })
    const first = await anchored(federation, 'btc', () => bitcoind.mine(1 + DEPTH))
    await wins(federation, BTC_CHAIN)
    const address = (await bitcoind.wallet('getnewaddress')) as string
    const spend = await otherSpendOf(first.evidenceId, address)
    await bitcoind.reorganise(await blockOf(first.evidenceId))
    await bitcoind.rpc('generateblock', address, [spend])
    await stands(federation, first.evidenceId, { status: 'invalid', code: 'BTC_NOT_BEST_CHAIN' })

    const second = await anchored(federation, 'btc', () => bitcoind.mine(1 + DEPTH))
    expect(second.evidenceId).not.toBe(first.evidenceId)
    for (const { winner } of await wins(federation, BTC_CHAIN))
      expect(winner).toMatchObject({ evidenceId: second.evidenceId })
    await expectEqual(federation)
  })

  /** A signed transaction that sends the coins of another one to the address. */
  async function otherSpendOf(txid: string, address: string): Promise<string> {
    interface Decoded {
      readonly decoded: { readonly vin: readonly { readonly txid: string; readonly vout: number }[] }
    }
    const { decoded } = (await bitcoind.wallet('gettransaction', txid, true, true)) as Decoded
    const inputs = decoded.vin.map(({ txid: of, vout }) => ({ txid: of, vout }))
    // Much less than there is: the rest is a fee, and nobody minds.
    const raw = await bitcoind.rpc('createrawtransaction', inputs, [{ [address]: 1 }])
    const previous = await Promise.all(
      inputs.map(async ({ txid: of, vout }) => {
        interface Spent {
          readonly decoded: {
            readonly vout: readonly { readonly value: number; readonly scriptPubKey: { readonly hex: string } }[]
          }
        }
        const spent = (await bitcoind.wallet('gettransaction', of, true, true)) as Spent
        const output = spent.decoded.vout[vout]
        return { txid: of, vout, scriptPubKey: output?.scriptPubKey.hex, amount: output?.value }
      })
    )
    const signed = (await bitcoind.wallet('signrawtransactionwithwallet', raw, previous)) as { readonly hex: string }
    return signed.hex
  }
})

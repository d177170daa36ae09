import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { BitcoinTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { timestampAnchorProblem } from '../../protocols/event/v1/timestamp-anchor.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { AnchorStep } from '../../src/anchoring/anchorer.ts'
import { parseBitcoinProvider } from '../../src/policy/bitcoin-provider.ts'
import { createBitcoinVerifier } from '../../src/timestamps/bitcoin/verifier.ts'
import { createBitcoinProvider } from '../../src/timestamps/clients/bitcoin-provider.ts'
import type { BitcoinCoreAddress } from '../../src/timestamps/clients/bitcoin-rpc.ts'
import { createBitcoinWalletAnchorer } from '../../src/timestamps/clients/bitcoin-wallet-anchorer.ts'
import type { BitcoinWalletAnchorer } from '../../src/timestamps/clients/bitcoin-wallet-anchorer.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { describeBitcoind, startBitcoind } from '../support/bitcoind.ts'
import type { Bitcoind } from '../support/bitcoind.ts'
import { createHandClock } from '../support/hand-clock.ts'

const NEVER = new AbortController().signal
const DEPTH = 3

type UnderWay = Extract<AnchorStep, { state: 'under-way' }>

function underWay(step: AnchorStep): UnderWay {
  if (step.state !== 'under-way') throw new Error(JSON.stringify(step))
  return step
}

function complete(step: AnchorStep): BitcoinTimestampAnchor {
  if (step.state !== 'complete') throw new Error(JSON.stringify(step))
  return step.timestampAnchor as BitcoinTimestampAnchor
}

const txidOf = ({ draft }: UnderWay): string => draft['txid'] as string

let roots = 0
function nextRoot(): string {
  roots += 1
  return sha256Hex(`root ${roots}`)
}

describeBitcoind('a wallet that anchors', () => {
  let node: Bitcoind
  let anchorer: BitcoinWalletAnchorer
  beforeAll(async () => {
    node = await startBitcoind()
  })
  afterAll(() => node.stop())
  // So that a test that leaves drafts or transactions behind is in nobody's way.
  beforeEach(async () => {
    anchorer = anchorerOf(node.walletAddress)
    await node.wallet('lockunspent', true)
    await node.mine(1)
  })

  const anchorerOf = (address: string, network = 'regtest'): BitcoinWalletAnchorer =>
    createBitcoinWalletAnchorer(parseBitcoinProvider(address) as BitcoinCoreAddress, {
      network,
      folder: '.',
      clock: createHandClock()
    })
  const advance = (root: string, { draft }: { readonly draft: JsonObject }): Promise<AnchorStep> =>
    anchorer.advance(root, draft, NEVER)
  const prepare = async (root: string): Promise<UnderWay> => underWay(await anchorer.prepare(root, NEVER))
  const mempool = async (): Promise<unknown> => await node.rpc('getrawmempool')
  const locked = async (): Promise<unknown[]> => (await node.wallet('listlockunspent')) as unknown[]
  const inputsOf = async ({ draft }: UnderWay): Promise<unknown[]> => {
    const { vin } = (await node.rpc('decoderawtransaction', draft['rawTx'])) as {
      vin: { txid: string; vout: number }[]
    }
    return vin.map(({ txid, vout }) => ({ txid, vout }))
  }
  const anchored = async (root: string): Promise<BitcoinTimestampAnchor> => {
    const draft = underWay(await advance(root, await prepare(root)))
    await node.mine(1)
    return complete(await advance(root, draft))
  }
  const verify = async (timestampAnchor: BitcoinTimestampAnchor, batchRoot: string): Promise<VerifierResult> => {
    const address = parseBitcoinProvider(node.providerAddress) as BitcoinCoreAddress
    const surroundings = { network: 'regtest', folder: '.', clock: createHandClock() }
    const providers = [createBitcoinProvider(address, surroundings)]
    const verifier = createBitcoinVerifier({ network: 'regtest', providers, k: 1 })
    return await verifier.verify({ timestampAnchor, batchRoot, finality: { depth: DEPTH } }, NEVER)
  }

  it('makes evidence that is verified once it is deep enough', async () => {
    const root = nextRoot()
    const prepared = await prepare(root)
    expect(await mempool()).toEqual([])
    const sent = underWay(await advance(root, prepared))
    expect(sent.draft).toEqual(prepared.draft)
    expect(await mempool()).toEqual([txidOf(prepared)])
    // As often as anybody likes.
    expect(underWay(await advance(root, sent)).draft).toEqual(prepared.draft)
    const [blockHash = ''] = await node.mine(1)
    const timestampAnchor = complete(await advance(root, sent))
    expect(timestampAnchorProblem(timestampAnchor as never, 'anchor')).toBeNull()
    const { height } = await node.tip()
    expect(timestampAnchor).toMatchObject({
      chainId: 'btc:regtest',
      txid: txidOf(sent),
      blockHash,
      blockHeight: height
    })

    for (let depth = 0; depth < DEPTH; depth += 1) {
      expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'notYetFinal', depth, needed: DEPTH })
      await node.mine(1)
    }
    const { time } = (await node.rpc('getblockheader', blockHash)) as { time: number }
    expect(await verify(timestampAnchor, root)).toMatchObject({
      outcome: 'valid',
      position: height,
      provenTime: time * 1000
    })
    expect(await verify(timestampAnchor, nextRoot())).toMatchObject({ outcome: 'invalid', code: 'BTC_ROOT_NOT_FOUND' })
  })

  it('makes evidence of one among many transactions, at any place of the block', async () => {
    const all: { root: string; draft: UnderWay }[] = []
    for (let count = 0; count < 5; count += 1) {
      const root = nextRoot()
      all.push({ root, draft: underWay(await advance(root, await prepare(root))) })
    }
    await node.mine(1)
    const places = new Set<number>()
    const { hash } = await node.tip()
    const anchors = await Promise.all(
      all.map(async ({ root, draft }) => ({ root, timestampAnchor: complete(await advance(root, draft)) }))
    )
    await node.mine(DEPTH)
    for (const { root, timestampAnchor } of anchors) {
      if (!('txIndex' in timestampAnchor)) throw new Error('no transaction')
      places.add(timestampAnchor.txIndex)
      expect(timestampAnchor.blockHash).toBe(hash)
      expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'valid' })
    }
    expect(places).toEqual(new Set([1, 2, 3, 4, 5]))
  })

  it('loses what stands in a block that is left behind, and has it again when the block is back', async () => {
    const root = nextRoot()
    const timestampAnchor = await anchored(root)
    await node.mine(DEPTH)
    expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'valid' })
    const { blockHash, blockHeight } = timestampAnchor
    await node.reorganise(blockHash)
    expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'invalid', code: 'BTC_NOT_BEST_CHAIN' })
    const instead = await node.rpc('getblockhash', blockHeight)
    await node.rpc('invalidateblock', instead)
    await node.rpc('reconsiderblock', blockHash)
    expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'valid' })
  })

  it('goes on with a transaction whose block is left behind until another one holds it', async () => {
    const root = nextRoot()
    const draft = underWay(await advance(root, await prepare(root)))
    await node.mine(1)
    const first = complete(await advance(root, draft))
    await node.reorganise(first.blockHash)
    const again = underWay(await advance(root, draft))
    expect(await mempool()).toEqual([txidOf(draft)])
    await node.mine(1)
    const second = complete(await advance(root, again))
    expect(second.txid).toBe(first.txid)
    expect(second.blockHash).not.toBe(first.blockHash)
  })

  it('is ready when the block of its transaction came before anybody asked', async () => {
    const root = nextRoot()
    const prepared = await prepare(root)
    await node.rpc('generateblock', await node.wallet('getnewaddress'), [prepared.draft['rawTx']])
    expect(complete(await advance(root, prepared)).txid).toBe(txidOf(prepared))
  })

  it('spends no coin in two drafts', async () => {
    const drafts = await Promise.all([1, 2, 3].map(() => prepare(nextRoot())))
    const inputs = (await Promise.all(drafts.map(inputsOf))).flat()
    expect(new Set(inputs.map((input) => JSON.stringify(input))).size).toBe(inputs.length)
    expect(await locked()).toHaveLength(inputs.length)
  })

  it('gives a draft up whose coin was spent', async () => {
    const root = nextRoot()
    const prepared = await prepare(root)
    await node.wallet('lockunspent', true)
    const [input] = await inputsOf(prepared)
    const other = nextRoot()
    const raw = await node.wallet('createrawtransaction', [input], [{ data: other }])
    const { hex } = (await node.wallet('fundrawtransaction', raw, { fee_rate: 50 })) as { hex: string }
    const signed = (await node.wallet('signrawtransactionwithwallet', hex)) as { hex: string }
    await node.wallet('sendrawtransaction', signed.hex)
    // In the memory of the node, and then in a block.
    expect(await advance(root, prepared)).toMatchObject({ state: 'failed', code: 'TRANSACTION_CONFLICT' })
    await node.mine(1)
    expect(await advance(root, prepared)).toMatchObject({ state: 'failed', code: 'TRANSACTION_CONFLICT' })
    expect(await locked()).toEqual([])
    await anchored(root)
  })

  it('gives a draft up that was broadcast when another transaction with its coin is in a block', async () => {
    const root = nextRoot()
    const sent = underWay(await advance(root, await prepare(root)))
    const [input] = await inputsOf(sent)
    const address = await node.wallet('getnewaddress')
    const raw = await node.wallet('createrawtransaction', [input], [{ [address as string]: 1 }])
    const options = { fee_rate: 100, add_inputs: false, subtractFeeFromOutputs: [0] }
    const { hex } = (await node.wallet('fundrawtransaction', raw, options)) as { hex: string }
    const signed = (await node.wallet('signrawtransactionwithwallet', hex)) as { hex: string }
    await node.rpc('generateblock', address, [signed.hex])
    expect(await advance(root, sent)).toMatchObject({ state: 'failed', code: 'TRANSACTION_CONFLICT' })
  })

  it('after a restart of the node the first of two drafts with one coin wins, and the other one is made anew', async () => {
    const [one, two] = [nextRoot(), nextRoot()]
    // All coins but one are kept away.
    const coins = (await node.wallet('listunspent')) as { txid: string; vout: number }[]
    const away = coins.slice(1).map(({ txid, vout }) => ({ txid, vout }))
    await node.wallet('lockunspent', false, away)
    const first = await prepare(one)
    await node.restart()
    anchorer = anchorerOf(node.walletAddress)
    await node.wallet('lockunspent', false, away)
    const second = await prepare(two)
    expect(await inputsOf(second)).toEqual(await inputsOf(first))
    const sent = underWay(await advance(two, second))
    expect(await advance(one, first)).toMatchObject({ state: 'failed', code: 'TRANSACTION_CONFLICT' })
    await node.mine(1)
    complete(await advance(two, sent))
    await anchored(one)
  })

  it('goes on after a restart of the node, whether a draft was broadcast or not', async () => {
    const [one, two] = [nextRoot(), nextRoot()]
    const prepared = await prepare(one)
    const sent = underWay(await advance(two, await prepare(two)))
    await node.restart()
    anchorer = anchorerOf(node.walletAddress)
    underWay(await advance(one, prepared))
    underWay(await advance(two, sent))
    await node.mine(1)
    complete(await advance(one, prepared))
    complete(await advance(two, sent))
  })

  it('is made anew when its fee is too low now, but only if it was never broadcast', async () => {
    const [one, two] = [nextRoot(), nextRoot()]
    const prepared = await prepare(one)
    const sent = underWay(await advance(two, await prepare(two)))
    await node.restart('-minrelaytxfee=0.001')
    anchorer = anchorerOf(node.walletAddress)
    await node.wallet('lockunspent', false, await inputsOf(prepared))
    expect(await advance(one, prepared)).toMatchObject({
      state: 'failed',
      code: 'TRANSACTION_REFUSED',
      detail: expect.stringContaining('min relay fee not met') as string
    })
    expect(await locked()).toEqual([])
    expect(underWay(await advance(two, sent)).draft).toEqual(sent.draft)
    await node.mine(1)
    expect(underWay(await advance(two, sent)).draft).toEqual(sent.draft)
    await node.restart()
    anchorer = anchorerOf(node.walletAddress)
    underWay(await advance(two, sent))
    await node.mine(1)
    complete(await advance(two, sent))
  })

  it('follows a transaction whose fee was raised', async () => {
    const root = nextRoot()
    const sent = underWay(await advance(root, await prepare(root)))
    const bumped = (await node.wallet('bumpfee', txidOf(sent))) as { txid: string }
    const replaced = underWay(await advance(root, sent))
    expect(txidOf(replaced)).toBe(bumped.txid)
    await node.mine(1)
    expect(complete(await advance(root, replaced)).txid).toBe(bumped.txid)
    // Somebody who only has the first draft comes to the same end.
    expect(complete(await advance(root, underWay(await advance(root, sent)))).txid).toBe(bumped.txid)
  })

  it('pays what the node takes for right, and by a rate of its own where it can not tell', async () => {
    const { draft } = await prepare(nextRoot())
    const [verdict] = (await node.rpc('testmempoolaccept', [draft['rawTx']])) as [
      { vsize: number; fees: { base: number } }
    ]
    expect((verdict.fees.base * 1e8) / verdict.vsize).toBeCloseTo(10, 0)
  })

  it('says why it can not pay or sign, and locks nothing', async () => {
    await node.rpc('createwallet', 'empty')
    const empty = anchorerOf(node.walletAddress.replace('anchors', 'empty'))
    expect(await empty.prepare(nextRoot(), NEVER)).toMatchObject({
      state: 'failed',
      code: 'WALLET_REFUSED',
      detail: expect.stringContaining('Insufficient funds') as string
    })
    const missing = anchorerOf(node.walletAddress.replace('anchors', 'missing'))
    expect(await missing.prepare(nextRoot(), NEVER)).toMatchObject({ state: 'failed', code: 'WALLET_REFUSED' })

    await node.rpc('createwallet', 'locked', false, false, 'a passphrase')
    const lockedWallet = async (method: string, ...params: unknown[]): Promise<unknown> => {
      const response = await fetch(`${node.url}/wallet/locked`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${node.user}:${node.password}`)}` },
        body: JSON.stringify({ id: 0, method, params })
      })
      return ((await response.json()) as { result: unknown }).result
    }
    await node.wallet(
      'sendtoaddress',
      await lockedWallet('getnewaddress'),
      1,
      '',
      '',
      false,
      true,
      null,
      'unset',
      null,
      10
    )
    await node.mine(1)
    const locks = anchorerOf(node.walletAddress.replace('anchors', 'locked'))
    expect(await locks.prepare(nextRoot(), NEVER)).toMatchObject({
      state: 'failed',
      code: 'WALLET_REFUSED',
      detail: expect.stringContaining('passphrase') as string
    })
    expect(await lockedWallet('listlockunspent')).toEqual([])
  })

  it('does nothing on another chain, or while the node is gone', async () => {
    const root = nextRoot()
    const { draft } = await prepare(root)
    const elsewhere = anchorerOf(node.walletAddress, 'mainnet')
    expect(await elsewhere.prepare(root, NEVER)).toMatchObject({ state: 'failed', code: 'PROVIDER_CHAIN' })
    expect(await elsewhere.advance(root, draft, NEVER)).toMatchObject({ state: 'under-way', draft })
    const gone = anchorerOf('bitcoind+http://127.0.0.1:1/wallet/anchors')
    expect(await gone.prepare(root, NEVER)).toMatchObject({ state: 'failed', code: 'PROVIDER_UNREACHABLE' })
    expect(await gone.advance(root, draft, NEVER)).toMatchObject({ state: 'under-way', draft })
    const missing = anchorerOf(node.walletAddress.replace('anchors', 'missing'))
    expect(await missing.advance(root, draft, NEVER)).toMatchObject({ state: 'under-way', draft })
    expect(await mempool()).toEqual([])
  })

  it('takes no draft of another root, nor anything else', async () => {
    const { draft } = await prepare(nextRoot())
    for (const other of [draft, {}, { rawTx: 'xy' }, { rawTx: '00' }, { rawTx: 7 }]) {
      expect(await anchorer.advance(nextRoot(), other, NEVER)).toMatchObject({ state: 'failed', code: 'DRAFT_INVALID' })
    }
    expect(await mempool()).toEqual([])
  })
})

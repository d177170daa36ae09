import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EvmTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import type { FinalityRule } from '../../src/policy/config-schema.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createEvmRpc } from '../../src/timestamps/clients/evm-rpc.ts'
import type { EvmProvider } from '../../src/timestamps/evm/provider.ts'
import { createEvmVerifier } from '../../src/timestamps/evm/verifier.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { REVERTER_CODE, startAnvil } from '../support/anvil.ts'
import type { Anvil } from '../support/anvil.ts'
import { closedUrl } from './support/closed-url.ts'
import { startJsonRpc } from './support/json-rpc-server.ts'

const ROOT = 'ab'.repeat(32)
const OTHER_ROOT = 'cd'.repeat(32)
const FINALIZED: FinalityRule = { tag: 'finalized' }
const never = new AbortController().signal

const providerOf = ({ chainId }: Pick<Anvil, 'chainId'>, url: string): EvmProvider =>
  createEvmRpc({ chainId, url, clock: systemClock })

interface Asking {
  readonly finality?: FinalityRule
  readonly root?: string
  readonly providers?: readonly EvmProvider[]
  readonly k?: number
}

async function verdictOn(
  chain: Anvil,
  anchored: Partial<EvmTimestampAnchor>,
  asking: Asking = {}
): Promise<VerifierResult> {
  const { chainId } = chain
  const { finality = FINALIZED, root = ROOT, providers = [providerOf(chain, chain.url)], k = 1 } = asking
  const timestampAnchor = { chainId, txHash: ROOT, blockNumber: 0, carriedIn: 'calldata', ...anchored } as const
  return await createEvmVerifier({ chainId, providers, k }).verify(
    { timestampAnchor, batchRoot: root, finality },
    never
  )
}

describe('one chain that only grows', () => {
  let chain: Anvil
  let logger: string
  beforeAll(async () => {
    chain = await startAnvil()
    logger = await chain.deployLogger()
  })
  afterAll(() => chain.stop())

  it('calldata is valid once its block is under the tag, and not before', async () => {
    const anchored = await chain.include({ data: ROOT })
    expect(await verdictOn(chain, anchored)).toEqual({
      outcome: 'notYetFinal',
      depth: 0,
      needed: 2,
      retryAfterMs: 2_000
    })
    await chain.mine()
    expect(await verdictOn(chain, anchored)).toMatchObject({ outcome: 'notYetFinal', depth: 1, needed: 2 })
    await chain.mine()
    const { hash, timestamp } = await chain.rpc<{ hash: string; timestamp: string }>(
      'eth_getBlockByNumber',
      `0x${anchored.blockNumber.toString(16)}`,
      false
    )
    expect(await verdictOn(chain, anchored)).toEqual({
      outcome: 'valid',
      finality: { tag: 'finalized', depth: 2 },
      provenTime: Number(timestamp) * 1_000,
      position: anchored.blockNumber,
      evidence: {
        blockHash: hash.slice(2),
        status: 1,
        transactionHashChecked: true,
        providers: [new URL(chain.url).host]
      }
    })
  })

  it('other tags and depths are final earlier, and are looked at once more', async () => {
    const anchored = await chain.include({ data: ROOT })
    const by = (finality: FinalityRule): Promise<VerifierResult> => verdictOn(chain, anchored, { finality })
    const again = { outcome: 'valid', recheckAfterMs: expect.any(Number) as number }
    expect(await by({ tag: 'latest' })).toMatchObject({ ...again, finality: { tag: 'latest', depth: 0 } })
    expect(await by({ depth: 0 })).toMatchObject({ ...again, finality: { depth: 0 } })
    expect(await by({ tag: 'safe' })).toMatchObject({ outcome: 'notYetFinal', depth: 0, needed: 1 })
    expect(await by({ depth: 3 })).toMatchObject({ outcome: 'notYetFinal', depth: 0, needed: 3 })
    // Policy that says nothing means `finalized`.
    expect(await by({})).toMatchObject({ outcome: 'notYetFinal', depth: 0, needed: 2 })
    await chain.mine()
    expect(await by({ tag: 'safe' })).toMatchObject({ ...again, finality: { tag: 'safe', depth: 1 } })
    expect(await by({ depth: 1 })).toMatchObject(again)
    await chain.mine()
    expect(await by({ tag: 'safe' })).not.toHaveProperty('recheckAfterMs')
    expect(await by({ depth: 1 })).not.toHaveProperty('recheckAfterMs')
    expect(await by({ depth: 3 })).toMatchObject({ outcome: 'notYetFinal', depth: 2, needed: 3 })
  })

  it('a block that is still to come is not yet final', async () => {
    const head = await chain.headNumber()
    const future = { txHash: OTHER_ROOT, blockNumber: head + 10 }
    expect(await verdictOn(chain, future)).toMatchObject({ outcome: 'notYetFinal', depth: 0 })
    expect(await verdictOn(chain, future, { finality: { depth: 0 } })).toMatchObject({
      outcome: 'notYetFinal',
      needed: 1
    })
    expect(await verdictOn(chain, { ...future, blockNumber: head + 30 })).toMatchObject({ retryAfterMs: 30_000 })
    expect(await verdictOn(chain, { ...future, blockNumber: Number.MAX_SAFE_INTEGER })).toMatchObject({
      outcome: 'notYetFinal',
      retryAfterMs: 24 * 60 * 60_000
    })
  })

  it('a transaction that nobody knows, or that is in another block, is not found once the block is final', async () => {
    const anchored = await chain.include({ data: ROOT })
    const before = { ...anchored, blockNumber: anchored.blockNumber - 1 }
    expect(await verdictOn(chain, { ...anchored, txHash: OTHER_ROOT })).toMatchObject({ outcome: 'notYetFinal' })
    expect(await verdictOn(chain, before, { finality: { depth: 1 } })).toMatchObject({
      outcome: 'invalid',
      code: 'EVM_NOT_FOUND',
      recheckAfterMs: expect.any(Number) as number
    })
    await chain.mine(2)
    expect(await verdictOn(chain, { ...anchored, txHash: OTHER_ROOT })).toMatchObject({ code: 'EVM_NOT_FOUND' })
    // The chain does not change any more, but providers may find what they lost.
    expect(await verdictOn(chain, before)).toMatchObject({ code: 'EVM_NOT_FOUND', recheckAfterMs: 24 * 60 * 60_000 })
  })

  it('a root in other calldata, or of a call to another contract, is refused at once', async () => {
    const anchored = await chain.include({ to: logger, data: `97ad09eb${ROOT}` })
    expect(await verdictOn(chain, anchored, { root: OTHER_ROOT })).toMatchObject({ code: 'EVM_ROOT_NOT_FOUND' })
    expect(await verdictOn(chain, { ...anchored, contract: chain.address })).toMatchObject({ code: 'EVM_CONTRACT' })
    // Not in whatever block: that it is in another one, a provider without an index of old transactions can't tell.
    const head = await chain.headNumber()
    expect(await verdictOn(chain, { ...anchored, blockNumber: head + 1 }, { root: OTHER_ROOT })).toMatchObject({
      outcome: 'notYetFinal'
    })
    expect(
      await verdictOn(chain, { ...anchored, blockNumber: 1 }, { root: OTHER_ROOT, finality: { depth: 1 } })
    ).toMatchObject({ code: 'EVM_NOT_FOUND' })
    expect(await verdictOn(chain, { ...anchored, contract: logger })).toMatchObject({ outcome: 'notYetFinal' })
    await chain.mine(2)
    expect(await verdictOn(chain, { ...anchored, contract: logger })).toMatchObject({ outcome: 'valid' })
  })

  it('a root in a log of the named contract', async () => {
    const other = await chain.deployLogger()
    const logged = { ...(await chain.include({ to: logger, data: `${OTHER_ROOT}${ROOT}` })), carriedIn: 'log' } as const
    expect(await verdictOn(chain, { ...logged, contract: other })).toMatchObject({ outcome: 'notYetFinal' })
    await chain.mine(2)
    expect(await verdictOn(chain, logged)).toMatchObject({ outcome: 'valid' })
    expect(await verdictOn(chain, { ...logged, contract: logger })).toMatchObject({ outcome: 'valid' })
    expect(await verdictOn(chain, { ...logged, contract: other })).toMatchObject({ code: 'EVM_CONTRACT' })
    expect(await verdictOn(chain, logged, { root: 'ef'.repeat(32) })).toMatchObject({ code: 'EVM_ROOT_NOT_FOUND' })
    // The same bytes as calldata have no selector.
    expect(await verdictOn(chain, { ...logged, carriedIn: 'calldata' })).toMatchObject({ code: 'EVM_ROOT_NOT_FOUND' })
  })

  it('a reverted transaction is refused once its block is final', async () => {
    const reverter = await chain.deploy(REVERTER_CODE)
    const reverted = await chain.include({ to: reverter, data: ROOT })
    expect(await verdictOn(chain, reverted)).toMatchObject({ outcome: 'notYetFinal' })
    await chain.mine(2)
    const refused = await verdictOn(chain, reverted)
    expect(refused).toMatchObject({ outcome: 'invalid', code: 'EVM_REVERTED' })
    expect(refused).not.toHaveProperty('recheckAfterMs')
    expect(await verdictOn(chain, reverted, { finality: { depth: 1 } })).toEqual(refused)
    expect(await verdictOn(chain, { ...reverted, carriedIn: 'log' })).toMatchObject({ code: 'EVM_REVERTED' })
  })

  it('an anchor of another chain is refused, a provider of another chain is none', async () => {
    const anchored = await chain.include({ data: ROOT })
    expect(await verdictOn(chain, { ...anchored, chainId: 'eip155:1' })).toMatchObject({ code: 'EVM_CHAIN' })
    const other: Pick<Anvil, 'chainId'> = { chainId: 'eip155:1' }
    expect(await verdictOn(chain, anchored, { providers: [providerOf(other, chain.url)] })).toMatchObject({
      outcome: 'unreachable',
      code: 'PROVIDER_CHAIN'
    })
    const verifier = createEvmVerifier({ chainId: 'eip155:1', providers: [providerOf(other, chain.url)], k: 1 })
    expect([verifier.handles('eip155:1'), verifier.handles('eip155:10'), verifier.name]).toEqual([
      true,
      false,
      'eip155:1'
    ])
  })

  it('k answers are needed; one provider that is down does not hinder the others', async () => {
    const anchored = await chain.include({ data: ROOT })
    await chain.mine(2)
    const [up, down] = [providerOf(chain, chain.url), providerOf(chain, await closedUrl())]
    expect(await verdictOn(chain, anchored, { providers: [down, up], k: 1 })).toMatchObject({ outcome: 'valid' })
    expect(await verdictOn(chain, anchored, { providers: [up, down, up], k: 2 })).toMatchObject({ outcome: 'valid' })
    expect(await verdictOn(chain, anchored, { providers: [up, down], k: 2 })).toMatchObject({
      outcome: 'unreachable',
      code: 'PROVIDER_UNREACHABLE'
    })
    expect(() => createEvmVerifier({ chainId: chain.chainId, providers: [up], k: 2 })).toThrow(RangeError)
  })

  it('providers that contradict each other prove nothing, whoever of them lies', async () => {
    const anchored = { ...(await chain.include({ to: logger, data: ROOT })), carriedIn: 'log' } as const
    await chain.mine(2)
    const lies: readonly ((answer: string) => string)[] = [
      (answer) => answer.replace(/"status":"0x1"/, '"status":"0x0"'),
      (answer) => answer.replace(new RegExp(`"data":"0x${ROOT}"`), `"data":"0x${OTHER_ROOT}"`),
      (answer) => answer.replace(/"timestamp":"0x[0-9a-f]+"/, '"timestamp":"0x1"')
    ]
    for (const lie of lies) {
      await using liar = await startJsonRpc(async (request) => lie(await forwarded(chain.url, request)))
      const providers = [providerOf(chain, chain.url), providerOf(chain, liar.url)]
      expect(await verdictOn(chain, anchored, { providers, k: 1 })).toMatchObject({
        outcome: 'unreachable',
        code: 'PROVIDERS_DISAGREE'
      })
      expect(liar.requests).toBeGreaterThan(0)
    }
  })

  it('calldata that no hash vouches for is judged only once its block is final', async () => {
    const anchored = await chain.include({ data: ROOT })
    // As rollups show their deposits.
    await using rollup = await startJsonRpc(async (request) =>
      (await forwarded(chain.url, request)).replaceAll('"type":"0x2"', '"type":"0x7e"')
    )
    const providers = [providerOf(chain, rollup.url)]
    const wrong = { providers, root: OTHER_ROOT }
    expect(await verdictOn(chain, anchored, wrong)).toMatchObject({ outcome: 'notYetFinal' })
    await chain.mine(2)
    expect(await verdictOn(chain, anchored, wrong)).toMatchObject({ code: 'EVM_ROOT_NOT_FOUND' })
    expect(await verdictOn(chain, anchored, { providers })).toMatchObject({
      outcome: 'valid',
      evidence: { transactionHashChecked: false }
    })
  })

  it('a provider that changes the calldata is caught by the hash', async () => {
    const anchored = await chain.include({ data: OTHER_ROOT })
    await chain.mine(2)
    await using liar = await startJsonRpc(async (request) =>
      (await forwarded(chain.url, request)).replaceAll(`"input":"0x${OTHER_ROOT}"`, `"input":"0x${ROOT}"`)
    )
    expect(await verdictOn(chain, anchored, { providers: [providerOf(chain, liar.url)] })).toMatchObject({
      outcome: 'unreachable',
      code: 'PROVIDER_MALFORMED'
    })
  })
})

async function forwarded(url: string, body: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  return await response.text()
}

describe('chains that part', () => {
  it('what is reorganised away is not found, and comes back with its block', async () => {
    // Far from `finalized`, as a real chain's newest blocks are.
    await using chain = await startAnvil({ slotsInAnEpoch: 32 })
    const asking = { finality: { depth: 2 } }
    const again = { recheckAfterMs: expect.any(Number) as number }
    await chain.mine(3)
    const anchored = await chain.include({ data: ROOT })
    const raw = await chain.rpc<string>('eth_getRawTransactionByHash', `0x${anchored.txHash}`)
    await chain.mine()
    expect(await verdictOn(chain, anchored, asking)).toMatchObject({ outcome: 'notYetFinal', depth: 1, needed: 2 })
    await chain.mine()
    expect(await verdictOn(chain, anchored, asking)).toMatchObject({ outcome: 'valid', ...again })

    await chain.reorganise(2)
    expect(await verdictOn(chain, anchored, asking)).toMatchObject({ outcome: 'valid' })
    await chain.reorganise(3)
    const gone = { outcome: 'invalid', code: 'EVM_NOT_FOUND', ...again }
    expect(await verdictOn(chain, anchored, asking)).toMatchObject(gone)
    expect(await verdictOn(chain, anchored, { finality: { depth: 3 } })).toMatchObject({ outcome: 'notYetFinal' })
    await chain.reorganise(3, [raw])
    expect(await verdictOn(chain, anchored, asking)).toMatchObject({ outcome: 'valid', ...again })

    // Back again, but a block later.
    await chain.reorganise(3)
    await chain.reorganise(2, [raw])
    expect(await verdictOn(chain, anchored, asking)).toMatchObject(gone)
    expect(
      await verdictOn(chain, { ...anchored, blockNumber: anchored.blockNumber + 1 }, { finality: { depth: 1 } })
    ).toMatchObject({ outcome: 'valid' })
  })

  it('of two chains with one number, the one that is behind says nothing, the one that differs contradicts', async () => {
    await using chain = await startAnvil({ args: ['--timestamp', '1700000000'] })
    await using other = await startAnvil({ args: ['--timestamp', '1700000000'] })
    const providers = [providerOf(chain, chain.url), providerOf(other, other.url)]
    const anchored = await chain.include({ data: ROOT })
    await chain.mine(2)
    expect(await verdictOn(chain, anchored, { providers, k: 1 })).toMatchObject({ outcome: 'valid' })
    expect(await verdictOn(chain, anchored, { providers, k: 2 })).toMatchObject({ outcome: 'notYetFinal', depth: 0 })
    await other.mine()
    expect(await verdictOn(chain, anchored, { providers, k: 1 })).toMatchObject({ code: 'PROVIDERS_DISAGREE' })
  })
})

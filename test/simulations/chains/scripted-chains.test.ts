import { describe, expect, test } from 'vitest'
import { timestampAnchorProblem } from '../../../protocols/event/v1/timestamp-anchor.ts'
import type { TimestampAnchor } from '../../../protocols/event/v1/announce.ts'
import { createScriptedChains } from '../../../simulations/chains/create-chains.ts'
import type { ScriptedChains } from '../../../simulations/chains/scripted-chains.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import type { VerifierResult } from '../../../src/timestamps/verifier.ts'

const ROOT = 'ab'.repeat(32)
const OTHER_ROOT = 'cd'.repeat(32)
const MINUTE_US = 60_000_000
const DEPTH = 3
const { signal } = new AbortController()

function world(): { readonly time: { nowUs: number }; readonly chains: ScriptedChains } {
  const time = { nowUs: 1_750_000_000_000_000 }
  const rules = ['btc:sim', 'eip155:1', 'rfc3161:sim'].map((chainId) => ({ chainId, blockEvery: MINUTE_US }))
  return { time, chains: createScriptedChains(rules, { time, random: seededRandom('chains') }) }
}

function verify(
  chains: ScriptedChains,
  timestampAnchor: TimestampAnchor,
  { node = 'n0', batchRoot = ROOT }: { readonly node?: string; readonly batchRoot?: string } = {}
): Promise<VerifierResult> {
  const verifier = chains.verifiersOf(node).find((one) => one.handles(timestampAnchor.chainId))
  if (verifier === undefined) throw new Error('nobody checks it')
  return verifier.verify({ timestampAnchor, batchRoot, finality: { depth: DEPTH } }, signal)
}

/** Has `n0` stamp the root, however long that takes. */
async function stamp({ time, chains }: ReturnType<typeof world>, chainId: string): Promise<TimestampAnchor> {
  const anchorer = chains.anchorersOf('n0').find((one) => one.chainId === chainId)
  let step = await anchorer?.prepare(ROOT, signal)
  for (let tries = 0; step?.state === 'under-way' && tries < 10; tries += 1) {
    time.nowUs += MINUTE_US
    step = await anchorer?.advance(ROOT, step.draft, signal)
  }
  if (step?.state !== 'complete') throw new Error(`no evidence: ${JSON.stringify(step)}`)
  expect(timestampAnchorProblem(step.timestampAnchor as never, 'evidence')).toBeNull()
  return step.timestampAnchor
}

describe.each(['btc:sim', 'eip155:1'])('evidence on %s', (chainId) => {
  test('is final at the depth that policy asks for, at its block for all nodes', async () => {
    const made = world()
    const evidence = await stamp(made, chainId)
    expect(await verify(made.chains, evidence)).toMatchObject({ outcome: 'notYetFinal', needed: DEPTH })
    made.time.nowUs += 10 * MINUTE_US
    const seen = await verify(made.chains, evidence)
    expect(seen).toMatchObject({
      outcome: 'valid',
      finality: { depth: DEPTH },
      recheckAfterMs: expect.any(Number) as number
    })
    expect(await verify(made.chains, evidence, { node: 'n7' })).toEqual(seen)
    expect(await verify(made.chains, evidence, { batchRoot: OTHER_ROOT })).toMatchObject({ outcome: 'invalid' })
  })

  test('is worth nothing once its block was taken back, and can be had again', async () => {
    const made = world()
    const evidence = await stamp(made, chainId)
    made.time.nowUs += 10 * MINUTE_US
    made.chains.reorganise(chainId, 100)
    expect(await verify(made.chains, evidence)).toMatchObject({
      outcome: 'invalid',
      recheckAfterMs: expect.any(Number) as number
    })
    const again = await stamp(made, chainId)
    expect(again).not.toEqual(evidence)
    made.time.nowUs += 10 * MINUTE_US
    expect(await verify(made.chains, again)).toMatchObject({ outcome: 'valid' })
    expect(await verify(made.chains, evidence)).toMatchObject({ outcome: 'invalid' })
  })

  test('stands when fewer blocks were taken back than lie on top of it', async () => {
    const made = world()
    const evidence = await stamp(made, chainId)
    made.time.nowUs += 10 * MINUTE_US
    made.chains.reorganise(chainId, 2)
    expect(await verify(made.chains, evidence)).toMatchObject({ outcome: 'valid' })
  })

  test('can be judged by those alone who reach the chain', async () => {
    const made = world()
    const evidence = await stamp(made, chainId)
    made.time.nowUs += 10 * MINUTE_US
    made.chains.setReachable(chainId, ['n1', 'n2'], false)
    expect(await verify(made.chains, evidence, { node: 'n1' })).toMatchObject({ outcome: 'unreachable' })
    expect(await verify(made.chains, evidence)).toMatchObject({ outcome: 'valid' })
    made.chains.setReachable(chainId, ['n1'], true)
    expect(await verify(made.chains, evidence, { node: 'n1' })).toMatchObject({ outcome: 'valid' })
  })
})

test('the tokens of an authority are there at once, speak for themselves, and are over one root', async () => {
  const made = world()
  const evidence = await stamp(made, 'rfc3161:sim')
  made.chains.setReachable('rfc3161:sim', ['n0'], false)
  const genTimeMs = made.time.nowUs / 1_000
  expect(await verify(made.chains, evidence)).toMatchObject({
    outcome: 'valid',
    position: genTimeMs,
    provenTime: genTimeMs
  })
  expect(await verify(made.chains, evidence, { batchRoot: OTHER_ROOT })).toMatchObject({ code: 'TSA_IMPRINT' })
  const anchorer = made.chains.anchorersOf('n0').find(({ rail }) => rail === 'tsa')
  expect(await anchorer?.prepare(ROOT, signal)).toMatchObject({ state: 'failed', code: 'PROVIDER_UNREACHABLE' })
})

test('evidence that nobody made is never valid', async () => {
  const { time, chains } = world()
  const invented = { chainId: 'eip155:1', txHash: ROOT, blockNumber: 1_000, carriedIn: 'calldata' } as const
  time.nowUs += 10 * MINUTE_US
  expect(await verify(chains, invented)).toMatchObject({ outcome: 'invalid', code: 'EVM_NOT_FOUND' })
  expect(await verify(chains, { ...invented, blockNumber: 5_000 })).toMatchObject({ outcome: 'notYetFinal' })
})

test('when the chain is looked at changes nothing about it', async () => {
  const often = world()
  const seldom = world()
  for (let minute = 0; minute < 30; minute += 1) {
    often.time.nowUs += MINUTE_US
    seldom.time.nowUs += MINUTE_US
    await verify(often.chains, {
      chainId: 'btc:sim',
      txid: ROOT,
      blockHash: ROOT,
      blockHeight: 1_000 + minute,
      rawTx: 'AA',
      txIndex: 0,
      merkleBranch: []
    })
  }
  expect(await stamp(often, 'btc:sim')).toEqual(await stamp(seldom, 'btc:sim'))
})

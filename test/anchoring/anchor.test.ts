import { afterEach, describe, expect, it } from 'vitest'
import { evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import type { AnchormeshError } from '../../src/platform/errors.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { FullOnceStore } from '../support/stores.ts'
import type { AnchoringNode, AnchoringOptions } from './support.ts'
import {
  BATCH,
  BTC,
  EVM,
  SELF,
  TSA,
  VALID,
  announces,
  chainsIn,
  evidence,
  failed,
  newPlace,
  newWorld,
  openAnchoring,
  payments,
  turns
} from './support.ts'

const opened: AnchormeshNode[] = []

afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

async function withBatch(options: AnchoringOptions = {}): Promise<AnchoringNode> {
  const anchoring = await openAnchoring(options)
  opened.push(anchoring.node)
  await anchoring.node.seal({ ...BATCH, receipts: ['one', 'two'] })
  return anchoring
}

const tsa = { ...BATCH, rail: 'tsa' } as const
const btc = { ...BATCH, rail: 'btc' } as const

const errorOf = (promise: Promise<unknown>): Promise<AnchormeshError> =>
  promise.then(
    () => {
      throw new Error('was done')
    },
    (error: unknown) => error as AnchormeshError
  )

const rows = async (node: AnchormeshNode) => {
  const { log } = await node.status()
  return (await node.query('anchorings', { waitFor: log.logSeq })).rows
}

describe('by command', () => {
  it('makes, verifies and announces a token at once', async () => {
    const { node, world } = await withBatch()
    const result = await node.anchor(tsa)
    expect(result).toMatchObject({ ...BATCH, chainId: TSA, state: 'announced', code: null, lookAgainAt: null })
    const [announce, ...others] = await announces(node)
    expect(others).toEqual([])
    expect(chainsIn(announce)).toEqual([TSA])
    const [row] = await rows(node)
    expect(row).toMatchObject({ status: 'announced', attempts: 1, eventId: result.eventId })
    expect(world.verified).toEqual([result.evidenceId])
    expect((await node.event(result.eventId ?? ''))?.event['type']).toBe('announce')
  })

  it('logs a draft before it is broadcast, and a node that runs brings it to its end by itself', async () => {
    const anchoring = await withBatch()
    const { node, world, pass, clock } = anchoring
    await node.start()
    const result = await node.anchor(btc)
    expect(result).toMatchObject({ state: 'under-way', detail: 'waits for a block', evidenceId: null, eventId: null })
    expect(result.lookAgainAt).toBeGreaterThan(clock.now())
    expect(world.advanced).toEqual([BTC])
    expect(await announces(node)).toEqual([])
    await pass(60_000)
    expect(chainsIn((await announces(node))[0])).toEqual([BTC])
    expect(payments(world)).toEqual([1])
    expect(clock.timersSet).toBeLessThan(20)
  })

  it('goes on only when it is told to where no node runs', async () => {
    const { node, pass } = await withBatch()
    await node.anchor(btc)
    await pass(86_400_000)
    expect(await announces(node)).toEqual([])
    const progress: unknown[] = []
    const results = await node.upgradeAnchors({}, (told) => progress.push(told))
    expect(results.map(({ chainId, state }) => [chainId, state])).toEqual([[BTC, 'announced']])
    expect(progress).toEqual([{ done: 1, total: 1, unit: 'batches' }])
    expect(await node.upgradeAnchors({ namespace: NAMESPACE })).toEqual([])
  })

  it('joins what is under way, and pays once, however often and at once it is asked', async () => {
    const { node, world } = await withBatch()
    const results = await Promise.all([node.anchor(btc), node.anchor(btc), node.anchor(btc)])
    expect(results.map(({ state }) => state)).toContain('under-way')
    await node.anchor(btc)
    await node.anchor(btc)
    expect(payments(world)).toEqual([1])
    expect(world.prepared).toEqual([BTC])
    expect(await announces(node)).toHaveLength(1)
    expect(await rows(node)).toHaveLength(1)
  })

  it('announces the evidence of each rail that it is asked for, each in an event', async () => {
    const { node } = await withBatch()
    await node.anchor(tsa)
    await node.anchor({ ...BATCH, rail: 'evm', chainId: '1' })
    await node.upgradeAnchors({})
    expect((await announces(node)).map(chainsIn)).toEqual([[TSA], [EVM]])
  })

  it('takes the first chain of a rail that counts, or the one that is named', async () => {
    const chains = ['eip155:100', 'rfc3161:b', 'rfc3161:a', EVM]
    const { node } = await withBatch({ chains })
    expect(await node.anchor(tsa)).toMatchObject({ chainId: 'rfc3161:a' })
    expect(await node.anchor({ ...tsa, chainId: 'rfc3161:b' })).toMatchObject({ chainId: 'rfc3161:b' })
    expect(await node.anchor({ ...BATCH, rail: 'evm' })).toMatchObject({ chainId: EVM })
  })
})

describe('what can not be anchored is refused before anything is paid', () => {
  it.each([
    ['a rail that nobody configured', { ...BATCH, rail: 'btc' }, 'RAIL_NOT_CONFIGURED', /rails\.btc\.<network>/],
    ['a chain that nobody configured', { ...tsa, chainId: 'other' }, 'RAIL_NOT_CONFIGURED', /rfc3161:test/],
    ['a chain that does not count', { ...BATCH, rail: 'evm' }, 'RAIL_NOT_CONFIGURED', /finality in federation\.yaml/],
    ['an unknown batch', { ...tsa, batchId: 'b2' }, 'BATCH_UNKNOWN', /seal/],
    ['a namespace that is not carried', { ...tsa, namespace: 'dao:other' }, 'PUBLISH_REFUSED', undefined]
  ] as const)('%s', async (_what, request, code, hint) => {
    const { node, world } = await withBatch({ chains: [TSA, 'eip155:5'] })
    const error = await errorOf(node.anchor(request))
    expect(error.code).toBe(code)
    if (hint !== undefined) expect(error.hint).toMatch(hint)
    expect(world.prepared).toEqual([])
    expect(await rows(node)).toEqual([])
  })

  it('by a node that may not announce', async () => {
    const { node, world } = await withBatch({ policy: policyOf(SELF, [SELF], { announcers: [] }) })
    expect(await errorOf(node.anchor(tsa))).toMatchObject({ code: 'PUBLISH_REFUSED', detail: { code: 'ROLE_MISSING' } })
    expect(world.prepared).toEqual([])
  })
})

describe('what fails is tried again', () => {
  it('an authority that is down, with growing delays, and one line in the log', async () => {
    const world = newWorld()
    world.steps.set(
      TSA,
      Array.from({ length: 6 }, () => failed('TSA_REQUEST_FAILED'))
    )
    const { node, pass } = await withBatch({ world })
    await node.start()
    expect(await node.anchor(tsa)).toMatchObject({ state: 'under-way', code: 'TSA_REQUEST_FAILED', detail: 'scripted' })
    await pass(120_000)
    expect(world.prepared.length).toBeGreaterThan(3)
    expect(world.prepared.length).toBeLessThan(7)
    const [row] = await rows(node)
    expect(row).toMatchObject({ status: 'planned', attempts: 0, code: 'TSA_REQUEST_FAILED' })
    await pass(3_600_000)
    expect(await announces(node)).toHaveLength(1)
    const local = []
    for await (const { event } of node.events({ scope: 'local', type: 'anchoring' })) local.push(event['body'])
    expect(local).toMatchObject(['planned', 'planned', 'complete', 'announced'].map((state) => ({ state })))
  })

  it.each(['throw', 'hang', 'large', 'foreign'] as const)(
    'an anchorer that breaks its port (%s): the job stays where it is',
    async (fault) => {
      const world = newWorld()
      const large = { state: 'under-way', draft: { text: 'x'.repeat(40_000) }, detail: '', retryAfterMs: 0 } as const
      const foreign = { state: 'complete', timestampAnchor: evidence(EVM, 'x') } as const
      const step = fault === 'large' ? large : fault === 'foreign' ? foreign : fault
      const { node, pass } = await withBatch({ world })
      await node.start()
      await node.anchor(btc)
      world.steps.set(BTC, [step])
      await pass(200_000)
      expect(chainsIn((await announces(node))[0])).toEqual([BTC])
      expect(payments(world)).toEqual([1])
      expect(world.prepared).toEqual([BTC])
    }
  )

  it('a transaction that came to nothing: from the start', async () => {
    const world = newWorld()
    const { node, pass } = await withBatch({ world })
    await node.start()
    await node.anchor(btc)
    world.steps.set(BTC, [failed('BTC_TX_REPLACED')])
    await pass(600_000)
    expect(chainsIn((await announces(node))[0])).toEqual([BTC])
    expect((await rows(node))[0]).toMatchObject({ attempts: 2, status: 'announced' })
  })

  it('not final yet, or not to be asked: waits, and announces when it is', async () => {
    const world = newWorld()
    world.verdicts.set(TSA, [
      { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 0 },
      { outcome: 'notYetFinal', depth: 1, needed: 6, retryAfterMs: 60_000 }
    ])
    const { node, pass } = await withBatch({ world })
    await node.start()
    expect(await node.anchor(tsa)).toMatchObject({ state: 'under-way', code: 'PROVIDER_TIMEOUT' })
    await pass(10_000)
    expect((await node.status()).anchoring.jobs).toMatchObject([{ chainId: TSA, detail: 'is not final yet: 1 of 6' }])
    await pass(30_000)
    expect(await announces(node)).toEqual([])
    await pass(60_000)
    expect(await announces(node)).toHaveLength(1)
    expect(world.prepared).toEqual([TSA])
  })

  it('evidence that was reorganised away: looks for it again by its draft, and pays no second time', async () => {
    const world = newWorld()
    const lines: LogLine[] = []
    world.verdicts.set(BTC, [{ outcome: 'invalid', code: 'BTC_NOT_BEST_CHAIN', detail: 'gone', recheckAfterMs: 1 }])
    const { node, pass } = await withBatch({ world, logger: recordingLogger(lines) })
    await node.start()
    await node.anchor(btc)
    await pass(600_000)
    expect(await announces(node)).toHaveLength(1)
    expect(payments(world)).toEqual([1])
    expect(world.prepared).toEqual([BTC])
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { code: 'BTC_NOT_BEST_CHAIN' } }])
  })

  it('evidence that is never valid: fails for good after a bound, says so, and begins anew when it is asked', async () => {
    const world = newWorld()
    const invalid = { outcome: 'invalid', code: 'TSA_CHAIN', detail: 'unknown root' } as const
    world.verdicts.set(
      TSA,
      Array.from({ length: 8 }, () => invalid)
    )
    const { node, pass } = await withBatch({ world })
    await node.start()
    await node.anchor(tsa)
    await pass(86_400_000)
    expect(world.prepared).toHaveLength(8)
    const { anchoring, warnings } = await node.status()
    expect(anchoring).toMatchObject({ underWay: 0, failed: 1, jobs: [{ state: 'failed', code: 'TSA_CHAIN' }] })
    expect(warnings.join()).toContain('anchormesh query anchorings --status failed')
    expect(await node.upgradeAnchors({})).toMatchObject([{ state: 'failed' }])
    expect(await announces(node)).toEqual([])
    expect(await node.anchor(tsa)).toMatchObject({ state: 'announced' })
  })

  it('announced evidence that turned out to be none: another one when it is asked', async () => {
    const world = newWorld()
    world.verdicts.set(TSA, [VALID, { outcome: 'invalid', code: 'TSA_CHAIN', detail: 'unknown root' }])
    const { node, pass } = await withBatch({ world })
    await node.start()
    const first = await node.anchor(tsa)
    await pass(1_000)
    const second = await node.anchor(tsa)
    expect(second).toMatchObject({ state: 'announced' })
    expect(second.evidenceId).not.toBe(first.evidenceId)
    expect(await node.anchor(tsa)).toEqual(second)
  })

  it('announced evidence that was reorganised away: where it is now, when it is asked, without paying again', async () => {
    const world = newWorld()
    world.verdicts.set(BTC, [VALID, { outcome: 'invalid', code: 'BTC_NOT_BEST_CHAIN', detail: 'gone' }])
    const { node, pass } = await withBatch({ world })
    await node.start()
    await node.anchor(btc)
    await pass(60_000)
    const [first] = await rows(node)
    expect(first).toMatchObject({ status: 'announced' })
    const elsewhere = evidence(BTC, 'in another block')
    world.steps.set(BTC, [{ state: 'complete', timestampAnchor: elsewhere }])
    expect(await node.anchor(btc)).toMatchObject({ state: 'announced', evidenceId: evidenceIdOf(elsewhere) })
    expect(world.prepared).toEqual([BTC])
    expect(payments(world)).toEqual([1])
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC], [BTC]])
  })
})

it('goes on after a restart with what the log holds, at every point', async () => {
  const world = newWorld()
  world.verdicts.set(BTC, [{ outcome: 'notYetFinal', depth: 1, needed: 6, retryAfterMs: 0 }])
  const first = await withBatch({ world })
  await first.node.anchor(btc)
  let place = { ...first }
  for (let restart = 0; restart < 4; restart += 1) {
    await place.node.close()
    await place.store.reopen()
    await place.blobs.reopen()
    place = await openAnchoring({ world, place })
    opened.push(place.node)
    await place.node.start()
    await turns()
    expect(payments(world)).toEqual([1])
  }
  const found = await announces(place.node)
  expect(found.map(chainsIn)).toEqual([[BTC]])
  const [row] = await rows(place.node)
  expect(row).toMatchObject({ status: 'announced', attempts: 1 })
})

it('announces a batch once, though its job could not be marked and the evidence does not hold any more', async () => {
  const world = newWorld()
  const place = await newPlace()
  const store = new FullOnceStore(place.store, '"state":"announced"')
  const { node, pass } = await withBatch({ world, place: { ...place, store } })
  await node.start()
  expect(await errorOf(node.anchor(tsa))).toMatchObject({ code: 'STORE_FULL' })
  expect(store.refused).toBe(1)
  const gone = { outcome: 'invalid', code: 'TSA_EXPIRED', detail: 'by now' } as const
  world.verdicts.set(TSA, [gone, gone])
  await pass(600_000)
  expect(await announces(node)).toHaveLength(1)
  const [row] = await rows(node)
  expect(row).toMatchObject({ status: 'announced' })
  expect(world.prepared).toEqual([TSA])
})

it('takes over a pending proof that somebody had made, once', async () => {
  const { node, world } = await withBatch()
  const request = { ...BATCH, proof: 'AAAA' }
  world.steps.set(BTC, [failed('DRAFT_INVALID')])
  expect(await errorOf(node.importProof(request))).toMatchObject({ code: 'PROOF_INVALID' })
  expect(await rows(node)).toEqual([])
  const complete = { state: 'complete', timestampAnchor: evidence(BTC, 'imported') } as const
  world.steps.set(BTC, [complete, complete])
  expect(await node.importProof(request)).toMatchObject({
    state: 'announced',
    evidenceId: evidenceIdOf(evidence(BTC, 'imported'))
  })
  expect(world.prepared).toEqual([])
  expect(await errorOf(node.importProof(request))).toMatchObject({ code: 'ANCHORING_EXISTS' })
})

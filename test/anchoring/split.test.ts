import { afterEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../src/platform/clock.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { AnchoringNode, AnchoringOptions } from './support.ts'
import { BTC, TSA, announces, chainsIn, failed, newPlace, newWorld, openAnchoring, payments, turns } from './support.ts'

const HOUR_MS = 3_600_000
const opened: AnchormeshNode[] = []

afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

async function scheduled(options: AnchoringOptions): Promise<AnchoringNode> {
  const sealing = { [NAMESPACE]: { everyMs: HOUR_MS, maxReceipts: 100, rails: ['btc' as const, 'tsa' as const] } }
  const anchoring = await openAnchoring({ sealing, ...options })
  opened.push(anchoring.node)
  return anchoring
}

const batchOf = async (node: AnchormeshNode): Promise<string> => (await node.status()).anchoring.jobs[0]?.batchId ?? ''

describe('a chain that holds up what is announced together with it', () => {
  it('is told to the operator, who can have the rest announced without it; it is announced when it is there', async () => {
    const world = newWorld()
    world.steps.set(
      TSA,
      Array.from({ length: 5_000 }, () => failed('TSA_REQUEST_FAILED'))
    )
    const { node, pass } = await scheduled({ world })
    await node.start()
    await node.handIn({ namespace: NAMESPACE, receipts: ['a'] })
    await pass(HOUR_MS)
    expect((await node.status()).warnings).toEqual([])
    for (let hour = 0; hour < 3; hour += 1) await pass(HOUR_MS)
    const { warnings } = await node.status()
    expect(warnings.join()).toContain('TSA_REQUEST_FAILED')
    expect(warnings.join()).toContain(TSA)
    expect(await announces(node)).toEqual([])
    const request = { namespace: NAMESPACE, batchId: await batchOf(node), chainId: TSA }
    const results = await node.splitAnchors(request)
    expect(results.map(({ chainId, state, together }) => [chainId, state, together])).toEqual([
      [TSA, 'under-way', [TSA]],
      [BTC, 'announced', [BTC]]
    ])
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC]])
    await expect(node.splitAnchors(request)).rejects.toMatchObject({ code: 'ANCHORING_UNKNOWN' })
    world.steps.clear()
    await pass(HOUR_MS)
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC], [TSA]])
    expect(payments(world)).toEqual([1])
    expect((await node.status()).anchoring).toMatchObject({ underWay: 0, failed: 0 })
    expect((await node.status()).warnings).toEqual([])
    for (const { identical } of await node.rebuild()) expect(identical).toBe(true)
  })

  it('is told and can be left out where the configuration no longer names its rail, or policy its chain', async () => {
    const world = newWorld()
    world.steps.set(
      TSA,
      Array.from({ length: 5_000 }, () => failed('TSA_REQUEST_FAILED'))
    )
    const place = await newPlace()
    const before = await scheduled({ world, place })
    await before.node.start()
    await before.node.handIn({ namespace: NAMESPACE, receipts: ['a'] })
    await before.pass(2 * HOUR_MS)
    await before.node.close()
    await place.store.reopen()
    await place.blobs.reopen()
    const { node, pass } = await scheduled({ world, place, chains: [BTC] })
    await node.start()
    await pass(2 * HOUR_MS)
    expect((await node.status()).warnings.join()).toContain('ANCHORER_MISSING')
    await node.splitAnchors({ namespace: NAMESPACE, batchId: await batchOf(node), chainId: TSA })
    await turns()
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC]])
    expect(payments(world)).toEqual([1])
  })

  it('is gone on with although the clock was set back', async () => {
    const world = newWorld()
    const place = await newPlace()
    let backMs = 0
    const clock: Clock = { ...place.clock, now: () => place.clock.now() - backMs }
    world.steps.set(TSA, [failed('TSA_REQUEST_FAILED'), failed('TSA_REQUEST_FAILED')])
    const { node } = await scheduled({ world, place: { ...place, clock: { ...place.clock, ...clock } } })
    await node.start()
    const { nextSealAt } = await node.handIn({ namespace: NAMESPACE, receipts: ['a'] })
    await place.clock.advance((nextSealAt ?? 0) - place.clock.now())
    await turns()
    expect(await announces(node)).toEqual([])
    backMs = 90 * 24 * HOUR_MS
    for (let minute = 0; minute < 5; minute += 1) {
      await place.clock.advance(60_000)
      await turns()
    }
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC, TSA]])
  })
})

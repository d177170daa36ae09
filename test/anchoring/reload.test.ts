import { expect, it, onTestFinished } from 'vitest'
import type { Anchorer } from '../../src/anchoring/anchorer.ts'
import { policyOf } from '../support/identities.ts'
import type { AnchoringNode } from './support.ts'
import {
  BATCH,
  EVM,
  SELF,
  TSA,
  anchorerOf,
  announces,
  chainsIn,
  openAnchoring,
  payments,
  verifierOf
} from './support.ts'

const evm = { ...BATCH, rail: 'evm' } as const

async function reload({ node, world }: AnchoringNode, anchorers: readonly Anchorer[]): Promise<void> {
  const config = { policy: policyOf(SELF, [SELF]), signer: SELF.signer, version: 'test' }
  await node.reload({ config, rails: { verifiers: [verifierOf(world)], anchorers } })
}

async function running(): Promise<AnchoringNode> {
  const anchoring = await openAnchoring()
  onTestFinished(() => anchoring.node.close())
  await anchoring.node.seal({ ...BATCH, receipts: ['one'] })
  await anchoring.node.start()
  return anchoring
}

it('a rail that a reload takes away while it anchors keeps its draft, says so, and goes on where it comes back', async () => {
  const anchoring = await running()
  const { node, world, pass } = anchoring
  expect(await node.anchor(evm)).toMatchObject({ state: 'under-way', detail: 'waits for a block' })
  await reload(anchoring, [anchorerOf(TSA, world)])
  await pass(3_600_000)
  expect(await announces(node)).toEqual([])
  expect(world.advanced).toEqual([EVM])
  await expect(node.anchor(evm)).rejects.toMatchObject({ code: 'RAIL_NOT_CONFIGURED' })
  expect(await node.upgradeAnchors({})).toMatchObject([{ chainId: EVM, state: 'under-way', code: 'ANCHORER_MISSING' }])

  await reload(anchoring, [anchorerOf(TSA, world), anchorerOf(EVM, world)])
  await pass(120_000)
  expect((await announces(node)).map(chainsIn)).toEqual([[EVM]])
  expect(payments(world)).toEqual([1])
  expect(world.prepared).toEqual([EVM])
})

it('one that is taken away while it is being asked holds nothing up for long, and pays once', async () => {
  const anchoring = await running()
  const { node, world, pass } = anchoring
  expect(await node.anchor(evm)).toMatchObject({ detail: 'waits for a block' })
  world.steps.set(EVM, ['hang'])
  await pass(40_000)
  expect(world.advanced).toEqual([EVM, EVM])
  await reload(anchoring, [anchorerOf(TSA, world)])
  const asked = node.anchor({ ...BATCH, rail: 'tsa' })
  await reload(anchoring, [anchorerOf(TSA, world), anchorerOf(EVM, world)])
  await pass(600_000)
  expect(await asked).toMatchObject({ chainId: TSA, state: 'announced' })
  expect((await announces(node)).flatMap(chainsIn).toSorted()).toEqual([EVM, TSA])
  expect(payments(world)).toEqual([1])
})

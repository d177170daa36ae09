import { expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { createNode } from '../../src/node.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { peerIdOf } from '../node/nodes.ts'
import { codeOf } from '../support/code-of.ts'
import { member } from '../support/identities.ts'
import { meshPolicy } from '../sync/mesh.ts'
import { BATCH, SELF, TSA, anchorerOf, newPlace, newWorld, turns, verifierOf } from './support.ts'

test('a node stops although an announce waits for peers who do not come', async () => {
  const policy = meshPolicy(SELF, [SELF, member('ben')])
  const place = await newPlace()
  const world = newWorld()
  const { namespaces } = viewPolicy(policy)
  const network = createMemoryHub().join({ did: SELF.signer.did, peerId: peerIdOf(SELF), namespaces })
  const node = await createNode(
    { policy, signer: SELF.signer, version: 'test' },
    {
      ...place,
      random: seededRandom('stop'),
      logger: silentLogger,
      network,
      verifiers: [verifierOf(world)],
      anchorers: [anchorerOf(TSA, world)]
    }
  )
  await node.start()
  await node.seal({ ...BATCH, receipts: ['a'] })
  const anchoring = node.anchor({ ...BATCH, rail: 'tsa' }).catch(codeOf)
  await turns()
  // The evidence is whole and verified; what is left is to sign the announce.
  expect(world.verified).not.toEqual([])
  let closed = false
  const closing = node.close().then(() => (closed = true))
  for (let turn = 0; turn < 20 && !closed; turn += 1) await turns()
  expect(closed).toBe(true)
  await closing
  expect(await anchoring).toBe('NODE_NOT_RUNNING')
})

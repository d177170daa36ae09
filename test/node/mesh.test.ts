import { expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE } from '../support/identities.ts'
import { sharedLines } from '../projections/support/ledger.ts'
import { copyOf } from '../projections/support/stores.ts'
import { ADAM, CARL } from '../projections/support/world.ts'
import type { MemoryNode } from './nodes.ts'
import { openNode, peerIdOf, quiet } from './nodes.ts'
import { MESH_MEMBERS, digestsOf, drainAll, meshesAgree, openMesh } from './properties.ts'

test('three nodes come to equal digests, however their links delay, cut and reorder', async () => {
  await meshesAgree(12)
})

test('the same seed gives the same run, byte for byte', async () => {
  const run = async (seed: string): Promise<{ trace: string; hashes: string[] }> => {
    const hub = createMemoryHub()
    const nodes = await openMesh(hub, seed)
    const random = seededRandom(seed)
    const trace: string[] = []
    for (let turn = 0; turn < 60; turn += 1) {
      const { node, ports } = nodes[random.below(3)] as MemoryNode
      await ports.clock.advance(random.below(100))
      const links = hub.links()
      const link = links[random.below(links.length + 1)]
      if (link === undefined) {
        await node.seal({
          namespace: NAMESPACE,
          batchId: `batch-${turn}`,
          receipts: [{ turn, noise: random.fraction() }]
        })
        trace.push(
          JSON.stringify(await node.announce({ namespace: NAMESPACE, batchId: `batch-${turn}`, timestampAnchors: [] }))
        )
      } else {
        trace.push(`${link.from} to ${link.to}: ${await hub.deliver(link.from, link.to)}`)
      }
    }
    await drainAll(hub, nodes)
    const hashes = []
    for (const { node, ports } of nodes) {
      const { log, ingest, network } = await node.status()
      const content = []
      for await (const [key, value] of ports.store.range({})) content.push(`${key} ${sha256Hex(value)}`)
      hashes.push(sha256Hex(JSON.stringify([log, ingest, network, content])))
      await node.close()
    }
    return { trace: sha256Hex(trace.join('\n')), hashes }
  }
  const first = await run('one')
  expect(await run('one')).toEqual(first)
  expect(await run('other')).not.toEqual(first)
})

test('what one node takes in reaches the others with its own bytes, and is judged once at each', async () => {
  const hub = createMemoryHub()
  const nodes = await openMesh(hub)
  const event = await next(CARL, null, announceBody('batch-1'))
  const outsider = hub.join({ did: CARL.signer.did, peerId: peerIdOf(CARL), namespaces: ['_trust', NAMESPACE] })
  await outsider.start({ judge: () => Promise.resolve('ignore') })
  expect(await outsider.publish(NAMESPACE, event.wire)).toBe(3)
  await drainAll(hub, nodes)
  for (const { node } of nodes) {
    const listed = []
    for await (const { bytes } of node.events({ namespace: NAMESPACE })) listed.push(bytes)
    expect(listed).toEqual([Buffer.from(event.wire).toString('base64url')])
    expect((await node.status()).ingest).toMatchObject({ outcomes: { accepted: 1 }, signaturesVerified: 1 })
  }
})

test('a node that lost its disk and one that was copied come to the same by the events alone', async () => {
  const hub = createMemoryHub()
  const nodes = await openMesh(hub)
  const [alice, adam] = nodes as [MemoryNode, MemoryNode, MemoryNode]
  for (const { node } of nodes) await node.publishPack().catch(() => undefined)
  await alice.node.seal({ namespace: NAMESPACE, batchId: 'batch-1', receipts: [1] })
  await alice.node.announce({ namespace: NAMESPACE, batchId: 'batch-1', timestampAnchors: [] })
  await drainAll(hub, nodes)
  const copied = await openNode(ADAM, [...MESH_MEMBERS, CARL], {
    ports: { store: await copyOf(adam.ports.store), checkpoint: adam.ports.checkpoint }
  })
  const empty = await openNode(ADAM, [...MESH_MEMBERS, CARL], { ports: { store: await openMemoryStore() } })
  await empty.node.importEvents(alice.node.exportEvents())
  await quiet(copied, empty)
  expect(await digestsOf(copied)).toEqual(await digestsOf(alice))
  expect(await digestsOf(empty)).toEqual(await digestsOf(alice))
  expect(await sharedLines(empty.node)).toEqual(await sharedLines(adam.node))
})

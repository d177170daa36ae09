import { afterEach, expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import type { ScriptedVerifier } from './support.ts'
import { BTC, EVM, anchorRow, rowOf, scriptedVerifier, unreachable, valid } from './support.ts'

const MEMBERS = ['alice', 'berta', 'carl'].map((name) => member(name))

const opened: AnchormeshNode[] = []

afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

test('nodes that each verify by themselves come to the same winner and the same digests, whatever came first', async () => {
  const hub = createMemoryHub()
  const clock = createVirtualClock({ settle: settled })
  const nodes: AnchormeshNode[] = []
  const verifiers: ScriptedVerifier[] = []
  for (const self of MEMBERS) {
    const verifier = scriptedVerifier()
    const { did, kid: peerId } = self.signer
    const node = await createNode(
      { policy: policyOf(self, MEMBERS), signer: self.signer, version: 'test' },
      {
        store: await openMemoryStore(),
        blobs: await openMemoryStore(),
        checkpoint: memoryCheckpoint(),
        clock,
        random: seededRandom(self.orgId),
        logger: silentLogger,
        network: hub.join({ did, peerId, namespaces: ['_trust', NAMESPACE] }),
        verifiers: [verifier]
      }
    )
    opened.push(node)
    nodes.push(node)
    verifiers.push(verifier)
  }
  for (const [index, verifier] of verifiers.entries()) {
    // One can't reach Bitcoin at first.
    verifier.script('btc:mainnet', ...(index === 1 ? [unreachable] : []), valid(7, 9_000))
    verifier.script('eip155:1', valid(9, 5_000))
  }
  for (const node of nodes) await node.start()
  const [alice] = MEMBERS
  const [first] = nodes
  if (alice === undefined || first === undefined) throw new Error('there are three')
  const event = await next(
    alice,
    null,
    { ...announceBody('batch-1'), timestampAnchors: [EVM, BTC] },
    { ts: clock.now() }
  )
  for (const node of nodes) await node.submit(event.wire)
  const late = nodes[1]
  if (late === undefined) throw new Error('there are three')
  expect(await anchorRow(late, 'btc:mainnet', 'unreachable')).toMatchObject({ code: 'PROVIDER_TIMEOUT' })
  expect(await rowOf(late, 'winners', ({ status }) => status === 'verified')).toMatchObject({
    winner: { chainId: 'eip155:1' },
    loserCount: 0
  })
  const decided = nodes.map((node) => rowOf(node, 'winners', ({ loserCount }) => loserCount === 1))
  await settled()
  await clock.advance(60_000)
  const rows = await Promise.all(decided)
  for (const row of rows)
    expect(row).toMatchObject({ winner: { chainId: 'btc:mainnet' }, losers: [{ chainId: 'eip155:1', rule: 'rail' }] })
  const digests = await Promise.all(nodes.map((node) => node.digest(NAMESPACE)))
  expect(new Set(digests.map(({ winners }) => JSON.stringify(winners))).size).toBe(1)
  expect(new Set(digests.map(({ state }) => state)).size).toBe(1)
})

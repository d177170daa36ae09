import { expect, test } from 'vitest'
import type { GossipVerdict, Network, NetworkHandlers } from '../../src/network/network.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { openNode } from './nodes.ts'

const [self, ada] = [member('self'), member('ada')] as const

test('a flood by gossip is never rejected; it costs the peer that sends it, and the rest comes by sync', async () => {
  const penalties: string[] = []
  const started: NetworkHandlers[] = []
  const network: Network = {
    start: async (handlers) => void started.push(handlers),
    publish: () => Promise.resolve(0),
    status: () => ({
      peerId: 'p',
      multiaddrs: [],
      peers: [],
      topics: {},
      gossip: { judged: 0, dropped: 0, late: 0, published: 0 },
      refusedConnections: 0
    }),
    connected: () => [],
    open: () => Promise.resolve({ ok: false, reason: 'offline', detail: '' }),
    prepare: () => () => Promise.resolve(),
    penalise: (peerId, reason) => void penalties.push(`${peerId} ${reason}`),
    stop: () => Promise.resolve()
  }
  const policy = policyOf(self, [self, ada], { rate: { perPeer: 5 } })
  const { node } = await openNode(self, [], { policy, network })
  await node.start()
  const [handlers] = started
  if (handlers === undefined) throw new Error('the node did not start its network')
  const events: SignedEvent[] = []
  for (let index = 0; index < 20; index += 1)
    events.push(await next(ada, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  const verdicts: GossipVerdict[] = []
  for (const { wire } of events) verdicts.push(await handlers.judge(NAMESPACE, wire, 'loud'))
  expect(verdicts).toEqual([...Array<string>(5).fill('accept'), ...Array<string>(15).fill('ignore')])
  // The eleventh is beyond twice its rate, and so is the seventeenth after as much again.
  expect(penalties).toEqual(['loud rate', 'loud rate'])
  const { outcomes } = (await node.status()).ingest
  expect(outcomes['accepted']).toBe(5)
  expect(Object.entries(outcomes).find(([name]) => name.includes('RATE_LIMITED'))?.[1]).toBe(15)
  async function* rest(): AsyncGenerator<Uint8Array> {
    for (const { wire } of events) yield wire
    await Promise.resolve()
  }
  expect(await node.importEvents(rest())).toMatchObject({ accepted: 15, duplicate: 5 })
  await node.close()
})

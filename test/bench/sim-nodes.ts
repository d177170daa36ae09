import { appendFileSync } from 'node:fs'
import { createScriptedChains } from '../../simulations/chains/create-chains.ts'
import { drawOf } from '../../simulations/network/latency.ts'
import { createSimulatedNodes } from '../../simulations/nodes/simulated-nodes.ts'
import { world } from '../../simulations/world/world.ts'
import type { Measure, Message, Stack } from './sim-stack.ts'
import { PER_SECOND, degreesOf, groundOf } from './sim-stack.ts'

/** Whole nodes; they leave behind what they publish. */
export async function nodeStack(measure: Measure): Promise<Stack> {
  const { time } = world
  const { scenario, cast, dials, net, createHost, random } = await groundOf(measure)
  const load = random.fork('load')
  const wanted = degreesOf(dials)
  const numbers = new Map(cast.map(({ address, index }) => [address, index]))
  let loadUs = Infinity
  const nodes = createSimulatedNodes(cast, {
    scenario,
    time,
    random: random.fork('nodes'),
    net,
    chains: createScriptedChains([], { time, random: random.fork('chains') }),
    trace: { record: () => {} },
    createHost: async (parts, place) => {
      const made = await createHost(parts, place)
      const publish = made.router.publish.bind(made.router)
      made.router.publish = async (topic, data) => {
        const node = numbers.get(place.host.address) ?? 0
        const afterUs = time.nowUs - loadUs
        if (afterUs >= 0) note(measure, { afterUs, node, topic, base64: Buffer.from(data ?? []).toString('base64') })
        return await publish(topic, data)
      }
      return made
    },
    dials,
    quorumOf: [],
    strangers: [],
    syncMs: drawOf(scenario.disk.syncMs),
    onDefect: (node, error) => {
      throw new Error(`${node} is broken`, { cause: error })
    }
  })
  let events = 0
  const announce = async (): Promise<void> => {
    const batch = { namespace: 'sim:main', batchId: `batch-${(events += 1)}` }
    await nodes[load.below(nodes.length)]?.ask(async (node) => {
      await node.seal({ ...batch, receipts: [{ batch: batch.batchId }] })
      await node.announce({ ...batch, timestampAnchors: [] })
    })
  }
  return {
    async start() {
      await Promise.all(nodes.map(async (node) => await node.boot()))
    },
    stands: () => nodes.every(({ network, index }) => (network?.connected().length ?? 0) >= (wanted[index] ?? 0)),
    gossip: () => ({
      delivered: nodes.reduce((sum, { gossip }) => sum + gossip.delivered, 0),
      duplicates: nodes.reduce((sum, { gossip }) => sum + gossip.duplicates, 0)
    }),
    load(seconds) {
      loadUs = time.nowUs
      for (let event = 0; event < seconds * PER_SECOND; event += 1)
        time.afterUs((event * 1_000_000) / PER_SECOND, null, () => void announce())
    }
  }
}

function note({ messages }: Measure, message: Message): void {
  appendFileSync(messages, `${JSON.stringify(message)}\n`)
}

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { createScriptedChains } from '../../simulations/chains/create-chains.ts'
import { hostMakerOf } from '../../simulations/network/create-host.ts'
import { drawOf } from '../../simulations/network/latency.ts'
import { SimulatedNet } from '../../simulations/network/simulated-net.ts'
import { castOf } from '../../simulations/nodes/cast.ts'
import { watchDefects } from '../../simulations/nodes/defects.ts'
import { createSimulatedNodes } from '../../simulations/nodes/simulated-nodes.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { runTask } from '../../simulations/run/clockwork.ts'
import { scenarioSchema } from '../../simulations/scenario/schema.ts'
import { forbidRealTime } from '../../simulations/world/forbid.ts'
import { world } from '../../simulations/world/world.ts'
import { DIALS, NAMESPACE, NODES, tellStory } from './real-processes-story.ts'
import type { StoryEvent, StoryNode } from './real-processes-story.ts'

/** Tells simulated nodes the story, and prints what came of it: FILE_OF_EVENTS SEED MILLISECONDS_OF_LINKS. */
const [file = '', seed = '1', latency = '1'] = process.argv.slice(2)
const LOOK_US = 5_000
const WITHIN_US = 3_600_000_000
const scenario = scenarioSchema.parse({
  v: 1,
  name: 'story',
  asks: 'Do real processes do the same?',
  // The last of them only signs: no node of its own runs.
  nodes: NODES + 1,
  namespaces: [NAMESPACE],
  link: { latency: { constantMs: Number(latency) }, bandwidthMbps: 10_000 },
  faultsEnd: '1s',
  convergeWithin: '1s'
})
const { time } = world
const random = seededRandom(seed)
const events = (JSON.parse(readFileSync(file, 'utf8')) as readonly { id: string; base64: string }[]).map(
  ({ id, base64 }): StoryEvent => ({ id, wire: new Uint8Array(Buffer.from(base64, 'base64')) })
)
const cast = await castOf(scenario, '1')
const broken = (error: unknown): never => {
  console.error(error)
  process.exit(1)
}
watchDefects(broken)
const machines = createSimulatedNodes(cast, {
  scenario,
  time,
  random: random.fork('nodes'),
  net: new SimulatedNet<unknown>({ time, random: random.fork('net'), rule: () => scenario.link, onSent: () => {} }),
  chains: createScriptedChains([], { time, random: random.fork('chains') }),
  trace: { record: () => {} },
  createHost: hostMakerOf(scenario),
  dials: DIALS,
  quorumOf: [],
  strangers: [],
  syncMs: drawOf(scenario.disk.syncMs),
  onDefect: (_node, error) => broken(error)
}).slice(0, NODES)
const pause = (): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  time.afterUs(LOOK_US, null, resolve)
  return promise
}
const nodes = machines.map((machine): StoryNode => ({
  submit: (wire) => machine.ask((node) => node.submit(wire)),
  holds: async (id) => (await machine.ask((node) => node.event(id))) !== null,
  status: () => machine.ask((node) => node.status()),
  gossip: () => Promise.resolve({ ...machine.gossip }),
  stop: () => machine.stop(),
  start: () => machine.boot()
}))
forbidRealTime()
const outcome = await runTask(time, 'the story', WITHIN_US, async () => {
  for (const node of nodes) await node.start()
  return await tellStory(
    {
      nodes,
      async until(_what, ask) {
        while (!(await ask())) await pause()
      }
    },
    events
  )
})
process.stdout.write(JSON.stringify(outcome))
process.exit(0)

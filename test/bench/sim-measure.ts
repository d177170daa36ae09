import { runTask } from '../../simulations/run/clockwork.ts'
import { forbidRealTime } from '../../simulations/world/forbid.ts'
import { world } from '../../simulations/world/world.ts'
import { bareStack } from './sim-bare.ts'
import { nodeStack } from './sim-nodes.ts'
import type { Measure, Measured } from './sim-stack.ts'

/** Takes one measure, told as JSON on the command line, and prints what it found. Runs where the world is installed. */
const START_WITHIN_US = 600_000_000
/** gossipsub has made its mesh, and what nodes have to tell each other at first is said. */
const SETTLE_SECONDS = 15

const measure = JSON.parse(process.argv[2] ?? '') as Measure
const { time } = world
const pass = (seconds: number): Promise<void> => time.runUntil(time.nowUs + seconds * 1_000_000)
const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}
/** Virtual seconds a second of CPU. */
async function speed(seconds: number): Promise<number> {
  const before = cpuSeconds()
  await pass(seconds)
  return seconds / (cpuSeconds() - before)
}
function heapBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const heapBefore = heapBytes()
const stack = await (measure.stack === 'node' ? nodeStack : bareStack)(measure)
forbidRealTime()
const startedAt = cpuSeconds()
await runTask(time, 'starting', START_WITHIN_US, () => stack.start())
const giveUpUs = time.nowUs + START_WITHIN_US
while (!stack.stands() && time.nowUs < giveUpUs) await pass(0.25)
if (!stack.stands()) throw new Error('the mesh does not stand')
const startCpuMs = (cpuSeconds() - startedAt) * 1_000
await pass(SETTLE_SECONDS)
// What the start has left behind is no cost of what follows.
globalThis.gc?.()
const idlePerCpu = await speed(measure.idleSeconds)
stack.load(measure.warmUpSeconds + measure.loadSeconds)
await pass(measure.warmUpSeconds)
const gossipBefore = stack.gossip()
const loadPerCpu = await speed(measure.loadSeconds)
const gossip = stack.gossip()
const measured: Measured = {
  startCpuMs,
  idlePerCpu,
  loadPerCpu,
  deliveries: gossip.delivered - gossipBefore.delivered,
  duplicates: gossip.duplicates - gossipBefore.duplicates,
  heapBytesPerNode: (heapBytes() - heapBefore) / measure.nodes,
  peakRssBytes: process.resourceUsage().maxRSS * 1_024
}
console.log(JSON.stringify(measured))
process.exit(0)

import process from 'node:process'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { forbidRealTime } from '../../../simulations/world/forbid.ts'
import { BareMesh } from './bare-mesh.ts'

/** Publishes messages at random places and prints what became of them: LEVEL NODES SECONDS PER_SECOND [SEED]. */
const [level, nodes, seconds, perSecond, seed = '1'] = process.argv.slice(2)
if (level !== 'full' && level !== 'gossip') throw new Error(`there is no level ${level}`)
const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}

const mesh = await BareMesh.create({ level, nodes: Number(nodes), seed })
forbidRealTime()
const beforeStart = cpuSeconds()
const started = Promise.all(mesh.nodes.map((node) => node.start()))
await mesh.run(20)
await started
const beforeRun = cpuSeconds()
const random = seededRandom(`${seed}/load`)
const messages = Number(seconds) * Number(perSecond)
for (let sent = 0; sent < messages; sent += 1) {
  mesh.publish(random.below(mesh.nodes.length))
  await mesh.run(1 / Number(perSecond))
}
if (messages === 0) await mesh.run(Number(seconds))
const runCpu = cpuSeconds() - beforeRun
await mesh.run(5)
const cost = {
  startMsPerNode: ((beforeRun - beforeStart) * 1_000) / mesh.nodes.length,
  virtualPerCpu: Number(seconds) / runCpu,
  heapMb: process.memoryUsage().heapUsed / 1e6,
  rssMb: process.memoryUsage().rss / 1e6
}
console.log(JSON.stringify({ ...mesh.summary(), cost }))
process.exit(0)

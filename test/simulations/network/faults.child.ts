import process from 'node:process'
import { forbidRealTime } from '../../../simulations/world/forbid.ts'
import type { PeerStream } from '../../../src/streams/peer-stream.ts'
import { BareMesh } from './bare-mesh.ts'
import type { BareNode } from './bare-mesh.ts'

/** Does to six nodes that all know each other what networks and machines do, and prints what they noticed: LEVEL. */
const [level] = process.argv.slice(2)
if (level !== 'full' && level !== 'gossip') throw new Error(`there is no level ${level}`)

const PROTOCOL = '/test/echo/1'
const STREAM_BYTES = 3_000_000
const never = new AbortController().signal

/** Gives back what it is sent, as slowly as its reader. */
async function echo(stream: PeerStream): Promise<void> {
  await stream.sink(stream.source)
}

const mesh = await BareMesh.create({
  level,
  nodes: 6,
  seed: 'faults',
  link: { latency: { uniformMs: [10, 30] } },
  protocols: () => ({ [PROTOCOL]: echo })
})
const [first, second] = mesh.nodes
if (first === undefined || second === undefined) throw new Error('there are too few nodes')
forbidRealTime()

const connections = (): number[] => mesh.nodes.map(({ connected }) => connected.size)
/** How long until it is so: seconds, at the most two minutes. */
async function secondsUntil(isSo: () => boolean): Promise<number> {
  const startUs = mesh.time.nowUs
  while (!isSo() && mesh.time.nowUs - startUs < 120_000_000) await mesh.run(0.1)
  return (mesh.time.nowUs - startUs) / 1_000_000
}
async function within<Value>(seconds: number, promise: Promise<Value>): Promise<Value> {
  promise.catch((error: unknown) => console.error(error))
  await mesh.run(seconds)
  return await Promise.race([promise, Promise.reject(new Error(`not within ${seconds} s`))])
}
const areAllConnected = (): boolean => connections().every((count) => count === 5)
const forget = (node: BareNode): boolean => mesh.nodes.every(({ connected }) => !connected.has(node.peerId))

const started = Promise.all(mesh.nodes.map((node) => node.start()))
const said: Record<string, unknown> = { connectSeconds: await secondsUntil(areAllConnected) }
await started

/** Sends a lot and reads it back, chunk by chunk with a pause between; how long that takes. */
async function sendAndRead(pauseSeconds: number): Promise<{ bytes: number; ok: boolean }> {
  const opening = await first?.process.enter(() => first.network.open(second?.peerId ?? '', PROTOCOL, never))
  if (opening?.ok !== true) throw new Error('no stream')
  const { stream } = opening
  const sent = Buffer.alloc(STREAM_BYTES, 'abcdefg')
  const parts = (async function* () {
    for (let from = 0; from < sent.length; from += 100_000) yield sent.subarray(from, from + 100_000)
  })()
  const sinking = stream.sink(parts)
  const chunks: Uint8Array[] = []
  for await (const chunk of stream.source) {
    chunks.push(chunk)
    if (pauseSeconds > 0)
      await new Promise((resolve) => mesh.time.afterUs(pauseSeconds * 1e6, first?.process ?? null, () => resolve(null)))
  }
  await sinking
  return { bytes: chunks.reduce((sum, { length }) => sum + length, 0), ok: Buffer.concat(chunks).equals(sent) }
}
said['stream'] = await within(60, sendAndRead(0))
said['slowStream'] = await within(60, sendAndRead(0.05))
said['unsupported'] = await within(
  5,
  first.process.enter(() => first.network.open(second.peerId, '/no/such/1', never))
)

const halves = new Set(mesh.nodes.slice(0, 3).map(({ address }) => address))
let heal = mesh.net.cut((from, to) => halves.has(from) !== halves.has(to))
said['partitionSeconds'] = await secondsUntil(() => connections().every((count) => count === 2))
mesh.publish(0)
await mesh.run(40)
said['heardInPartition'] = mesh.nodes.map(({ heardUs }) => heardUs.has(0))
heal()
said['healSeconds'] = await secondsUntil(areAllConnected)

heal = mesh.net.cut((from) => from === first.address)
said['oneWaySeconds'] = await secondsUntil(() => forget(first) && first.connected.size === 0)
heal()
said['oneWayHealSeconds'] = await secondsUntil(areAllConnected)
await mesh.run(30)

heal = mesh.net.cut((from) => from === first.address)
await mesh.run(5)
heal()
await mesh.run(30)
said['afterShortCut'] = connections()

first.crash({ power: false })
said['crashSeconds'] = await secondsUntil(() => forget(first))
await mesh.run(5)
await first.start()
said['restartSeconds'] = await secondsUntil(areAllConnected)
await mesh.run(15)

first.crash({ power: true })
said['powerLossSeconds'] = await secondsUntil(() => forget(first))
await mesh.run(5)
await first.start()
said['powerBackSeconds'] = await secondsUntil(areAllConnected)
await mesh.run(15)

second.process.pause()
said['pauseSeconds'] = await secondsUntil(() =>
  mesh.nodes.every((node) => node === second || !node.connected.has(second.peerId))
)
mesh.time.resume(second.process)
said['resumeSeconds'] = await secondsUntil(areAllConnected)

const stopped = first.process.enter(() => first.network.stop())
said['stopSeconds'] = await secondsUntil(() => forget(first))
await stopped
console.log(JSON.stringify({ ...said, trace: mesh.summary().trace }))
process.exit(0)

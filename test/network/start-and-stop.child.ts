import { connect } from 'node:net'
import { until } from '../support/until.ts'
import { createMesh, meshed } from './mesh.ts'

/**
 * Two nodes meet, talk and stop, with a silent connection left on a WebSocket listener; then this process has nothing
 * more to do and says what still keeps it alive.
 */
const mesh = createMesh()
const a = await mesh.node('a', {
  knows: ['b'],
  options: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'] }
})
const b = await mesh.node('b', { knows: [a, 'absent'] })
await until("both are in each other's mesh", () => meshed(a, b))
await a.publish('hello')
await until('b has judged', () => b.judged.length > 0)

const port = /\/tcp\/(\d+)\/ws/.exec(a.status().multiaddrs.join(' '))?.[1]
const silent = connect(Number(port), '127.0.0.1')
await new Promise((resolve) => {
  silent.once('connect', resolve)
})
silent.unref()
silent.on('error', () => silent.destroy())

await mesh.stop()
const stoppedMs = performance.now()
process.once('exit', () => {
  // What is left behind holds the process for its time: a heartbeat a second and a quarter, a silent socket for ever.
  console.log(JSON.stringify({ judged: b.texts(), exitMs: Math.round(performance.now() - stoppedMs) }))
})

import { connect } from 'node:net'
import { settled } from '../support/settled.ts'
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
// What has been closed is gone after a turn or two, however busy the machine; a heartbeat or a socket that is left is not.
for (let turn = 0; turn < 10; turn += 1) await settled()
// Standard output itself is a pipe.
const left = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap')
console.log(JSON.stringify({ judged: b.texts(), left }))

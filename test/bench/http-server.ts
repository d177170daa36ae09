import { fastify } from 'fastify'
import { gatewayParts } from '../../src/cli/gateway-parts.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { NodeMetrics } from '../../src/metrics/node-metrics.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { Asked, Told } from './http-messages.ts'
import { announces, caughtUp, ingest, members, openNode } from './workload.ts'

/**
 * The process that answers: a node with its public listener, and beside it a bare fastify that gives back bytes which it
 * was told. Both in one process, so that one measure of CPU and one machine's mood go for both.
 */
const signers = members(10)
const bench = await openNode(signers)
const { node } = bench
const events = await announces(signers, Number(process.argv[2]))
await ingest(node, events)
await caughtUp(node)
const { gateway } = node
const listener = await startPublicListener({
  listen: '127.0.0.1:0',
  ...gatewayParts(node, new NodeMetrics()),
  logger: silentLogger,
  clock: systemClock
})
const bare = fastify()
const answers = new Map<string, Buffer>()
// What a route that looks nothing up does: find its parameter, send a buffer with its type.
bare.get<{ Params: { readonly name: string } }>('/bare/:name', async ({ params }, reply) => {
  await reply.type('application/json; charset=utf-8').send(answers.get(params.name))
})
const bareUrl = await bare.listen({ host: '127.0.0.1', port: 0 })

process.on('message', (asked: Asked) => {
  if (asked.kind === 'bare') answers.set(asked.name, Buffer.from(asked.body, 'base64'))
  if (asked.kind === 'end') void stop()
  else if (asked.kind === 'heap') tellHeap()
  else tell({ kind: 'cpu', usage: process.cpuUsage() })
})
const { token } = await gateway.tokens.createToken({
  namespaces: [NAMESPACE],
  rights: ['read'],
  label: 'bench'
})
tell({ kind: 'ready', node: listener.url, bare: bareUrl, ids: events.map(({ id }) => id), token })

/** Twice, because what has a finaliser goes with the second. */
function tellHeap(): void {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  tell({ kind: 'heap', bytes: heapUsed + external, residentBytes: rss })
}

function tell(told: Told): void {
  process.send?.(told)
}

async function stop(): Promise<void> {
  await listener.close()
  await bare.close()
  await bench.end()
  process.disconnect()
}

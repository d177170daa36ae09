import { fileURLToPath } from 'node:url'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { NodeMetrics } from '../../src/metrics/node-metrics.ts'
import { connectionFigures } from '../../src/metrics/connection-figures.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { openNode } from '../node/nodes.ts'
import { member } from '../support/identities.ts'
import type { Exposition } from './exposition.ts'
import { readExposition } from './exposition.ts'

/** Where the list stands. */
export const LIST = fileURLToPath(new URL('../../src/metrics/METRICS.md', import.meta.url))

const HEADER = `# Metrics

What \`GET /metrics\` shows, in the text format of Prometheus. This list is made by \`node test/metrics/make-list.ts\`. Times are in seconds, sizes in bytes; what
ends in \`_total\` only grows while a node runs. Every series of the node's own is there from its start. No label names a DID or a key: labels are codes, routes, and the
namespaces that policy carries. What begins with \`anchormesh_gossipsub_\` is counted by gossipsub (and so is
\`anchormesh_gossip_iwant_promise_untracked\`), with \`anchormesh_nodejs_\` and \`anchormesh_process_\` by prom-client.

| metric | type | labels | what |
|---|---|---|---|
`

/** The text of the list, from a node that has everything which counts. */
export async function listOfMetrics(): Promise<string> {
  const rows = await withEverything((metrics) => metrics.list())
  return (
    HEADER +
    rows
      .map(({ name, type, labels, help }) => {
        const shown = labels.map((label) => `\`${label}\``).join(', ')
        return `| \`${name}\` | ${type} | ${shown} | ${help.replaceAll('|', '\\|').replaceAll('\n', ' ')} |\n`
      })
      .join('')
  )
}

/** The first exposition of such a node. */
export async function wholeExposition(): Promise<Exposition> {
  return readExposition(await withEverything((metrics, node) => metrics.exposition(node)))
}

async function withEverything<Result>(
  read: (metrics: NodeMetrics, node: AnchormeshNode) => Promise<Result>
): Promise<Result> {
  const metrics = new NodeMetrics()
  const self = member('alice', 'org-a')
  const { node } = await openNode(self, [self])
  for (const figure of connectionFigures(() => ({ http: null, admin: null }))) metrics.keep(figure)
  const http = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    metrics: { requests: metrics.requests, contentType: '', text: () => Promise.resolve('') },
    logger: silentLogger,
    clock: systemClock
  })
  const network = createLibp2pNetwork(
    {
      namespaces: ['_trust'],
      knownPeers: [],
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      bootstrap: [],
      mdns: false,
      peerKeySeed: systemRandom.bytes(32)
    },
    { clock: systemClock, random: systemRandom, logger: silentLogger, metrics: metrics.gossip }
  )
  await network.start({
    judge: () => Promise.resolve('ignore'),
    protocols: {},
    connected: () => {},
    disconnected: () => {}
  })
  try {
    return await read(metrics, node)
  } finally {
    await network.stop()
    await http.close()
    await node.close()
  }
}

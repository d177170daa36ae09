import type { Metrics } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { plaintext } from '@libp2p/plaintext'
import { createLibp2pNode } from '../../src/network/libp2p/libp2p-node.ts'
import type { Libp2pNode, NodeParts } from '../../src/network/libp2p/libp2p-node.ts'
import type { Scenario } from '../scenario/schema.ts'
import { simulatedTransport } from './full-transport.ts'
import type { SimulatedHost } from './simulated-host.ts'
import { countGossip, countStream } from './traffic.ts'
import type { TrafficCounts } from './traffic.ts'

/** The whole of libp2p as it is, over the simulated network. */
export async function createFullHost(
  parts: NodeParts,
  host: SimulatedHost<Uint8Array>,
  encryption: Scenario['encryption'],
  counts: TrafficCounts
): Promise<Libp2pNode> {
  const node = await createLibp2pNode(parts, {
    transports: [simulatedTransport(host)],
    connectionEncrypters: [encryption === 'noise' ? noise() : plaintext()],
    metrics: () => streamMetrics(counts)
  })
  countGossip(counts, node.router)
  return node
}

/** libp2p tells its metrics of each stream; whatever else it would have them keep is not kept. */
function streamMetrics(counts: TrafficCounts): Metrics {
  const ignore = (): void => {}
  const nothing = {
    increment: ignore,
    decrement: ignore,
    update: ignore,
    reset: ignore,
    observe: ignore,
    timer: () => ignore
  }
  const register = (): object => nothing
  const metrics = {
    trackMultiaddrConnection: ignore,
    trackProtocolStream: (stream: Parameters<Metrics['trackProtocolStream']>[0]) => countStream(counts, stream),
    registerMetric: register,
    registerMetricGroup: register,
    registerCounter: register,
    registerCounterGroup: register,
    registerHistogram: register,
    registerHistogramGroup: register,
    registerSummary: register,
    registerSummaryGroup: register,
    traceFunction: (_name: string, run: unknown) => run,
    createTrace: ignore
  }
  return metrics as unknown as Metrics
}

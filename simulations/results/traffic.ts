import type { SimulatedNode } from '../model/simulation.ts'
import type { ProtocolTraffic } from '../network/traffic.ts'

export function sumOf(all: readonly ProtocolTraffic[]): ProtocolTraffic {
  const sum = { sentBytes: 0, sentMessages: 0, receivedBytes: 0, receivedMessages: 0 }
  for (const traffic of all) add(sum, traffic)
  return sum
}

/** What all nodes together sent and received, by protocol, in the order of their names. */
export function meshTraffic(nodes: readonly SimulatedNode[]): [protocol: string, traffic: ProtocolTraffic][] {
  const sums = new Map<string, ProtocolTraffic>()
  for (const node of nodes) {
    for (const [protocol, traffic] of node.traffic) {
      const sum = sums.get(protocol)
      if (sum === undefined) sums.set(protocol, { ...traffic })
      else add(sum, traffic)
    }
  }
  return [...sums].sort(([left], [right]) => (left < right ? -1 : 1))
}

function add(sum: ProtocolTraffic, traffic: ProtocolTraffic): void {
  sum.sentBytes += traffic.sentBytes
  sum.sentMessages += traffic.sentMessages
  sum.receivedBytes += traffic.receivedBytes
  sum.receivedMessages += traffic.receivedMessages
}

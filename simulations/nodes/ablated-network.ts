import type { Libp2pNode } from '../../src/network/libp2p/libp2p-node.ts'
import type { Network } from '../../src/network/network.ts'
import { RANGE_SYNC_PROTOCOL } from '../../src/sync/sync-service.ts'
import type { Scenario } from '../scenario/schema.ts'

export type Ablation = Scenario['ablate']

/** The network port without what is switched off; the node itself is as it is. */
export function ablatedNetwork(network: Network, { antiEntropy, gossip }: Ablation): Network {
  return {
    ...network,
    start: async (handlers) => {
      if (!antiEntropy) return await network.start(handlers)
      const { [RANGE_SYNC_PROTOCOL]: _, ...protocols } = handlers.protocols ?? {}
      await network.start({ ...handlers, protocols })
    },
    open: async (peerId, protocol, signal) => {
      if (antiEntropy && protocol === RANGE_SYNC_PROTOCOL)
        return { ok: false, reason: 'unsupported', detail: 'anti-entropy is off' }
      return await network.open(peerId, protocol, signal)
    },
    publish: async (namespace, wire) => (gossip ? 0 : await network.publish(namespace, wire))
  }
}

/** The host that dials nobody again to whom it had a connection once. */
export function withoutRedial({ libp2p, router }: Libp2pNode): Libp2pNode {
  const met = new Set<string>()
  const wrapped = new Proxy(libp2p, {
    get(host, name) {
      if (name === 'dial') return dial
      const value: unknown = Reflect.get(host, name, host)
      return typeof value === 'function' ? (value.bind(host) as unknown) : value
    }
  })
  const dial: typeof libp2p.dial = async (peer, options) => {
    const [address] = Array.isArray(peer) ? peer : []
    const peerId = address?.getComponents().findLast(({ name }) => name === 'p2p')?.value ?? ''
    if (met.has(peerId)) throw new Error('nobody is dialled a second time')
    return await libp2p.dial(peer, options)
  }
  libp2p.addEventListener('peer:connect', ({ detail }) => void met.add(detail.toString()))
  return { libp2p: wrapped, router }
}

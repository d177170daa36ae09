import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { Network, NetworkHandlers } from '../../src/network/network.ts'
import { streamContract } from '../network/stream-contract.ts'

const networks: Network[] = []

streamContract({
  async pair({ a: handlersOfA = {}, b: handlersOfB = {} }) {
    const hub = createMemoryHub()
    const node = async (
      peerId: string,
      handlers: Omit<NetworkHandlers, 'judge'>
    ): Promise<{ peerId: string; network: Network }> => {
      const network = hub.join({ did: `did:test:${peerId}`, peerId, namespaces: [] })
      await network.start({ judge: () => Promise.resolve('accept'), ...handlers })
      networks.push(network)
      return { peerId, network }
    }
    hub.join({ did: 'did:test:absent', peerId: 'absent', namespaces: [] })
    return { a: await node('a', handlersOfA), b: await node('b', handlersOfB) }
  },
  async stop() {
    await Promise.all(networks.splice(0).map((network) => network.stop()))
  },
  absentPeerId: () => Promise.resolve('absent'),
  // The chunk on its way, the one that the writer holds, and the one that the reader is just given.
  underWayMax: 3 * 65_536
})

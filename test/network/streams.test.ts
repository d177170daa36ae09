import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import { until } from '../support/until.ts'
import { createMesh, seedOf } from './mesh.ts'
import { streamContract } from './stream-contract.ts'

const mesh = createMesh()

streamContract({
  async pair({ a: handlersOfA = {}, b: handlersOfB = {} }) {
    const b = await mesh.node('b', { knows: ['a', 'absent'], handlers: handlersOfB })
    const a = await mesh.node('a', { knows: [b, 'absent'], handlers: handlersOfA })
    await until('they are connected', () => a.network.connected().length + b.network.connected().length === 2)
    return { a, b }
  },
  stop: () => mesh.stop(),
  absentPeerId: () => peerIdOfSeed(seedOf('absent')),
  // Two windows of 1 MiB, whether they lie at the reader or in the sockets, and what the writer holds of the next chunk.
  underWayMax: 2 * 1_048_576 + 2 * 65_536
})

import type { Cancel } from '../../world/virtual-time.ts'
import type { SimulatedHost } from '../simulated-host.ts'
import type { GossipFrame } from './frames.ts'
import type { GossipConnection } from './gossip-connection.ts'

// As this node has libp2p's connection monitor do it: a ping every ten seconds, and five for the answer.
const LOOK_INTERVAL_MS = 5_000

/**
 * Finds connections whose other side has gone away without a word. Every second look pings those that have brought
 * nothing since the look before, and the next one gives up those that still have not: of two idle ends one has mostly
 * heard the other's ping and need not send its own. Returns what ends it.
 */
export function startPings(
  host: Pick<SimulatedHost<GossipFrame>, 'after'>,
  connections: () => readonly GossipConnection[]
): Cancel {
  let cancel: Cancel
  const look = (isForPings: boolean): void => {
    cancel = host.after(LOOK_INTERVAL_MS, () => look(!isForPings))
    for (const connection of connections()) {
      if (isForPings) connection.pingIfSilent()
      else connection.expectPong()
    }
  }
  cancel = host.after(LOOK_INTERVAL_MS, () => look(false))
  return () => cancel()
}

import type { NodeConfig } from '../../node.ts'
import type { KnownPeer } from '../../network/network.ts'
import { packageVersion } from '../package-info.ts'
import type { LoadedConfig } from './load-config.ts'

/** What the node itself goes by of a configuration. */
export function nodeConfigOf({ federation, policy, signer }: LoadedConfig): NodeConfig {
  const { audit, clock, sealing, sync } = federation
  const { futureSkewMs, requestSkewMs } = clock
  const { intervalMs: syncIntervalMs } = sync
  return { policy, signer, version: packageVersion, futureSkewMs, requestSkewMs, syncIntervalMs, sealing, audit }
}

/** Whom the mesh knows by a configuration. */
export function knownPeersOf({ federation, peers }: LoadedConfig): readonly KnownPeer[] {
  return peers.peers.flatMap(({ addresses, peerId, did }) =>
    peerId === undefined || did === federation.node.did ? [] : [{ did, peerId, addresses }]
  )
}

import { resolve } from 'node:path'
import type { NodeConfig } from '../../node.ts'
import type { KnownPeer } from '../../network/network.ts'
import { certificatePins } from '../../policy/certificate-pins.ts'
import { packageVersion } from '../../platform/package-info.ts'
import type { LoadedConfig } from './load-config.ts'

/** What the node itself goes by of a configuration. */
export function nodeConfigOf(config: LoadedConfig): NodeConfig {
  const { federation, peers, policy, signer, folder } = config
  const { audit, clock, sealing, sync } = federation
  const keys = { ...federation.keys, ownKeys: config.signingKeys, certificates: config.certificates }
  const { futureSkewMs, requestSkewMs } = clock
  const { intervalMs: syncIntervalMs } = sync
  const packSources = Object.fromEntries(
    peers.organisations.map(({ orgId, sources }) => [orgId, sources.map((source) => placed(source, folder))])
  )
  const times = { futureSkewMs, requestSkewMs, syncIntervalMs, checkpointMs: federation.log.checkpointMs }
  const pins = certificatePins(peers)
  return { policy, signer, version: packageVersion, ...times, sealing, audit, keys, packSources, certificatePins: pins }
}

/** Whom the mesh knows by a configuration. */
export function knownPeersOf({ federation, peers }: LoadedConfig): readonly KnownPeer[] {
  return peers.peers.flatMap(({ addresses, peerId, did }) =>
    peerId === undefined || did === federation.node.did ? [] : [{ did, peerId, addresses }]
  )
}

/** Files that configuration names stand in the data folder, if nothing else is said. */
function placed(source: string, folder: string): string {
  return source.startsWith('file:') ? `file:${resolve(folder, source.slice('file:'.length))}` : source
}

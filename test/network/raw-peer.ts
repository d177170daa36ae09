import { gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import type { GossipSub, GossipSubComponents, GossipsubOpts } from '@libp2p/gossipsub'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { ANY_PORT, seedOf } from './mesh.ts'

/** A libp2p node without any of this project's limits: what a hostile or broken admitted peer can be. */
export interface RawPeer {
  readonly libp2p: Libp2p
  readonly gossip: GossipSub
}

/** What of a raw peer is not the default; `router` stands for the whole of gossipsub. */
export interface RawPeerOptions {
  readonly gossip?: Partial<GossipsubOpts>
  readonly router?: (components: GossipSubComponents) => GossipSub
  readonly connectionGater?: ConnectionGater
}

export async function createRawPeer(name: string, options: RawPeerOptions = {}): Promise<RawPeer> {
  const { gossip = {}, connectionGater = {} } = options
  const defaults = { globalSignaturePolicy: StrictNoSign, allowPublishToZeroTopicPeers: true } as const
  const libp2p = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seedOf(name)),
    addresses: { listen: [ANY_PORT] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater,
    services: {
      identify: identify(),
      gossip: options.router ?? gossipsub({ ...defaults, ...gossip })
    }
  })
  return { libp2p, gossip: libp2p.services.gossip }
}

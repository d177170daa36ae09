import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { messageOf } from '../../platform/errors.ts'
import type { FederationConfig, PeersConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem } from '../../policy/policy.ts'

/**
 * What libp2p itself says of the addresses and PeerIds in both files, and whether they can mean what they should:
 * a bootstrap address names its PeerId, an address does not contradict its entry, and this node's own PeerId
 * (`ownPeerId`) is its own only.
 */
export function meshProblems(federation: FederationConfig, peers: PeersConfig, ownPeerId: string): PolicyProblem[] {
  const problems: PolicyProblem[] = []
  for (const key of ['listen', 'announce', 'bootstrap'] as const) {
    federation.node[key].forEach((address, index) => {
      const read = readAddress(address)
      const place = { file: 'federation.yaml', path: ['node', key, index] } as const
      if (!read.ok) problems.push({ ...place, message: read.message })
      else if (key === 'bootstrap' && read.peerId === null) {
        problems.push({ ...place, message: `does not end with /p2p/ and a PeerId: ${address}` })
      }
    })
  }
  peers.peers.forEach((peer, index) => {
    const path = ['peers', index]
    if (peer.peerId !== undefined) {
      const message = peerIdFault(peer.peerId, peer.did === federation.node.did, ownPeerId)
      if (message !== null) problems.push({ file: 'peers.yaml', path: [...path, 'peerId'], message })
    }
    peer.addresses.forEach((address, addressIndex) => {
      const read = readAddress(address)
      const place = { file: 'peers.yaml', path: [...path, 'addresses', addressIndex] } as const
      if (!read.ok) problems.push({ ...place, message: read.message })
      else if (read.peerId !== null && read.peerId !== peer.peerId) {
        problems.push({
          ...place,
          message: `is the address of ${read.peerId}, not of ${peer.peerId ?? 'a node without peerId'}`
        })
      }
    })
  })
  return problems
}

function readAddress(
  address: string
): { readonly ok: true; readonly peerId: string | null } | { readonly ok: false; readonly message: string } {
  try {
    const peerId = multiaddr(address)
      .getComponents()
      .findLast(({ name }) => name === 'p2p')?.value
    return { ok: true, peerId: peerId ?? null }
  } catch (error) {
    return { ok: false, message: `is not a multiaddr: ${messageOf(error)}` }
  }
}

function peerIdFault(peerId: string, isSelf: boolean, ownPeerId: string): string | null {
  try {
    peerIdFromString(peerId)
  } catch (error) {
    return `is not a PeerId: ${messageOf(error)}`
  }
  if (isSelf && peerId !== ownPeerId) return `is not this node's own PeerId, which is ${ownPeerId}`
  return !isSelf && peerId === ownPeerId ? "is this node's own PeerId" : null
}

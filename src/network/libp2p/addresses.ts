import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AnchormeshError, messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { NetworkOptions } from '../network.ts'

/** The configured addresses, parsed. */
export interface Addresses {
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  /** Those bootstrap addresses that lead to an admitted peer. */
  readonly bootstrap: readonly string[]
  /** The DID of each PeerId that `peers.yaml` binds, in its one text form. */
  readonly admitted: ReadonlyMap<string, string>
  /** Where each of them can be dialled, every address with `/p2p/…`; absent for a peer that only dials us. */
  readonly dialable: ReadonlyMap<string, readonly Multiaddr[]>
}

/**
 * Parses what `federation.yaml` and `peers.yaml` say of addresses.
 * Throws `AnchormeshError` `CONFIG_INVALID` for a PeerId or multiaddr that does not parse or does not fit.
 * @param self this node's PeerId; an entry for it is left out
 */
export function readAddresses(options: NetworkOptions, self: string, logger: Logger): Addresses {
  const admitted = new Map<string, string>()
  const dialable = new Map<string, Multiaddr[]>()
  const addDialable = (peerId: string, address: Multiaddr): void => {
    const addresses = dialable.get(peerId) ?? []
    if (!addresses.some((known) => known.equals(address))) addresses.push(address)
    dialable.set(peerId, addresses)
  }

  for (const peer of options.knownPeers) {
    const key = `peers.yaml, ${peer.did}`
    const peerId = parsePeerId(peer.peerId, key)
    if (peerId === self) continue
    admitted.set(peerId, peer.did)
    for (const text of peer.addresses) {
      const address = parseAddress(text, `${key}, addresses`)
      const named = peerIdIn(address)
      if (named !== null && named !== peerId)
        throw invalid(`${key}, addresses`, text, `it names another peer than ${peerId}`)
      addDialable(peerId, named === null ? address.encapsulate(`/p2p/${peerId}`) : address)
    }
  }

  const bootstrap: string[] = []
  for (const text of options.bootstrap) {
    const address = parseAddress(text, 'node.bootstrap')
    const peerId = peerIdIn(address)
    if (peerId === null) throw invalid('node.bootstrap', text, 'it does not end in /p2p/ and a PeerId')
    if (peerId === self) continue
    if (admitted.has(peerId)) {
      addDialable(peerId, address)
      bootstrap.push(text)
    } else {
      logger.warn({ peerId, address: text }, 'not dialled: a bootstrap address of a peer that peers.yaml does not bind')
    }
  }

  return {
    listen: options.listen.map((text) => listenAddress(text)),
    announce: options.announce.map((text) => parseAddress(text, 'node.announce').toString()),
    bootstrap,
    admitted,
    dialable
  }
}

/** The PeerId that an address ends in (`/p2p/…`), or null. */
export function peerIdIn(address: Multiaddr): string | null {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value ?? null
}

function listenAddress(text: string): string {
  const address = parseAddress(text, 'node.listen')
  if (address.getComponents().some(({ name }) => name === 'tls' || name === 'wss')) {
    throw invalid('node.listen', text, 'TLS is the business of a proxy in front: listen on /ws and announce /tls/ws')
  }
  return address.toString()
}

function parseAddress(text: string, key: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (error) {
    throw invalid(key, text, messageOf(error))
  }
}

function parsePeerId(text: string, key: string): string {
  try {
    return peerIdFromString(text).toString()
  } catch (error) {
    throw invalid(`${key}, peerId`, text, messageOf(error))
  }
}

function invalid(key: string, value: string, reason: string): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', `${key}: ${value} can't be used: ${reason}`, {
    hint: 'an address looks like /ip4/203.0.113.7/tcp/4088 or /dns4/node.example/tcp/443/tls/ws',
    detail: { key, value }
  })
}

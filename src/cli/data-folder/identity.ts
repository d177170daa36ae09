import { networkInterfaces } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'
import { Document, isScalar, visit } from 'yaml'
import type { PeerConfig } from '../../policy/config-schema.ts'
import { ROLES } from '../../policy/config-schema.ts'
import type { LoadedConfig } from './load-config.ts'
import { YAML_STYLE } from './templates.ts'

/** A network interface's address, as the operating system lists it. */
export interface MachineAddress {
  readonly family: 'IPv4' | 'IPv6'
  readonly address: string
  readonly internal: boolean
}

export interface Identity {
  /** This node's entry for the `peers.yaml` of others. */
  readonly entry: PeerConfig
  /** The entry as commented YAML, as `peers add` takes it. */
  readonly yaml: string
}

export interface IdentityOptions {
  /** What the running node really listens on or announces; goes before what the configuration lets expect. */
  readonly multiaddrs?: readonly string[]
  readonly machineAddresses?: readonly MachineAddress[]
}

/**
 * What another operator needs to know of this node. Addresses are, in this order: those of the running node,
 * `node.announce`, or `node.listen` with the machine's own addresses for "all interfaces". Loopback addresses are named
 * only where there are no others. Roles are those that the namespaces list this node under, all of them where none
 * does.
 */
export function identityEntry(config: LoadedConfig, options: IdentityOptions = {}): Identity {
  const { did, orgId, announce, listen } = config.federation.node
  const expected = announce.length > 0 ? announce : listen
  const source = options.multiaddrs === undefined || options.multiaddrs.length === 0 ? expected : options.multiaddrs
  const resolved = source.flatMap((address) => resolveAddress(address, options.machineAddresses ?? machineAddresses()))
  const entry: PeerConfig = {
    did,
    orgId,
    peerId: config.peerId,
    addresses: withoutNeedlessLoopback([...new Set(resolved)]),
    roles: rolesOf(config),
    keys: config.signingKeys.map(({ kid, publicKey }) => ({ kid, publicKey })),
    certificatePins: []
  }
  return { entry, yaml: identityYaml(entry) }
}

function rolesOf({ federation }: LoadedConfig): PeerConfig['roles'] {
  const listed = ROLES.filter((role) =>
    Object.values(federation.namespaces).some(({ members }) => members[role].includes(federation.node.did))
  )
  return listed.length > 0 ? listed : [...ROLES]
}

function identityYaml(entry: PeerConfig): string {
  const comments: Readonly<Record<string, string>> = {
    peerId: ' Who may connect in its name.',
    addresses:
      entry.addresses.length > 0
        ? ' Where to dial it.'
        : ' None: it listens on a port that the system chooses. Start it first, then ask again, or set node.announce.',
    roles: ' What it may do where a namespace lists it, too. Take away what you do not grant.',
    keys: ' Whose signatures count as its own.'
  }
  const { certificatePins: _none, ...shown } = entry
  const document = new Document([shown])
  document.commentBefore = ` The peers.yaml entry of a node of ${entry.orgId}. Another operator adds it with: anchormesh peers add FILE`
  visit(document, {
    Pair: (_key, { key }) => {
      if (isScalar(key)) key.commentBefore = comments[String(key.value)] ?? null
    }
  })
  document.setIn([0, 'roles'], document.createNode(entry.roles, { flow: true }))
  return document.toString(YAML_STYLE)
}

/** The dialable forms of an address, without `/p2p/…`, which the entry's `peerId` says already. */
function resolveAddress(address: string, machine: readonly MachineAddress[]): string[] {
  const parts = multiaddr(address).getComponents()
  // Port 0 is chosen at each start: nobody could dial it.
  if (parts.some(({ name, value }) => (name === 'tcp' || name === 'udp') && value === '0')) return []
  const bare = parts.at(-1)?.name === 'p2p' ? address.slice(0, address.lastIndexOf('/p2p/')) : address
  const host = parts[0]
  const any = ['0.0.0.0', '::'].includes(host?.value ?? '')
  if (!any) return isLinkLocal(host?.value ?? '') ? [] : [bare]
  const family = host?.name === 'ip4' ? 'IPv4' : 'IPv6'
  const rest = bare.split('/').slice(3).join('/')
  return machine
    .filter((candidate) => candidate.family === family && !isLinkLocal(candidate.address))
    .map((candidate) => `/${host?.name}/${candidate.address}/${rest}`)
}

function withoutNeedlessLoopback(addresses: readonly string[]): string[] {
  const elsewhere = addresses.filter((address) => !/^\/(?:ip4\/127\.|ip6\/::1\/)/.test(address))
  return elsewhere.length > 0 ? elsewhere : [...addresses]
}

/** Means nothing without the name of an interface of this machine. */
function isLinkLocal(address: string): boolean {
  return /^(?:fe[89ab][0-9a-f]:|169\.254\.)/i.test(address)
}

function machineAddresses(): MachineAddress[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
}

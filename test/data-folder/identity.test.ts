import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { identityEntry } from '../../src/cli/data-folder/identity.ts'
import type { IdentityOptions, MachineAddress } from '../../src/cli/data-folder/identity.ts'
import { peerSchema } from '../../src/policy/config-schema.ts'
import { edit, initialised, load } from './support.ts'

const MACHINE: readonly MachineAddress[] = [
  { family: 'IPv4', address: '127.0.0.1', internal: true },
  { family: 'IPv6', address: '::1', internal: true },
  { family: 'IPv4', address: '192.0.2.7', internal: false },
  { family: 'IPv6', address: '2001:db8::7', internal: false },
  { family: 'IPv6', address: 'fe80::7', internal: false },
  { family: 'IPv4', address: '169.254.3.4', internal: false }
]

async function addresses(listen: readonly string[], options: IdentityOptions = {}, announce: readonly string[] = []) {
  const folder = await initialised()
  const environment = { ANCHORMESH_NODE_LISTEN: listen.join(','), ANCHORMESH_NODE_ANNOUNCE: announce.join(',') }
  return identityEntry(await load(folder, { environment }), { machineAddresses: MACHINE, ...options }).entry.addresses
}

describe('addresses', () => {
  test('all interfaces are those that others can reach', async () => {
    expect(await addresses(['/ip4/0.0.0.0/tcp/4088', '/ip6/::/tcp/4089'])).toEqual([
      '/ip4/192.0.2.7/tcp/4088',
      '/ip6/2001:db8::7/tcp/4089'
    ])
  })

  test('web sockets keep what follows the port', async () => {
    expect(await addresses(['/ip4/0.0.0.0/tcp/4088/ws'])).toEqual(['/ip4/192.0.2.7/tcp/4088/ws'])
  })

  test('loopback only where there is nothing else', async () => {
    expect(await addresses(['/ip4/127.0.0.1/tcp/1'])).toEqual(['/ip4/127.0.0.1/tcp/1'])
    expect(await addresses(['/ip4/127.0.0.1/tcp/1', '/ip4/192.0.2.7/tcp/1'])).toEqual(['/ip4/192.0.2.7/tcp/1'])
    const alone = { machineAddresses: MACHINE.filter(({ internal }) => internal) }
    expect(await addresses(['/ip4/0.0.0.0/tcp/4088'], alone)).toEqual(['/ip4/127.0.0.1/tcp/4088'])
  })

  test('what the node announces goes before what it listens on', async () => {
    expect(await addresses(['/ip4/0.0.0.0/tcp/4088'], {}, ['/dns4/node.example/tcp/1'])).toEqual([
      '/dns4/node.example/tcp/1'
    ])
  })

  test('what the running node says goes before all, without its PeerId', async () => {
    const peerId = '12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH'
    const multiaddrs = [`/ip4/127.0.0.1/tcp/41234/p2p/${peerId}`]
    expect(await addresses(['/ip4/127.0.0.1/tcp/0'], { multiaddrs })).toEqual(['/ip4/127.0.0.1/tcp/41234'])
    const all = ['/ip4/127.0.0.1/tcp/41234', '/ip4/192.0.2.7/tcp/41234', '/ip6/fe80::7/tcp/41234']
    expect(await addresses(['/ip4/0.0.0.0/tcp/0'], { multiaddrs: all })).toEqual(['/ip4/192.0.2.7/tcp/41234'])
  })

  test('a port that the system chooses is no address', async () => {
    expect(await addresses(['/ip4/0.0.0.0/tcp/0'])).toEqual([])
  })
})

test('the block is an entry of peers.yaml, with comments', async () => {
  const folder = await initialised({ orgId: 'alpha', namespaces: ['dao:x'] })
  const { entry, yaml } = identityEntry(await load(folder), { machineAddresses: MACHINE })
  const parsed = parse(yaml) as unknown[]
  expect(peerSchema.parse(parsed[0])).toEqual(entry)
  expect(entry).toEqual({
    did: folder.did,
    orgId: 'alpha',
    peerId: folder.peerId,
    addresses: ['/ip4/192.0.2.7/tcp/4088'],
    roles: ['announce', 'serve', 'request'],
    keys: [{ kid: folder.kid, publicKey: expect.any(String) as string }],
    certificatePins: []
  })
  expect(yaml).toMatch(/^# The peers\.yaml entry of a node of alpha/)
  expect(yaml).toContain('  # Where to dial it.\n  addresses:\n    - /ip4/192.0.2.7/tcp/4088\n')
  expect(yaml).toContain('  roles: [announce, serve, request]\n')
})

test('roles are those that the namespaces list this node under', async () => {
  const folder = await initialised({ namespaces: ['dao:x'] })
  await edit(folder.paths.federation, new RegExp(`(announce|request):\n        - ${folder.did}`, 'g'), '$1: []')
  expect(identityEntry(await load(folder)).entry.roles).toEqual(['serve'])
})

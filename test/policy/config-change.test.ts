import { expect, test } from 'vitest'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { changesBetween, isBelow, masked, settingsOf } from '../../src/policy/config-change.ts'

test('settings are named by their path, entries of lists by what they are called', () => {
  const value = {
    node: { did: 'did:web:a', listen: ['x', 'y'] },
    peers: [{ did: 'did:web:b', roles: [] }],
    sealing: {}
  }
  expect(settingsOf(value).map(({ key, value: said }) => [key, said])).toEqual([
    ['node.did', 'did:web:a'],
    ['node.listen', ['x', 'y']],
    ['peers[did:web:b].did', 'did:web:b'],
    ['peers[did:web:b].roles', []],
    ['sealing', {}]
  ])
})

test.each<readonly [string, string]>([
  ['bitcoind+http://user:secret@127.0.0.1:8332/wallet/main', 'bitcoind+http://***@127.0.0.1:8332/wallet/main'],
  ['https://mainnet.example/v3/0123456789abcdef0123456789abcdef', 'https://mainnet.example/v3/***'],
  ['https://rpc.example/?apikey=secret', 'https://rpc.example/?***'],
  ['https://u:p@ss@host.example', 'https://***@host.example'],
  ['https://freetsa.org/tsr', 'https://freetsa.org/tsr'],
  ['/ip4/127.0.0.1/tcp/4088', '/ip4/127.0.0.1/tcp/4088'],
  ['unix:/run/signer.sock', 'unix:/run/signer.sock']
])('%s is shown as %s', (value, shown) => {
  expect(masked(value)).toBe(shown)
  expect(masked([value])).toEqual([shown])
})

test('what differs is listed with both values, and with what needs a restart', () => {
  const before = new Map<string, JsonValue>([
    ['a', 1],
    ['http.listen', 'x'],
    ['gone', true]
  ])
  const after = new Map<string, JsonValue>([
    ['a', 1],
    ['http.listen', 'y'],
    ['new', ['https://u:p@h']]
  ])
  expect(changesBetween(before, after, (key) => isBelow(key, 'http'))).toEqual([
    { key: 'http.listen', before: 'x', after: 'y', needsRestart: true },
    { key: 'gone', before: true, after: null, needsRestart: false },
    { key: 'new', before: null, after: ['https://***@h'], needsRestart: false }
  ])
  expect([isBelow('httpx', 'http'), isBelow('http', 'http'), isBelow('peers[a].did', 'peers')]).toEqual([
    false,
    true,
    true
  ])
})

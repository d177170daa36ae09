import { describe, expect, test } from 'vitest'
import { federationSchema } from '../../src/policy/config-schema.ts'
import { environmentOverrides, environmentVariables } from '../../src/policy/environment.ts'
import { parseConfig, problemText } from '../../src/policy/yaml.ts'
import type { ConfigOverride } from '../../src/policy/yaml.ts'

const FILE = 'v: 1\nnode: { did: did:web:a.example, orgId: a }\nhttp: { listen: "127.0.0.1:1" }\n'

function read(environment: Record<string, string>, flags: readonly ConfigOverride[] = [], text = FILE) {
  const { overrides, problems } = environmentOverrides(environment)
  expect(problems).toEqual([])
  return parseConfig(text, 'federation.yaml', federationSchema, [...overrides, ...flags])
}

const flag: ConfigOverride = {
  path: ['http', 'listen'],
  value: '127.0.0.1:3',
  source: 'command line',
  name: '--http-listen'
}

describe('a flag goes before the environment, the environment before the file, the file before the default', () => {
  test.each([
    { name: 'default', environment: {}, flags: [], text: FILE.replace(/http.*\n/, ''), listen: '127.0.0.1:8088' },
    { name: 'file', environment: {}, flags: [], text: FILE, listen: '127.0.0.1:1' },
    {
      name: 'environment',
      environment: { ANCHORMESH_HTTP_LISTEN: '127.0.0.1:2' },
      flags: [],
      text: FILE,
      listen: '127.0.0.1:2'
    },
    {
      name: 'flag',
      environment: { ANCHORMESH_HTTP_LISTEN: '127.0.0.1:2' },
      flags: [flag],
      text: FILE,
      listen: '127.0.0.1:3'
    }
  ])('$name', ({ environment, flags, text, listen }) => {
    const parsed = read(environment, flags, text)
    expect(parsed.ok && parsed.value.http.listen).toBe(listen)
  })

  test('sections that the file leaves out, lists, numbers and booleans', () => {
    const parsed = read({
      ANCHORMESH_NODE_LISTEN: '/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2',
      ANCHORMESH_NODE_BOOTSTRAP: '',
      ANCHORMESH_NODE_MDNS: 'true',
      ANCHORMESH_NODE_ORG_ID: '2026',
      ANCHORMESH_CLOCK_FUTURE_SKEW_MS: '60000'
    })
    expect(parsed.ok && parsed.value).toMatchObject({
      node: { listen: ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2'], bootstrap: [], mdns: true, orgId: '2026' },
      clock: { futureSkewMs: 60_000 }
    })
  })
})

describe('a wrong value names where it came from', () => {
  test('a variable', () => {
    const parsed = read({ ANCHORMESH_CLOCK_FUTURE_SKEW_MS: 'soon', ANCHORMESH_NODE_LISTEN: 'x' })
    expect(parsed.ok ? [] : parsed.problems.map(problemText)).toEqual([
      'environment ANCHORMESH_NODE_LISTEN: is not a multiaddr (such as /ip4/203.0.113.7/tcp/4088)',
      'environment ANCHORMESH_CLOCK_FUTURE_SKEW_MS: is the text "soon", but must be a number'
    ])
  })

  test('a flag, even where a variable says the same', () => {
    const parsed = read({ ANCHORMESH_HTTP_LISTEN: '127.0.0.1:2' }, [{ ...flag, value: 'x' }])
    expect(parsed.ok ? [] : parsed.problems.map(problemText)).toEqual([
      'command line --http-listen: is not HOST:PORT (such as 127.0.0.1:8088 or [::1]:8088)'
    ])
  })
})

test('a variable of a known section with an unknown key is a problem; what belongs to others is not', () => {
  const { overrides, problems } = environmentOverrides({
    ANCHORMESH_HTTP_LISTN: 'x',
    ANCHORMESH_HTTP_PORT: '8088',
    ANCHORMESH_RAILS_BTC_MAINNET_K: '2',
    ANCHORMESH_SEALING: '{}',
    ANCHORMESH_DATA: '/data',
    ANCHORMESH_VECTORS: '/vectors',
    HTTP_LISTEN: 'x'
  })
  expect(overrides).toEqual([])
  expect(problems.map(problemText)).toEqual([
    'environment ANCHORMESH_HTTP_LISTN: is not a known variable (did you mean ANCHORMESH_HTTP_LISTEN?)',
    // Far from http.mtls but for the letters before it.
    'environment ANCHORMESH_HTTP_PORT: is not a known variable',
    'environment ANCHORMESH_RAILS_BTC_MAINNET_K: is not a known variable',
    'environment ANCHORMESH_SEALING: is not a known variable'
  ])
})

test('every single value and list at a fixed place has a variable', () => {
  expect([...environmentVariables().keys()].sort()).toEqual([
    'ANCHORMESH_ADMIN_LISTEN',
    'ANCHORMESH_AUDIT_MAX_RECORDS',
    'ANCHORMESH_AUDIT_RETENTION_MS',
    'ANCHORMESH_AUDIT_SYSLOG',
    'ANCHORMESH_AUDIT_SYSLOG_CA',
    'ANCHORMESH_AUDIT_SYSLOG_CERT',
    'ANCHORMESH_AUDIT_SYSLOG_KEY',
    'ANCHORMESH_CLOCK_FUTURE_SKEW_MS',
    'ANCHORMESH_CLOCK_REQUEST_SKEW_MS',
    'ANCHORMESH_HTTP_CONNECTIONS_MAX',
    'ANCHORMESH_HTTP_CORS_ORIGINS',
    'ANCHORMESH_HTTP_LISTEN',
    'ANCHORMESH_HTTP_MTLS',
    'ANCHORMESH_HTTP_TLS_CERT',
    'ANCHORMESH_HTTP_TLS_KEY',
    'ANCHORMESH_KEYS_ROTATE_EVERY_MS',
    'ANCHORMESH_KEYS_WARN_BEFORE_MS',
    'ANCHORMESH_LOG_CHECKPOINT_MS',
    'ANCHORMESH_LOG_LEVEL',
    'ANCHORMESH_NODE_ANNOUNCE',
    'ANCHORMESH_NODE_BOOTSTRAP',
    'ANCHORMESH_NODE_DID',
    'ANCHORMESH_NODE_LISTEN',
    'ANCHORMESH_NODE_MDNS',
    'ANCHORMESH_NODE_MEASUREMENT',
    'ANCHORMESH_NODE_ORG_ID',
    'ANCHORMESH_NODE_SIGNER',
    'ANCHORMESH_STORE_ENCRYPT',
    'ANCHORMESH_SYNC_INTERVAL_MS'
  ])
})

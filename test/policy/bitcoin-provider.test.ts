import { expect, test } from 'vitest'
import { parseBitcoinProvider } from '../../src/policy/bitcoin-provider.ts'
import { federationSchema } from '../../src/policy/config-schema.ts'

test.each([
  ['https://esplora.example/api/', { kind: 'esplora', url: 'https://esplora.example/api' }],
  ['bitcoind+http://127.0.0.1:8332', { kind: 'bitcoind', url: 'http://127.0.0.1:8332', credentials: null }],
  [
    'http://reader:p%40ss@127.0.0.1:8332/wallet/a',
    { kind: 'bitcoind', url: 'http://127.0.0.1:8332/wallet/a', credentials: { user: 'reader', password: 'p@ss' } }
  ],
  [
    'bitcoind+http://127.0.0.1:8332?cookie=%2Fvar%2F.cookie',
    { kind: 'bitcoind', url: 'http://127.0.0.1:8332', credentials: { cookieFile: '/var/.cookie' } }
  ],
  ['file:headers.txt', { kind: 'headers', file: 'headers.txt' }]
])('%s is a provider', (text, address) => {
  expect(parseBitcoinProvider(text)).toEqual(address)
})

test.each([
  '',
  'file:',
  'ftp://esplora.example',
  'https://esplora.example/api?key=1',
  'https://esplora.example/#api',
  'bitcoind+http://127.0.0.1:8332?cookie=',
  'bitcoind+http://127.0.0.1:8332?token=1',
  'bitcoind+http://reader@127.0.0.1:8332?cookie=a',
  'http://%zz@127.0.0.1:8332',
  'bitcoind+http://reader:%e2%28@127.0.0.1:8332'
])('%j is none', (text) => {
  expect(parseBitcoinProvider(text)).toBeNull()
})

test('credentials that are no text are an error of the configuration, on every rail', () => {
  const broken = 'https://%zz@rail.example'
  const { error } = federationSchema.safeParse({
    v: 1,
    node: { did: 'did:web:a.example', orgId: 'a' },
    rails: {
      btc: { mainnet: { providers: [broken] } },
      eip155: { 1: { rpc: [broken] } },
      rfc3161: { tsa: { url: broken, roots: ['a.pem'] } }
    }
  })
  expect(error?.issues.map(({ path }) => path.slice(0, 4).join('.'))).toEqual([
    'rails.btc.mainnet.providers',
    'rails.eip155.1.rpc',
    'rails.rfc3161.tsa.url'
  ])
})

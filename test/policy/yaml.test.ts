import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import { editDistance } from '../../src/policy/explain.ts'
import { CONFIG_CHARS_MAX } from '../../src/policy/yaml-reader.ts'
import { parseConfig, problemText } from '../../src/policy/yaml.ts'
import type { ConfigProblem } from '../../src/policy/yaml.ts'
import { alice } from './support.ts'

function problems(text: string): readonly ConfigProblem[] {
  const parsed = parseConfig(text, 'federation.yaml', federationSchema)
  return parsed.ok ? [] : parsed.problems
}

function texts(text: string): string[] {
  return problems(text).map(problemText)
}

const HEAD = `v: 1\nnode:\n  did: ${alice.did}\n  orgId: alpha\n`

test('what is written is found by its path, whatever the defaults; what is empty is not', () => {
  const lists =
    'audit: {}\nsync: { intervalMs: 60000 }\nnamespaces:\n  dao:x: { tenant: x, quorum: { k: 1, of: [did:web:a.example] } }\n  dao:y: { tenant: y }\n'
  const override = {
    path: ['audit', 'syslog'],
    value: '127.0.0.1:514',
    source: 'environment',
    name: 'ANCHORMESH_AUDIT_SYSLOG'
  } as const
  const parsed = parseConfig(`${HEAD}  announce: []\n${lists}`, 'federation.yaml', federationSchema, [override])
  if (!parsed.ok) throw new Error(parsed.problems.map(problemText).join('\n'))
  expect(parsed.written(['sync', 'intervalMs'])).toEqual([['sync', 'intervalMs']])
  expect(parsed.written(['namespaces', '*', 'quorum'])).toEqual([['namespaces', 'dao:x', 'quorum']])
  expect(parsed.written(['namespaces', '*', 'tenant'])).toHaveLength(2)
  expect(parsed.written(['audit', 'syslog'])).toEqual([['audit', 'syslog']])
  for (const left of [['node', 'announce'], ['clock', 'futureSkewMs'], ['sealing'], ['namespaces', '*', 'rate']])
    expect(parsed.written(left)).toEqual([])
})

describe('a configuration error names file, line, column and key', () => {
  const cases: readonly { name: string; text: string; expected: string }[] = [
    {
      name: 'unknown key',
      text: `${HEAD}  mdsn: true\n`,
      expected: 'federation.yaml:5:3 node.mdsn: is not a known key (did you mean mdns?)'
    },
    {
      name: 'unknown section',
      text: `${HEAD}htpp:\n  listen: 127.0.0.1:1\n`,
      expected: 'federation.yaml:5:1 htpp: is not a known key (did you mean http?)'
    },
    {
      name: 'unknown key in a list of mappings',
      text: `${HEAD}namespaces:\n  dao:x:\n    tenant: x\n    member: {}\n`,
      expected: 'federation.yaml:8:5 namespaces.dao:x.member: is not a known key (did you mean members?)'
    },
    {
      name: 'unknown key that resembles nothing',
      text: `${HEAD}  zzzzzzzz: 1\n`,
      expected: 'federation.yaml:5:3 node.zzzzzzzz: is not a known key'
    },
    {
      name: 'duplicate key',
      text: `${HEAD}  orgId: beta\n`,
      expected: 'federation.yaml:5:3 node.orgId: is a duplicate key'
    },
    {
      name: 'a Bitcoin network that there is not',
      text: `${HEAD}rails:\n  btc:\n    main: { providers: ['https://a.example'] }\n`,
      expected:
        'federation.yaml:7:5 rails.btc.main: the key is not a Bitcoin network (mainnet, testnet, testnet4, signet, regtest)'
    },
    {
      name: 'duplicate key in two spellings',
      text: `${HEAD}rails:\n  eip155:\n    1: { rpc: ['https://a.example'] }\n    '1': { rpc: ['https://b.example'] }\n`,
      expected: 'federation.yaml:8:5 rails.eip155.1: is a duplicate key'
    },
    {
      name: 'number for text',
      text: 'v: 1\nnode: { did: did:web:a.example, orgId: 2026 }\n',
      expected: 'federation.yaml:2:40 node.orgId: is 2026, but must be text; put it in quotes'
    },
    {
      name: 'text for a number',
      text: `${HEAD}clock:\n  futureSkewMs: soon\n`,
      expected: 'federation.yaml:6:17 clock.futureSkewMs: is the text "soon", but must be a number'
    },
    {
      name: 'number out of bounds',
      text: `${HEAD}clock:\n  futureSkewMs: 5\n`,
      expected: 'federation.yaml:6:17 clock.futureSkewMs: is below 1000 ms'
    },
    {
      name: 'fraction',
      text: `${HEAD}sync:\n  intervalMs: 1000.5\n`,
      expected: 'federation.yaml:6:15 sync.intervalMs: is 1000.5, but must be a whole number'
    },
    {
      name: 'text for a list',
      text: `${HEAD}  listen: /ip4/0.0.0.0/tcp/1\n`,
      expected: 'federation.yaml:5:11 node.listen: is the text "/ip4/0.0.0.0/tcp/1", but must be a list'
    },
    {
      name: 'list for a mapping',
      text: `${HEAD}http:\n  - listen\n`,
      expected: 'federation.yaml:5:1 http: is a list, but must be a mapping'
    },
    {
      name: 'yes for true',
      text: `${HEAD}  mdns: yes\n`,
      expected: 'federation.yaml:5:9 node.mdns: is the text "yes", but must be true or false'
    },
    {
      name: 'word that is not among those allowed',
      text: `${HEAD}log:\n  level: verbos\n`,
      expected:
        'federation.yaml:6:10 log.level: is the text "verbos", but must be one of debug, info, warn, error, silent'
    },
    {
      name: 'bad DID in a list',
      text: `${HEAD}namespaces:\n  dao:x:\n    tenant: x\n    members:\n      announce:\n        - did:key\n`,
      expected: 'federation.yaml:10:11 namespaces.dao:x.members.announce[0]: is not a DID (did:method:identifier)'
    },
    {
      name: 'DID that ends with a colon',
      text: 'v: 1\nnode: { did: "did:web:a:", orgId: a }\n',
      expected: 'federation.yaml:2:14 node.did: is not a DID (did:method:identifier)'
    },
    {
      name: 'DID listed twice',
      text: `${HEAD}namespaces:\n  dao:x:\n    tenant: x\n    members: { serve: ['did:web:a', 'did:web:a'] }\n`,
      expected: 'federation.yaml:8:37 namespaces.dao:x.members.serve[1]: names the DID did:web:a a second time'
    },
    {
      name: 'namespace of the wrong form',
      text: `${HEAD}namespaces:\n  Dao:\n    tenant: x\n`,
      expected:
        'federation.yaml:6:3 namespaces.Dao: the key is not a namespace (lower-case letters, digits, . _ : -; at most 64; _trust needs no entry)'
    },
    {
      name: 'the reserved namespace',
      text: `${HEAD}namespaces:\n  _trust:\n    tenant: x\n`,
      expected:
        'federation.yaml:6:3 namespaces._trust: the key is not a namespace (lower-case letters, digits, . _ : -; at most 64; _trust needs no entry)'
    },
    {
      name: 'finality without a rule',
      text: `${HEAD}namespaces:\n  dao:x:\n    tenant: x\n    finality:\n      "btc:*":\n        tag: safe\n`,
      expected: 'federation.yaml:9:7 namespaces.dao:x.finality.btc:*: has a tag, which only eip155 chains know'
    },
    {
      name: 'quorum of more than there are',
      text: `${HEAD}namespaces:\n  dao:x:\n    tenant: x\n    quorum: { k: 2, of: ['did:web:a'] }\n`,
      expected: 'federation.yaml:8:18 namespaces.dao:x.quorum.k: asks for 2 of 1'
    },
    {
      name: 'agreement of one provider with itself',
      text: `${HEAD}rails:\n  btc:\n    mainnet:\n      providers: ['https://a.example/api', 'https://a.example/api/', 'bitcoind+http://u:p@a.example/api']\n      k: 2\n`,
      expected: 'federation.yaml:9:10 rails.btc.mainnet.k: asks for 2 of 1 providers'
    },
    {
      name: 'agreement of one node with itself, under two keys',
      text: `${HEAD}rails:\n  eip155:\n    1: { k: 2, rpc: ['https://a.example/v2?key=1', 'https://a.example/v2?key=2'] }\n`,
      expected: 'federation.yaml:7:13 rails.eip155.1.k: asks for 2 of 1 rpc'
    },
    {
      name: 'listen address without a port',
      text: `${HEAD}http:\n  listen: localhost\n`,
      expected: 'federation.yaml:6:11 http.listen: is not HOST:PORT (such as 127.0.0.1:8088 or [::1]:8088)'
    },
    {
      name: 'mutual TLS without TLS',
      text: `${HEAD}http:\n  mtls: required\n`,
      expected: 'federation.yaml:6:9 http.mtls: is required, but http.tls gives no certificate'
    },
    {
      name: 'missing key',
      text: 'v: 1\nnode:\n  did: did:web:a.example\n',
      expected: 'federation.yaml:2:1 node.orgId: is required'
    },
    {
      name: 'key without a value',
      text: 'v: 1\nnode:\n  did: did:web:a.example\n  orgId:\n',
      expected: 'federation.yaml:4:3 node.orgId: is required'
    },
    {
      name: 'newer version',
      text: `v: 2\nnode: { did: did:web:a.example, orgId: a }\n`,
      expected: 'federation.yaml:1:4 v: is 2, but must be 1'
    },
    { name: 'empty file', text: '', expected: 'federation.yaml:1:1 v: is required' },
    { name: 'not YAML', text: 'v: 1\nnode: [\n', expected: 'federation.yaml:3:1: Flow sequence' },
    { name: 'tab for indentation', text: 'node:\n\tdid: x\n', expected: 'federation.yaml:2:1: Tabs are not allowed' },
    { name: 'two documents', text: `${HEAD}---\nv: 1\n`, expected: 'federation.yaml:5:1: Source contains multiple' },
    { name: 'unknown tag', text: 'v: !!js/function 1\n', expected: 'federation.yaml:1:4: Unresolved tag' },
    {
      name: 'key that is a list',
      text: '? [a, b]\n: 1\n',
      expected: 'federation.yaml:1:3: holds a key that is not a plain name'
    },
    {
      name: 'key that is a prototype',
      text: 'node:\n  __proto__: { did: x }\n',
      expected: 'federation.yaml:2:3 node: holds a key that is not a plain name'
    },
    {
      name: 'unset alias',
      text: 'v: 1\nnode: *who\n',
      expected: 'federation.yaml:2:7 node: is an alias of *who, which is not set before it'
    }
  ]

  test.each(cases)('$name', ({ text, expected }) => {
    const found = texts(text)
    expect(
      found.some((problem) => problem.startsWith(expected)),
      found.join('\n')
    ).toBe(true)
  })

  test('all problems of a file are found at once', () => {
    expect(texts(`${HEAD}  mdns: 7\nlog: { level: x }\nsync: { every: 1 }\n`)).toEqual([
      'federation.yaml:5:9 node.mdns: is 7, but must be true or false',
      'federation.yaml:6:15 log.level: is the text "x", but must be one of debug, info, warn, error, silent',
      'federation.yaml:7:9 sync.every: is not a known key'
    ])
  })

  test('of what is no YAML only the first problem, because the rest follows from it', () => {
    const [first = '', ...others] = texts(`${HEAD}namespaces: [\n  x: }\n y: "open\nz: ]\n`)
    expect(first).toMatch(/^federation\.yaml:[0-9]+:[0-9]+: .* \(look at this line and the one above\)$/)
    expect(others).toEqual([])
  })

  test('a problem is a value for machines, too', () => {
    expect(problems(`${HEAD}  mdsn: true\n`)).toEqual([
      {
        file: 'federation.yaml',
        line: 5,
        column: 3,
        key: 'node.mdsn',
        message: 'is not a known key',
        didYouMean: 'mdns'
      }
    ])
  })
})

describe('hostile YAML', () => {
  test('an alias inside of what it names', () => {
    expect(texts('a: &loop [*loop]\n')).toEqual([
      'federation.yaml:1:11 a[0]: is an alias of *loop, which it is part of itself [YAML_CYCLE]'
    ])
    expect(texts('a: &one { b: &two { c: *one } }\n')[0]).toContain('which it is part of itself')
  })

  test('a billion laughs', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 12; level += 1) {
      const name = `*a${level - 1}`
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => name).join(', ')}]`)
    }
    const found = texts(lines.join('\n'))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain('holds more than 200000 values')
  })

  test.each(['[', '{a: ', '- ', '? '])('nesting by %j without end', (piece) => {
    expect(texts(piece.repeat(100_000))).toEqual(['federation.yaml:1:1: is nested deeper than 64 levels'])
  })

  test('nesting by indentation', () => {
    const text = Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')
    expect(texts(text)).toEqual(['federation.yaml:1:1: is nested deeper than 64 levels'])
  })

  test('a file that is too long', () => {
    expect(texts(`# ${'x'.repeat(CONFIG_CHARS_MAX)}`)[0]).toContain(`is longer than ${CONFIG_CHARS_MAX} characters`)
  })

  test('any text gives a value or problems with places, and never throws', () => {
    const fragment = fc.constantFrom(
      'v',
      ': ',
      '1',
      '\n',
      '  ',
      'node',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '#',
      '"',
      "'",
      '|',
      '!x',
      '? ',
      ',',
      '\u0000',
      'é',
      '\t',
      '---',
      '%'
    )
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 60 }), (parts) => {
        for (const problem of problems(parts.join(''))) {
          expect(problem.line).toBeGreaterThanOrEqual(1)
          expect(problem.column).toBeGreaterThanOrEqual(1)
        }
      }),
      { numRuns: 2_000 }
    )
  })
})

describe('what configuration may use', () => {
  test('anchors and aliases', () => {
    const text = `${HEAD}namespaces:\n  dao:x:\n    tenant: x\n    members: { announce: &all [did:web:a], serve: *all }\n`
    const parsed = parseConfig(text, 'federation.yaml', federationSchema)
    expect(parsed.ok && parsed.value.namespaces['dao:x']?.members).toEqual({
      announce: ['did:web:a'],
      serve: ['did:web:a'],
      request: []
    })
  })

  test('a wrong value behind an alias is named where it is used', () => {
    const text = `${HEAD}namespaces:\n  dao:x:\n    tenant: &bad X\n  dao:y:\n    tenant: *bad\n`
    expect(texts(text).map((line) => line.split(' ')[0])).toEqual(['federation.yaml:7:18', 'federation.yaml:9:13'])
  })

  test('names that objects have already', () => {
    const text = `${HEAD}namespaces:\n  constructor: { tenant: valueof }\n  tostring: { tenant: x }\n`
    const parsed = parseConfig(text, 'federation.yaml', federationSchema)
    expect(parsed.ok && Object.keys(parsed.value.namespaces)).toEqual(['constructor', 'tostring'])
  })

  test('defaults fill in what is left out', () => {
    const parsed = parseConfig(HEAD, 'federation.yaml', federationSchema)
    expect(parsed.ok && parsed.value).toMatchObject({
      node: { listen: ['/ip4/0.0.0.0/tcp/4088'], announce: [], bootstrap: [], mdns: false },
      http: { listen: '127.0.0.1:8088', mtls: 'off', corsOrigins: [], connectionsMax: 2_048 },
      admin: { listen: '127.0.0.1:0' },
      clock: { futureSkewMs: 120_000, requestSkewMs: 300_000 },
      namespaces: {},
      store: { encrypt: false }
    })
    const none = parseConfig('v: 1\npeers:\n  # nobody yet\n', 'peers.yaml', peersSchema)
    expect(none.ok && none.value).toEqual({ v: 1, peers: [], organisations: [], crossOrg: { allow: [] } })
  })
})

test('edit distance is a metric but for what it gives up on, and counts a swap as one', () => {
  expect(editDistance('lsiten', 'listen')).toBe(1)
  expect(editDistance('', 'abc')).toBe(3)
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (left, right) => {
      expect(editDistance(left, right)).toBe(editDistance(right, left))
      expect(editDistance(left, right) === 0).toBe(left === right)
    })
  )
})

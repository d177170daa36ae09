import { describe, expect, test } from 'vitest'
import { durationText, parseDurationUs } from '../../../simulations/scenario/duration.ts'
import { settingOf } from '../../../simulations/run/load.ts'
import { parseScenario } from '../../../simulations/scenario/parse.ts'
import { scenarioSchema } from '../../../simulations/scenario/schema.ts'
import { writtenScenario } from '../../../simulations/scenario/written.ts'
import { problemText } from '../../../src/policy/yaml.ts'

const HEAD = 'v: 1\nname: x\nasks: What?\nnodes: 6\norganisations: 3\nfaultsEnd: 60s\nconvergeWithin: 30s\n'

function problemsOf(text: string, ...settings: readonly string[]): readonly string[] {
  const parsed = parseScenario(HEAD + text, 'x.yaml', settings.map(settingOf))
  return parsed.ok ? [] : parsed.problems.map(problemText)
}

describe('what is wrong with a scenario is named with its place', () => {
  const fault = (text: string): string => `faults:\n  - { ${text} }\n`
  const cases: readonly (readonly [string, string, string, ...(readonly string[])])[] = [
    ['a kind that there is not', fault('kind: partitoin'), 'x.yaml:9:13 faults[0].kind: is the text "partitoin"'],
    ['no duration', fault('kind: revoke, node: 1, at: soon'), 'x.yaml:9:34 faults[0].at: is not a duration: write'],
    [
      'a time without a unit',
      fault('kind: revoke, node: 1, at: 1'),
      'x.yaml:9:34 faults[0].at: is 1 without a unit: write a number with us, ms, s, min or h, such as 1s, 250ms, 2min'
    ],
    ['the same in quotes', fault('kind: revoke, node: 1, at: "1.5"'), 'faults[0].at: is 1.5 without a unit: write'],
    ['a time that is a list', 'sampleEvery: [1]\n', 'sampleEvery: is not a duration: write'],
    ['no time', fault('kind: revoke, node: 1'), 'x.yaml:9:5 faults[0].at: is required'],
    [
      'a key that a fault of this kind does not have',
      fault('kind: crash, nodes: all, at: 1s, powr: true'),
      'x.yaml:9:40 faults[0].powr: is not a known key (did you mean power?)'
    ],
    ['a fault for a name', fault('kind: stop, nodes: n1, at: 1s'), 'faults[0].nodes: is none of all, { nodes: [NUMBER'],
    ['a rate below 0', 'workload: [{ kind: announce, perSecond: -1, until: 9s }]\n', 'perSecond: is not above 0'],
    ['a latency with a unit', 'link: { latency: 20ms }\n', 'where MS is a number without a unit'],
    [
      'more nodes than full carries',
      'sampleEvery: 1s\n',
      'nodes: is 201, but level full carries at most 200',
      'nodes=201'
    ],
    ['more nodes than gossip carries', 'level: gossip\n', 'nodes: is above 1000', 'nodes=1001'],
    [
      'a share that is no node',
      fault('kind: stop, nodes: { share: 0.05 }, at: 1s'),
      'x.yaml:9:35 faults[0].nodes.share: is 0.05, which of 6 nodes is none'
    ],
    [
      'a partition of nobody',
      fault('kind: partition, groups: { isolate: { share: 0 } }, at: 1s, until: 2s'),
      'faults[0].groups.isolate: isolates nobody'
    ],
    [
      'a partition with an empty side',
      fault('kind: partition, groups: { shares: [1, 0] }, at: 1s, until: 2s'),
      'faults[0].groups.shares[1]: is 0, which of 6 nodes is none'
    ],
    [
      'a partition without groups',
      fault('kind: partition, groups: [], at: 1s, until: 2s'),
      'faults[0].groups: is none of halves, { isolate: NODES }'
    ],
    [
      'a node beyond the last',
      fault('kind: revoke, node: 6, at: 1s'),
      'faults[0].node: is node 6, but the last of the 6'
    ],
    [
      'an organisation beyond the last',
      fault('kind: pause, nodes: { organisations: [0, 3] }, at: 1s, for: 1s'),
      'faults[0].nodes.organisations[1]: is organisation 3, but the last of the 3 is 2'
    ],
    ['more nodes than there are', 'late: { count: 7 }\n', 'late.count: is 7, but'],
    [
      'no honest node',
      'byzantine: [{ kind: spam, nodes: { share: 1 } }]\n',
      'byzantine[0].nodes: leaves no honest node'
    ],
    [
      'a chain that there is not',
      fault('kind: reorganise, chain: "btc:x", depth: 1, at: 1s'),
      'is no chain of the scenario'
    ],
    [
      'an authority that takes blocks back',
      `chains: [{ chainId: "rfc3161:t" }]\n${fault('kind: reorganise, chain: "rfc3161:t", depth: 1, at: 1s')}`,
      'faults[0].chain: is a timestamp authority'
    ],
    [
      'an end before the beginning',
      fault('kind: partition, groups: halves, at: 9s, until: 8s'),
      'until: is not after at, 9s'
    ],
    [
      'a fault after the faults',
      fault('kind: partition, groups: halves, at: 9s, until: 61s'),
      'until: is after faultsEnd, 1min'
    ],
    [
      'away for longer than faults last',
      fault('kind: crash, nodes: all, at: 50s, for: 20s'),
      'for: ends at 70s, after faultsEnd'
    ],
    ['repeated without a step', fault('kind: crash, nodes: all, at: 5s, for: 2s, times: 3'), 'times: needs every'],
    [
      'repeated before it is over',
      fault('kind: crash, nodes: all, at: 5s, for: 2s, every: 2s, times: 3'),
      'every: is not longer than what it repeats, 2s'
    ],
    [
      'repeated though it is for good',
      fault('kind: crash, nodes: all, at: 5s, every: 2s, times: 3'),
      'every: needs for: what is never over can’t come again'
    ],
    [
      'shares that are not the whole',
      fault('kind: partition, groups: { shares: [0.5, 0.4] }, at: 1s, until: 2s'),
      'groups.shares: come to 0.9, but must come to 1'
    ],
    [
      'an organisation in two groups',
      fault('kind: partition, groups: { organisations: [[0], [1, 0]] }, at: 1s, until: 2s'),
      'groups.organisations[1][1]: is organisation 0, which stands in a group already'
    ],
    [
      'a round that does not fit',
      fault('kind: partition, groups: { rolling: all, each: 2s }, at: 1s, until: 9s'),
      'groups.each: times 6 nodes is longer than from at to until'
    ],
    ['late nodes that never join', 'late: { count: 1 }\n', 'x.yaml:8:1 late: never joins'],
    [
      'a node that joins and was there',
      `late: { nodes: [5] }\n${fault('kind: join, nodes: { nodes: [4] }, at: 1s')}`,
      'faults[0].nodes: is not within late'
    ],
    [
      'a quorum beyond its members',
      'quorum: { k: 3, of: { organisations: [0] } }\n',
      'quorum.k: asks for more than the 2'
    ],
    [
      'a namespace that there is not',
      'workload: [{ kind: history, on: all, events: 1, namespace: "x:y" }]\n',
      'is none of namespaces'
    ],
    [
      'a chain twice',
      'chains: [{ chainId: "btc:a" }, { chainId: "btc:a" }]\n',
      'chains[1].chainId: is btc:a once more'
    ],
    ['figures out of order', 'link: { latency: { uniformMs: [9, 3] } }\n', 'link.latency.uniformMs: is not in order'],
    [
      'two histories',
      'workload: [{ kind: history, on: all, events: 1 }, { kind: history, on: all, events: 2 }]\n',
      'workload[1]: is another history of sim:main'
    ],
    ['samples without end', 'sampleEvery: 0s\n', 'sampleEvery: takes no time']
  ]
  test.for(cases)('%s', ([, text, expected, ...settings]) => {
    const found = problemsOf(text, ...settings)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(expected)
  })

  test('and by its flag where one set it', () => {
    const partition = fault('kind: partition, groups: halves, at: 9s, until: 50s')
    expect(problemsOf(partition, 'faults.0.until=5s')).toEqual([
      'command line --set faults.0.until: is not after at, 9s'
    ])
    expect(problemsOf('', 'link.los=1')).toEqual([
      'command line --set link.los: is not a known key (did you mean loss?)'
    ])
    expect(problemsOf('', 'lnk.loss=1')).toEqual([
      'command line --set lnk.loss: lnk is not a known key (did you mean link?)'
    ])
    expect(problemsOf(partition, 'faults.1.at=5s')).toEqual([
      'command line --set faults.1.at: faults[1].kind is required'
    ])
    expect(problemsOf(partition, 'faults.9.at=5s')).toEqual([
      'command line --set faults.9.at: there is no place 9 in faults: it has 1, counted from 0, and 1 adds one'
    ])
  })
})

test('flags set values anywhere, of every kind', () => {
  const settings = ['faults.0.at=20s', 'ablate.antiEntropy=true', 'link.loss=0.01', 'late={ nodes: [5] }']
  const text = `${HEAD}faults:\n  - { kind: join, nodes: { nodes: [5] }, at: 1s }\n`
  const parsed = parseScenario(text, 'x.yaml', settings.map(settingOf))
  if (!parsed.ok) throw new Error(parsed.problems.map(problemText).join('\n'))
  const { faults, ablate, link, late } = parsed.scenario
  expect(faults).toMatchObject([{ at: 20_000_000 }])
  expect(ablate.antiEntropy).toBe(true)
  expect(link).toMatchObject({ loss: 0.01, latency: { triangularMs: [10, 30, 120] } })
  expect(late).toEqual({ nodes: [5] })
})

test.each(['x', '=1', 'x=', 'x={'])('%s is no setting', (text) => {
  expect(() => settingOf(text)).toThrow('is not key=value')
})

test('a links fault changes only what it names', () => {
  const parsed = parseScenario(
    `${HEAD}faults:\n  - { kind: links, from: all, to: all, link: { loss: 0.5 }, at: 1s }\n`,
    'x.yaml'
  )
  expect(parsed.ok && parsed.scenario.faults).toEqual([
    { kind: 'links', from: 'all', to: 'all', link: { loss: 0.5 }, at: 1_000_000 }
  ])
})

test('a scenario that was read can be written and read again', () => {
  const text = `${HEAD}faults:\n  - { kind: partition, groups: { rolling: { count: 2 }, each: 1500ms }, at: 1us, until: 1h }\n`
  const parsed = parseScenario(text, 'x.yaml', [settingOf('faultsEnd=2h')])
  if (!parsed.ok) throw new Error(parsed.problems.map(problemText).join('\n'))
  const written = writtenScenario(parsed.scenario)
  expect(written.faults).toMatchObject([{ groups: { each: '1500ms' }, at: '1us', until: '1h' }])
  expect(scenarioSchema.parse(written)).toEqual(parsed.scenario)
})

test.each([0, 1, 999, 1_000, 1_500_000, 60_000_000, 61_000_000, 3_600_000_000])('%i µs is a duration', (us) => {
  expect(parseDurationUs(durationText(us))).toBe(us)
})

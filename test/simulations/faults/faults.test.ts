import { describe, expect, test } from 'vitest'
import { startFaults } from '../../../simulations/faults/faults.ts'
import { FakeSimulation } from './fake-simulation.ts'

const HEAD = `v: 1
name: x
asks: What?
nodes: 6
organisations: 3
chains: [{ chainId: 'btc:sim' }]
disk: { syncMs: { constantMs: 2 } }
faultsEnd: 100s
convergeWithin: 10s
`

/** What a scenario with these faults does to six nodes of three organisations. */
async function worldOf(...faults: readonly string[]): Promise<FakeSimulation> {
  const fake = new FakeSimulation(`${HEAD}faults:\n${faults.map((fault) => `  - { ${fault} }\n`).join('')}`)
  start(fake)
  await fake.runTo(0)
  return fake
}

function start(fake: FakeSimulation): void {
  startFaults(fake.simulation, {
    admit: async (nodes) => void fake.happened.push(`admit ${nodes.map(({ name }) => name).join(' ')}`),
    revoke: async ({ name }) => void fake.happened.push(`revoke ${name}`)
  })
}

async function happenings(...faults: readonly string[]): Promise<readonly string[]> {
  const fake = await worldOf(...faults)
  await fake.runTo(200)
  return fake.happened
}

/** Who reaches node 0. */
const reaching = (fake: FakeSimulation): readonly number[] => [1, 2, 3, 4, 5].filter((from) => !fake.isCut(from, 0))

describe('links', () => {
  test('halves are as large as each other and find each other again', async () => {
    const fake = await worldOf('kind: partition, groups: halves, at: 10s, until: 20s')
    expect(reaching(fake)).toHaveLength(5)
    await fake.runTo(10)
    expect(reaching(fake)).toHaveLength(2)
    const { groups } = (fake.traced[0]?.fields ?? {}) as { readonly groups: readonly (readonly string[])[] }
    expect(groups.map(({ length }) => length)).toEqual([3, 3])
    expect(groups.flat().toSorted()).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5'])
    await fake.runTo(20)
    expect(reaching(fake)).toHaveLength(5)
    expect(fake.traced).toMatchObject([
      { kind: 'fault', fields: { fault: 'partition', index: 0 } },
      { kind: 'heal', fields: { fault: 'partition', index: 0 } }
    ])
  })

  test('organisations that no group names are a side of their own', async () => {
    const fake = await worldOf('kind: partition, groups: { organisations: [[0]] }, at: 10s, until: 20s')
    await fake.runTo(10)
    expect(reaching(fake)).toEqual([3])
    expect(fake.isCut(1, 5)).toBe(false)
  })

  test('a part that is drawn stays together', async () => {
    const fake = await worldOf('kind: partition, groups: { isolate: { nodes: [0, 5] } }, at: 10s, until: 20s')
    await fake.runTo(10)
    expect(reaching(fake)).toEqual([5])
  })

  test('nodes are cut off one after the other', async () => {
    const fake = await worldOf('kind: partition, groups: { rolling: { nodes: [0, 1] }, each: 5s }, at: 10s, until: 20s')
    await fake.runTo(12)
    expect(reaching(fake)).toEqual([])
    expect(fake.isCut(1, 2)).toBe(false)
    await fake.runTo(17)
    expect(reaching(fake)).toEqual([2, 3, 4, 5])
    await fake.runTo(20)
    expect(reaching(fake)).toHaveLength(5)
  })

  test('a cut may go one way, and be there again and again; two cuts of a link are two', async () => {
    const fake = await worldOf(
      'kind: cut, from: { nodes: [1] }, to: { nodes: [0] }, at: 10s, until: 12s, every: 5s, times: 2',
      'kind: cut, from: { nodes: [0] }, to: { nodes: [1] }, oneWay: false, at: 11s, until: 13s'
    )
    await fake.runTo(10)
    expect([fake.isCut(1, 0), fake.isCut(0, 1)]).toEqual([true, false])
    await fake.runTo(12)
    expect([fake.isCut(1, 0), fake.isCut(0, 1)]).toEqual([true, true])
    await fake.runTo(13)
    expect([fake.isCut(1, 0), fake.isCut(0, 1)]).toEqual([false, false])
    await fake.runTo(15)
    expect(fake.isCut(1, 0)).toBe(true)
    await fake.runTo(17)
    expect(fake.isCut(1, 0)).toBe(false)
  })

  test('what a link is like is changed only in what the fault names, to the end of the faults', async () => {
    expect(await happenings('kind: links, from: all, to: all, link: { loss: 0.3 }, at: 10s')).toEqual([
      '10 links {"loss":0.3}',
      '100 links as before'
    ])
  })
})

describe('nodes', () => {
  test('crashes come again and again, and the node comes back', async () => {
    const crash = 'kind: crash, nodes: { nodes: [2] }, at: 10s, for: 2s, every: 10s, times: 2'
    expect(await happenings(crash)).toEqual([
      '10 n2 crash of power',
      '12 n2 boot',
      '20 n2 crash of power',
      '22 n2 boot'
    ])
  })

  test('a drawn node is another one each time', async () => {
    const away = await happenings('kind: stop, nodes: { count: 1 }, at: 10s, for: 2s, every: 5s, times: 12')
    expect(away).toHaveLength(24)
    expect(new Set(away.map((what) => what.split(' ')[1])).size).toBeGreaterThan(1)
  })

  test('without a time to come back it is gone for good', async () => {
    expect(await happenings('kind: crash, nodes: { nodes: [2] }, at: 10s, power: false')).toEqual(['10 n2 crash'])
  })

  test('a node that two faults keep off comes back after the second, and one that is gone stays so', async () => {
    const crash = 'kind: crash, nodes: { nodes: [2] }, at: 10s, for: 5s'
    expect(await happenings(crash, 'kind: lose-disk, nodes: { nodes: [2] }, at: 12s, for: 10s')).toEqual([
      '10 n2 crash of power',
      '12 n2 lose disk',
      '22 n2 boot'
    ])
    expect(await happenings(crash, 'kind: stop, nodes: { nodes: [2] }, at: 12s')).not.toContain('15 n2 boot')
  })

  test('pauses, disks and clocks are undone', async () => {
    const nodes = 'nodes: { nodes: [1] }'
    expect(
      await happenings(
        `kind: pause, ${nodes}, at: 10s, for: 4s`,
        `kind: pause, ${nodes}, at: 12s, for: 4s`,
        `kind: disk-full, ${nodes}, at: 20s`,
        `kind: slow-disk, ${nodes}, syncMs: { constantMs: 90 }, at: 21s, until: 30s`,
        `kind: clock, ${nodes}, skewMs: 5000, at: 40s`
      )
    ).toEqual([
      '10 n1 pause',
      '16 n1 resume',
      '20 n1 full',
      '21 n1 sync 90',
      '30 n1 sync 2',
      '40 n1 clock {"skewMs":5000,"driftPpm":0}',
      '100 n1 room',
      '100 n1 clock null'
    ])
  })

  test('late nodes join when they should, whatever happens to them before', async () => {
    const fake = new FakeSimulation(
      `${HEAD}late: { count: 2 }\nfaults:\n` +
        '  - { kind: crash, nodes: all, at: 1s, for: 1s }\n' +
        '  - { kind: join, nodes: { count: 1 }, at: 10s, policy: true }\n' +
        '  - { kind: join, nodes: { count: 2 }, at: 20s }\n'
    )
    const late = fake.simulation.select({ count: 2 }, 'late')
    for (const node of late) node.crash({ power: false })
    fake.happened.length = 0
    start(fake)
    await fake.runTo(9)
    expect(fake.happened.filter((what) => what.endsWith('boot'))).toHaveLength(4)
    await fake.runTo(100)
    const joined = fake.happened.filter((what) => /^(?:10|20) /.test(what))
    expect(joined.toSorted()).toEqual(
      late
        .map(({ name }) => name)
        .map((name) => (fake.happened.includes(`admit ${name}`) ? `10 ${name} boot` : `20 ${name} boot`))
        .toSorted()
    )
  })
})

test('chains lose blocks, and go away for some', async () => {
  expect(
    await happenings(
      'kind: reorganise, chain: "btc:sim", depth: 3, at: 5s',
      'kind: chain-away, chain: "btc:sim", nodes: { nodes: [1, 4] }, at: 10s, until: 20s',
      'kind: chain-away, chain: "btc:sim", nodes: { nodes: [4] }, at: 15s, until: 30s',
      'kind: revoke, node: 3, at: 40s'
    )
  ).toEqual([
    '5 btc:sim reorganise 3',
    '10 n1 btc:sim away',
    '10 n4 btc:sim away',
    '20 n1 btc:sim back',
    '30 n4 btc:sim back',
    'revoke n3'
  ])
})

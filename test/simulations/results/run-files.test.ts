import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { csvLine } from '../../../simulations/results/csv.ts'
import { readRunSummary, writeRunFiles } from '../../../simulations/results/run-files.ts'
import { summarise } from '../../../simulations/results/run-summary.ts'
import type { RunSummary } from '../../../simulations/results/run-summary.ts'
import { FakeRun, busyRun } from './fake-run.ts'
import { columnTables } from './tables.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'results-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const summaryOf = (run: FakeRun): RunSummary => {
  const { record, trace } = run.finish()
  return summarise(record, trace)
}

/** The rows of a CSV file by column; no field of these has a comma. */
function rowsOf(path: string): Record<string, string>[] {
  const [header = '', ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  const names = header.split(',')
  return lines.map((line) => {
    const cells = line.split(',')
    expect(cells).toHaveLength(names.length)
    return Object.fromEntries(names.map((name, place) => [name, cells[place] ?? '']))
  })
}

describe('figures of a run', () => {
  test('propagation, delivery, duplicates and healing, worked out by hand', () => {
    const run = new FakeRun('1', 3)
    for (const node of [0, 1, 2]) run.record('boot', node)
    run.connectAll().at(10).record('started', null)
    // Both others have the first after 1 s and 3 s; the second reaches n2 alone, and n1 2 s after the heal (at 30 s).
    run.at(11).record('accept', 0, { id: 'a' }).record('publish', 0, { id: 'a' })
    run.at(12).record('accept', 1, { id: 'a' })
    run.at(14).record('accept', 2, { id: 'a' })
    run.at(15).record('accept', 0, { id: 'b' })
    run.at(16).record('accept', 2, { id: 'b' }).sample().sample()
    run.at(32).record('accept', 1, { id: 'b' })
    // Came after the heal, and is nowhere else.
    run.at(33).record('accept', 2, { id: 'c' })
    for (const { gossip } of run.nodes) Object.assign(gossip, { received: 5, duplicates: 3, delivered: 2 })
    run.nodes[0]?.traffic.set('/p', { sentBytes: 70, sentMessages: 2, receivedBytes: 0, receivedMessages: 0 })
    const { figures, distributions, series, heal_s: healS } = summaryOf(run.at(40))
    expect(healS).toBe(20)
    expect(figures).toMatchObject({
      events_convergence_s: 2,
      propagation_p50_s: 2,
      coverage_p50_s: 10,
      healing_p50_s: 0,
      healing_max_s: 2,
      healed_nodes_ratio: 1,
      delivery_ratio: 4 / 6,
      duplicates_per_delivery: 1.5,
      events_published: 1,
      events_accepted: 7,
      bytes_sent: 70,
      bytes_sent_per_accepted_event: 10,
      convergence_s: null
    })
    expect(distributions.propagation_s.at(-1)).toBe(17)
    expect(series).toMatchObject({ time_s: [6], converged_nodes_ratio: [2 / 3], events: [2], online_nodes: [3] })
  })

  test('what a node could not be reached with is caught up, and says nothing of how fast the mesh is', () => {
    const run = new FakeRun('1', 4)
    for (const node of [0, 1, 2, 3]) run.record('boot', node)
    run.connectAll().at(1).record('started', null)
    // n3 is off, and nothing goes from n0 or n1 to n2.
    const [, , , off] = run.nodes
    if (off !== undefined) off.state = 'off'
    run.cuts.add('n0 n2').add('n1 n2')
    run.at(2).record('accept', 0, { id: 'a' })
    run.at(3).record('accept', 1, { id: 'a' })
    run.cuts.clear()
    run.at(14).record('accept', 2, { id: 'a' })
    run.at(22).record('accept', 3, { id: 'a' })
    // One way is left, by n1; n3 is there, without room.
    run.cuts.add('n0 n2')
    if (off !== undefined) off.state = 'running'
    run.record('fault', null, { fault: 'disk-full', index: 0, nodes: ['n3'] })
    run.at(23).record('accept', 0, { id: 'b' })
    run.record('heal', null, { fault: 'disk-full', index: 0 })
    for (const node of [1, 2, 3]) run.at(24 + node).record('accept', node, { id: 'b' })
    expect(summaryOf(run.at(30)).figures).toMatchObject({
      propagation_p50_s: 2,
      catch_up_p50_s: 12,
      coverage_p50_s: 2,
      delivery_ratio: 1
    })
  })

  test('a node that never held what others did is not healed; one that is off, or breaks the rules, is not asked', () => {
    const run = new FakeRun('1', 4)
    const [, , , byzantine] = run.nodes
    if (byzantine !== undefined) byzantine.isHonest = false
    for (const node of [0, 1, 2, 3]) run.record('boot', node)
    run.at(1).record('started', null)
    run.at(2).record('accept', 0, { id: 'a' }).record('accept', 3, { id: 'forged' })
    run.at(3).record('crash', 2, { power: true })
    expect(summaryOf(run.at(40)).figures).toMatchObject({
      healed_nodes_ratio: 0.5,
      delivery_ratio: 0,
      events_accepted: 1,
      events_convergence_s: null,
      propagation_p50_s: null
    })
  })

  test('events that all held at the heal had converged by then, whenever something happens next', () => {
    const run = new FakeRun('1', 2)
    run.record('boot', 0).record('boot', 1).connectAll().at(1).record('started', null)
    run.at(5).record('accept', 0, { id: 'a' })
    run.at(6).record('accept', 1, { id: 'a' })
    run.at(27).record('disconnect', 0, { peer: 'n1' })
    expect(summaryOf(run.at(30)).figures.events_convergence_s).toBe(0)
  })

  test('what was there before the start is no propagation, but has to heal', () => {
    const run = new FakeRun('1', 2)
    run.record('boot', 0).record('boot', 1).record('accept', 0, { id: 'old' })
    run.at(1).record('started', null)
    run.at(2).record('accept', 1, { id: 'old' })
    expect(summaryOf(run.at(30)).figures).toMatchObject({
      propagation_p50_s: null,
      healing_max_s: 0,
      delivery_ratio: null
    })
  })

  test('topology is who was connected when the first partition began; faults and failures have their times', () => {
    const run = new FakeRun('1', 3)
    for (const node of [0, 1, 2]) run.record('boot', node)
    run.record('connect', 0, { peer: 'n1' }).record('connect', 1, { peer: 'n0' }).record('connect', 2, { peer: 'n1' })
    run.at(1).record('started', null)
    run.at(3).record('fault', null, { fault: 'partition', index: 0, groups: [['n0'], ['n1', 'n2']] })
    run
      .at(4)
      .record('disconnect', 0, { peer: 'n1' })
      .record('fault', null, { fault: 'pause', index: 1, nodes: ['n2'] })
    run.at(5).record('heal', null, { fault: 'partition', index: 0 })
    run.at(6).record('fail', 1, { check: 'a-check', detail: 'it fails' })
    const { topology, faults, failures, figures } = summaryOf(run.at(9))
    expect(topology.connections).toEqual([
      [0, 1],
      [1, 2]
    ])
    expect(faults).toEqual([
      { fault: 'partition', from_s: 2, until_s: 4, groups: [[0], [1, 2]], nodes: [] },
      { fault: 'pause', from_s: 3, until_s: null, groups: [], nodes: [2] }
    ])
    expect(failures).toEqual([{ check: 'a-check', node: 'n1', detail: 'it fails', time_s: 5 }])
    expect(figures.failures).toBe(1)
  })
})

describe('the files of a run', () => {
  test('metrics.csv has a row for each sample and node, protocols.csv one for each sample and protocol', () => {
    const run = busyRun('1')
    const { record, trace } = run.finish()
    writeRunFiles(folder, record, trace)
    const metrics = rowsOf(join(folder, 'metrics.csv'))
    expect(metrics).toHaveLength(29 * 6)
    expect(metrics.at(-1)).toMatchObject({
      seed: '1',
      time_s: '28',
      node: 'n5',
      organisation: 'org-2',
      state: 'running'
    })
    expect(metrics.at(-1)).toMatchObject({ events_held: '20', events_in_mesh: '20', batches_with_winner: '20' })
    const ofNodes = metrics.filter(({ time_s: time }) => time === '28')
    const sent = ofNodes.reduce((sum, { bytes_sent: bytes }) => sum + Number(bytes), 0)
    const protocols = rowsOf(join(folder, 'protocols.csv'))
    expect(protocols.at(-1)).toMatchObject({ protocol: '/meshsub/1.2.0', bytes_sent: String(sent) })
    for (const row of metrics)
      for (const [name, value] of Object.entries(row))
        if (!['node', 'organisation', 'state'].includes(name)) expect(Number.isFinite(Number(value))).toBe(true)
  })

  test('the same inputs give the same bytes', () => {
    const bytes = ['1', '1'].map((seed) => {
      const { record, trace } = busyRun(seed).finish()
      writeRunFiles(folder, record, trace)
      return ['metrics.csv', 'protocols.csv', 'summary.json'].map((name) => readFileSync(join(folder, name), 'utf8'))
    })
    expect(bytes[1]).toEqual(bytes[0])
  })

  test('the summary is read as it was written, and names what made it', () => {
    const { record, trace } = busyRun('9').finish()
    const summary = writeRunFiles(folder, record, trace)
    expect(readRunSummary(folder)).toEqual(summary)
    expect(summary).toMatchObject({
      kind: 'run',
      seed: '9',
      versions: { anchormesh: '0.1.0', commit: 'c0ffee', node: 'v24.0.0' },
      configuration: { name: 'a-fake' },
      trace: { hash: trace.hash },
      figures: { convergence_s: 2.5, delivery_ratio: 1, duplicates_per_delivery: 2, sync_sessions: 6 }
    })
  })

  test('fields of CSV are quoted where they must be', () => {
    expect(csvLine(['a,b', 'say "x"', 'two\nlines', null, 0.5, true])).toBe(
      '"a,b","say ""x""","two\nlines",,0.5,true\n'
    )
  })

  test('the README has every column and every figure', () => {
    const readme = readFileSync('simulations/results/README.md', 'utf8')
    for (const table of columnTables()) expect(readme).toContain(table)
  })
})

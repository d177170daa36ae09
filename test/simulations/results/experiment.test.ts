import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseHTML } from 'linkedom'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeExperimentFiles } from '../../../simulations/results/experiment-files.ts'
import { FIGURE_NAMES } from '../../../simulations/results/figures.ts'
import { writeRunFiles } from '../../../simulations/results/run-files.ts'
import { writeSweepFiles } from '../../../simulations/results/sweep-files.ts'
import { busyRun } from './fake-run.ts'

const FIGURES = [
  'bytes',
  'convergence',
  'convergence-time',
  'duplicates',
  'healing',
  'messages',
  'propagation',
  'topology',
  'winners'
]

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'results-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Makes runs with these seeds, and returns their folders. */
function runsIn(name: string, seeds: readonly string[], nodes = 6): string[] {
  return seeds.map((seed) => {
    const runFolder = join(folder, name, seed)
    mkdirSync(runFolder, { recursive: true })
    const { record, trace } = busyRun(seed, nodes).finish()
    writeRunFiles(runFolder, record, trace)
    return runFolder
  })
}

/** Every file below a folder by its path, runs of their own left out. */
function filesOf(name: string): Record<string, string> {
  const paths = readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(paths.map((path) => [path.slice(join(folder, name).length), readFileSync(path, 'utf8')]))
}

interface Page {
  querySelector(selector: string): { readonly textContent: string; getAttribute(name: string): string | null } | null
  querySelectorAll(
    selector: string
  ): Iterable<{ readonly textContent: string; getAttribute(name: string): string | null }>
}

function pageOf(html: string): Page {
  return (parseHTML(html) as unknown as { readonly document: Page }).document
}

/** What would be read from somewhere else. Names of XML name spaces are never read. */
const outside = (text: string): string[] =>
  text
    .replaceAll('xmlns="http://www.w3.org/2000/svg"', '')
    .match(/https?:|url\(|@import|<script|<link|<img|\s(?:src|href)=/g) ?? []

describe('an experiment', () => {
  const write = (name: string, seeds = ['1', '2', '3']): Record<string, string> => {
    const runFolders = runsIn('runs', seeds)
    mkdirSync(join(folder, name))
    writeExperimentFiles(join(folder, name), runFolders)
    return filesOf(name)
  }

  test('has merged rows, a summary over the seeds, a report and its pictures', () => {
    const files = write('all')
    expect(Object.keys(files).toSorted()).toEqual(
      [
        '/metrics.csv',
        '/protocols.csv',
        '/report.html',
        '/summary.json',
        ...FIGURES.map((name) => `/plots/${name}.svg`)
      ].toSorted()
    )
    const lines = (files['/metrics.csv'] ?? '').trimEnd().split('\n')
    expect(lines).toHaveLength(1 + 3 * 29 * 6)
    expect(lines.filter((line) => line.startsWith('seed,'))).toHaveLength(1)
    expect(JSON.parse(files['/summary.json'] ?? '')).toMatchObject({
      kind: 'experiment',
      scenario: 'a-fake',
      seeds: ['1', '2', '3'],
      statistics: { interval: 'percentile bootstrap of the mean over runs (seeds)', resamples: 2_000 },
      figures: {
        convergence_s: { runs: 3, mean: 2.5, low: 2.5, high: 2.5 },
        delivery_ratio: { runs: 3, mean: 1 },
        duplicates_per_delivery: { mean: 2 }
      },
      runs: [{ seed: '1' }, { seed: '2' }, { seed: '3' }]
    })
  })

  test('the same runs give the same bytes', () => {
    const first = write('first')
    rmSync(join(folder, 'runs'), { recursive: true })
    expect(write('again')).toEqual(first)
  })

  test('its report reads nothing from anywhere, and neither do its pictures', () => {
    const files = write('all')
    for (const [path, text] of Object.entries(files))
      if (/\.(?:html|svg)$/.test(path)) expect(outside(text)).toEqual([])
  })

  test('every picture has a title, a name for those who do not see it, axes with units, and its numbers beside it', () => {
    const page = pageOf(write('all')['/report.html'] ?? '')
    expect(page.querySelector('html')?.getAttribute('lang')).toBe('en')
    for (const name of FIGURES) {
      expect(page.querySelector(`#${name} h2`)?.textContent).toMatch(/\w/)
      expect(page.querySelector(`#${name} svg`)?.getAttribute('role')).toBe('img')
      expect(page.querySelector(`#${name} svg`)?.getAttribute('aria-label')).toMatch(/\w/)
      expect(page.querySelector(`#${name} figcaption`)?.textContent).toMatch(/\w/)
      expect([...page.querySelectorAll(`#${name} tbody tr`)].length).toBeGreaterThan(0)
    }
    for (const name of ['convergence', 'propagation', 'healing', 'winners'])
      expect(page.querySelector(`#${name} svg`)?.textContent).toContain('virtual time (s)')
    const ids = [...page.querySelectorAll('[id]')].map((element) => element.getAttribute('id'))
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('its report says what made it: seeds, hashes, versions, the scenario; and escapes all of it', () => {
    const html = write('all')['/report.html'] ?? ''
    const text = pageOf(html).querySelector('main')?.textContent ?? ''
    for (const part of [
      'Seeds: 1, 2, 3',
      'c0ffee',
      'v24.0.0',
      'faultsEnd: 20s',
      'percentile bootstrap',
      'No check failed'
    ])
      expect(text).toContain(part)
    expect(text).toContain('Does <anything> happen?')
    expect(html).not.toContain('<anything>')
  })

  test('the picture of the mesh marks the links that the partition cut', () => {
    const svg = write('all')['/plots/topology.svg'] ?? ''
    expect(svg.match(/<circle/g)).toHaveLength(6)
    expect(svg.match(/stroke-dasharray/g)).toHaveLength(2)
  })

  test('one seed gives no intervals, and says so', () => {
    const files = write('all', ['1'])
    expect(JSON.parse(files['/summary.json'] ?? '')).toMatchObject({
      figures: { convergence_s: { runs: 1, mean: 2.5, low: null, high: null } }
    })
    expect(files['/report.html']).toContain('with one there are none')
  })

  test('failures come first', () => {
    const run = busyRun('1')
    run.record('fail', 2, { check: 'a-check', detail: 'lost <event>' })
    const { record, trace } = run.finish()
    const runFolder = join(folder, 'failed')
    mkdirSync(runFolder)
    writeRunFiles(runFolder, record, trace)
    writeExperimentFiles(folder, [runFolder])
    const html = readFileSync(join(folder, 'report.html'), 'utf8')
    expect(pageOf(html).querySelector('.failed td')?.textContent).toBe('30')
    expect(html.indexOf('lost &lt;event&gt;')).toBeLessThan(html.indexOf('id="figures-title"'))
  })
})

describe('a sweep', () => {
  const write = (name: string): Record<string, string> => {
    const grid = ['10s', '2 min'].flatMap((interval) =>
      [4, 6, 8].map((nodes) => ({
        parameters: { 'node.syncInterval': interval, nodes },
        runFolders: runsIn(`${interval}-${nodes}`, ['1', '2'], nodes)
      }))
    )
    mkdirSync(join(folder, name))
    writeSweepFiles(join(folder, name), 'sync-interval', grid)
    return filesOf(name)
  }

  test('has a row for each run with its parameters, and means at each point', () => {
    const files = write('sweep')
    const [header = '', ...rows] = (files['/sweep.csv'] ?? '').trimEnd().split('\n')
    expect(header).toBe(['node.syncInterval_s,nodes,seed,trace_sha256', ...FIGURE_NAMES].join(','))
    expect(rows).toHaveLength(12)
    expect(rows[0]).toMatch(/^10,4,1,/)
    expect(rows.at(-1)).toMatch(/^120,8,2,[0-9a-f]{64},2\.5,/)
    expect(JSON.parse(files['/summary.json'] ?? '')).toMatchObject({
      kind: 'sweep',
      parameters: ['node.syncInterval', 'nodes'],
      points: Array.from({ length: 6 }, () => ({ seeds: ['1', '2'], figures: { convergence_s: { runs: 2 } } }))
    })
  })

  test('has no column with two units: seconds are in its name, or beside each of those that other values stand with', () => {
    const grid = [
      { 'faults.0.for': '250ms', 'link.loss': 0, 'workload.0.options.pause': '1min', encryption: 'noise' },
      { 'faults.0.for': '1h', 'link.loss': 0.05, 'workload.0.options.pause': false, encryption: 'plaintext' },
      { 'faults.0.for': '1.5 s', 'link.loss': 0.05, 'workload.0.options.pause': '20s', encryption: 'noise' }
    ]
    const runFolders = runsIn('run', ['1'], 2)
    writeSweepFiles(
      folder,
      'units',
      grid.map((parameters) => ({ parameters, runFolders }))
    )
    const rows = readFileSync(join(folder, 'sweep.csv'), 'utf8').trimEnd().split('\n')
    expect(rows.map((row) => row.split(',', 4).join(','))).toEqual([
      'faults.0.for_s,link.loss,workload.0.options.pause,encryption',
      '0.25,0,60s,noise',
      '3600,0.05,false,plaintext',
      '1.5,0.05,20s,noise'
    ])
  })

  test('draws figures over the first parameter, durations in seconds, a line for each of the others', () => {
    const files = write('sweep')
    const plot = pageOf(files['/plots/propagation-p50-s.svg'] ?? '').querySelector('svg')?.textContent ?? ''
    for (const part of ['node.syncInterval (s)', 'Propagation to a node, median (s)', 'nodes = 4', 'nodes = 8'])
      expect(plot).toContain(part)
    expect(outside(files['/report.html'] ?? '')).toEqual([])
  })

  test('the same runs give the same bytes', () => {
    expect(write('again')).toEqual(write('sweep'))
  })
})

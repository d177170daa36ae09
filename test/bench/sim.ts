import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { scenarioOf } from '../../simulations/run/load.ts'
import { jobOf } from '../../simulations/run/spawn-runs.ts'
import { spawnRun } from '../../simulations/run/spawn.ts'
import { allocatorSettings, v8Flags } from '../../simulations/run/process-memory.ts'
import type { Figure } from './report.ts'
import { median, report } from './report.ts'
import type { Measure, Measured } from './sim-stack.ts'

/**
 * What a virtual second of a simulated mesh costs, beside the bare stack (libp2p with gossipsub, or gossipsub on its thin
 * host) on the same network, among the same neighbours, with the same messages at the same times. Each measure is a
 * process of its own; the kinds take turns, and the middle counts.
 */
const REPEATS = 3
const MEBIBYTE = 2 ** 20
const MESHES = [
  { level: 'full', nodes: 50 },
  { level: 'gossip', nodes: 100 }
] as const
const SECONDS = { idleSeconds: 60, warmUpSeconds: 5, loadSeconds: 20 }
// A delivery of each of its events is a thousand.
const LARGE = { level: 'gossip', nodes: 1_000, idleSeconds: 5, warmUpSeconds: 1, loadSeconds: 4 } as const

// As researchers run it: with all that a scenario has by default, its checks and its result files.
const LARGE_RUN = `{
  v: 1, name: large, asks: What does a run of a thousand nodes take?, level: gossip, nodes: 1000,
  workload: [{ kind: announce, perSecond: 1, until: 8s }], faultsEnd: 10s, convergeWithin: 1min
}`

const folder = mkdtempSync(join(tmpdir(), 'bench-sim-'))
try {
  const figures = MESHES.flatMap(compare)
  report('sim', [...figures, ...large(), await largeRun()])
} finally {
  rmSync(folder, { recursive: true })
}

function compare({ level, nodes }: (typeof MESHES)[number]): Figure[] {
  const rounds = Array.from({ length: REPEATS }, (_, round) => {
    const measure = { level, nodes, ...SECONDS, bundles: false, messages: newFile(`${level}-${round}`) } as const
    return { node: take({ ...measure, stack: 'node' }), bare: take({ ...measure, stack: 'bare' }) }
  })
  const handing = take({ level, nodes, ...SECONDS, bundles: true, messages: newFile(level), stack: 'node' })
  const mesh = `${nodes} nodes ${level}`
  const of = (stack: 'node' | 'bare', value: (measured: Measured) => number): number =>
    median(rounds.map((round) => value(round[stack])))
  const speeds = (what: 'idle' | '2 events/s', value: (measured: Measured) => number): Figure[] => [
    { name: `${mesh}, ${what}: whole node`, value: of('node', value), unit: 'virtual s/CPU s' },
    { name: `${mesh}, ${what}: bare`, value: of('bare', value), unit: 'virtual s/CPU s' },
    {
      name: `${mesh}, ${what}: whole node / bare`,
      value: median(rounds.map(({ node, bare }) => value(node) / value(bare))),
      unit: 'ratio',
      bound: 0.5,
      compare: '>='
    }
  ]
  const cpuOfDelivery = ({ loadPerCpu, deliveries }: Measured): number =>
    (SECONDS.loadSeconds * 1_000) / loadPerCpu / deliveries
  return [
    ...speeds('idle', ({ idlePerCpu }) => idlePerCpu),
    ...speeds('2 events/s', ({ loadPerCpu }) => loadPerCpu),
    {
      name: `${mesh}, 2 events/s and each node asks for the receipts: whole node`,
      value: handing.loadPerCpu,
      unit: 'virtual s/CPU s'
    },
    { name: `${mesh}: CPU of a delivery, whole node`, value: of('node', cpuOfDelivery), unit: 'ms' },
    { name: `${mesh}: CPU of a delivery, bare`, value: of('bare', cpuOfDelivery), unit: 'ms' },
    { name: `${mesh}: deliveries, whole node`, value: of('node', ({ deliveries }) => deliveries), unit: '' },
    { name: `${mesh}: deliveries, bare`, value: of('bare', ({ deliveries }) => deliveries), unit: '' },
    {
      name: `${mesh}: CPU of the start, a node`,
      value: of('node', ({ startCpuMs }) => startCpuMs / nodes),
      unit: 'ms'
    },
    { name: `${mesh}: heap of a whole node`, value: of('node', heapOf), unit: 'MiB' },
    { name: `${mesh}: heap of a bare one`, value: of('bare', heapOf), unit: 'MiB' }
  ]
}

function large(): Figure[] {
  const measured = take({ ...LARGE, bundles: false, messages: newFile('large'), stack: 'node' })
  const mesh = `${LARGE.nodes} nodes ${LARGE.level}`
  return [
    { name: `${mesh}: most memory resident`, value: measured.peakRssBytes / MEBIBYTE, unit: 'MiB', bound: 2_048 },
    { name: `${mesh}: heap of a whole node`, value: heapOf(measured), unit: 'MiB' },
    { name: `${mesh}, idle: whole node`, value: measured.idlePerCpu, unit: 'virtual s/CPU s' },
    { name: `${mesh}, 2 events/s: whole node`, value: measured.loadPerCpu, unit: 'virtual s/CPU s' }
  ]
}

async function largeRun(): Promise<Figure> {
  const peak = newFile('peak')
  Object.assign(process.env, {
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'sim-peak.ts')).href}`,
    ANCHORMESH_BENCH_PEAK: peak
  })
  const loaded = await scenarioOf(LARGE_RUN, { file: 'large', folder })
  const end = await spawnRun(jobOf(loaded, '1', { outDir: folder }))
  if (end.kind === 'broken' || end.failures.length > 0) throw new Error(`the large run failed: ${JSON.stringify(end)}`)
  const value = Number(readFileSync(peak, 'utf8')) / MEBIBYTE
  return { name: '1000 nodes gossip, simulate: most memory resident', value, unit: 'MiB', bound: 2_048 }
}

function heapOf({ heapBytesPerNode }: Measured): number {
  return heapBytesPerNode / MEBIBYTE
}

function newFile(name: string): string {
  const file = join(folder, name)
  writeFileSync(file, '')
  return file
}

function take(measure: Measure): Measured {
  const world = join(import.meta.dirname, '../../simulations/world/install.ts')
  const script = join(import.meta.dirname, 'sim-measure.ts')
  const args = [...v8Flags(measure.nodes), '--expose-gc', '--import', world, script, JSON.stringify(measure)]
  const env = { ...process.env, ...allocatorSettings(measure.nodes) }
  const text = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env })
  return JSON.parse(text) as Measured
}

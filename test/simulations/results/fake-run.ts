import type { ScenarioFile } from '../../../simulations/scenario/schema.ts'
import { scenarioSchema } from '../../../simulations/scenario/schema.ts'
import type { SimulatedNode, Simulation, Trace, TraceKind } from '../../../simulations/model/simulation.ts'
import type { ProtocolTraffic } from '../../../simulations/network/traffic.ts'
import { RunCollector } from '../../../simulations/results/collector.ts'
import type { RunAbout, RunRecord } from '../../../simulations/results/run-record.ts'
import { TraceWriter } from '../../../simulations/results/trace-writer.ts'
import type { TraceEnd } from '../../../simulations/results/trace-writer.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { START_US } from '../../../simulations/world/virtual-time.ts'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'

/** Faults end at 20 s. */
const SCENARIO: ScenarioFile = {
  v: 1,
  name: 'a-fake',
  asks: 'Does <anything> happen?',
  nodes: 4,
  faultsEnd: '20s',
  convergeWithin: '10s',
  faults: [{ kind: 'partition', groups: 'halves', at: '5s', until: '15s' }]
}

/** A node as results see it. */
interface FakeNode {
  name: string
  address: string
  peerId: string
  orgId: string
  isHonest: boolean
  state: SimulatedNode['state']
  traffic: Map<string, ProtocolTraffic>
  gossip: { received: number; duplicates: number; delivered: number }
}

/** A run that a test writes by hand: it passes time and says what happens. */
export class FakeRun {
  readonly nodes: FakeNode[]
  readonly chunks: Uint8Array[] = []
  readonly collector: RunCollector
  readonly time = { nowUs: START_US }
  /** Directions in which nothing goes, as `n0 n1`. */
  readonly cuts = new Set<string>()
  readonly #writer: TraceWriter

  constructor(seed: string, nodes: number, organisations = nodes) {
    const scenario = { ...SCENARIO, nodes, organisations }
    const about: RunAbout = {
      scenario,
      files: {},
      seed,
      extensions: [],
      traceFrames: false,
      nodeVersion: 'v24.0.0',
      commit: 'c0ffee',
      version: '0.1.0'
    }
    this.#writer = new TraceWriter({ time: this.time, write: (bytes) => void this.chunks.push(bytes), frames: false })
    this.collector = new RunCollector({ about, time: this.time, trace: this.#writer })
    this.nodes = Array.from({ length: nodes }, (_, index) => ({
      name: `n${index}`,
      address: `n${index}`,
      peerId: `peer-${index}`,
      orgId: `org-${index % organisations}`,
      isHonest: true,
      state: 'running',
      traffic: new Map(),
      gossip: { received: 0, duplicates: 0, delivered: 0 }
    }))
    const net = { isCut: (from: string, to: string) => this.cuts.has(`${from} ${to}`) }
    const simulation = { scenario: scenarioSchema.parse(scenario), seed, nodes: this.nodes, net }
    this.collector.begin(simulation as unknown as Simulation)
  }

  at(seconds: number): this {
    this.time.nowUs = START_US + Math.round(seconds * 1_000_000)
    return this
  }

  record(kind: TraceKind, node: number | null, fields?: JsonObject): this {
    const trace: Trace = this.collector
    trace.record(kind, node === null ? null : `n${node}`, fields)
    return this
  }

  /** Each is connected with each other. */
  connectAll(): this {
    for (const node of this.nodes.keys())
      for (const peer of this.nodes.keys()) if (peer !== node) this.record('connect', node, { peer: `n${peer}` })
    return this
  }

  sample(): this {
    this.collector.sample()
    return this
  }

  finish(): { readonly record: RunRecord; readonly trace: TraceEnd; readonly traceBytes: Buffer } {
    const record = this.collector.finish()
    return { record, trace: this.#writer.finish(), traceBytes: Buffer.concat(this.chunks) }
  }
}

/** A run of some life: a partition from 5 s to 15 s, events on both sides, winners; all from the seed. */
export function busyRun(seed: string, nodes = 6): FakeRun {
  const random = seededRandom(seed)
  const run = new FakeRun(seed, nodes, Math.ceil(nodes / 2))
  run.nodes.forEach((_, node) => run.record('boot', node))
  run.nodes.forEach((_, node) => {
    const peer = (node + 1) % nodes
    run.record('connect', node, { peer: `n${peer}` }).record('connect', peer, { peer: `n${node}` })
  })
  run.at(2).record('started', null)
  const half = nodes / 2
  const names = run.nodes.map(({ name }) => name)
  const happenings: { readonly atS: number; readonly happen: () => void }[] = []
  const plan = (atS: number, happen: () => void): void => void happenings.push({ atS, happen })
  plan(7, () =>
    run.record('fault', null, { fault: 'partition', index: 0, groups: [names.slice(0, half), names.slice(half)] })
  )
  plan(17, () => run.record('heal', null, { fault: 'partition', index: 0 }))
  for (let number = 0; number < 20; number += 1) {
    const origin = random.below(nodes)
    const atS = 2.5 + number
    const id = number.toString(16).padStart(64, '0')
    plan(atS, () => run.record('accept', origin, { id }).record('publish', origin, { id }))
    run.nodes.forEach(({ gossip, traffic }, node) => {
      const isApart = atS > 7 && atS < 17 && node < half !== origin < half
      if (node !== origin)
        plan((isApart ? 22.2 : atS) + random.fraction() / 2, () => {
          gossip.received += 3
          gossip.duplicates += 2
          gossip.delivered += 1
          const sum = traffic.get('/meshsub/1.2.0') ?? {
            sentBytes: 0,
            sentMessages: 0,
            receivedBytes: 0,
            receivedMessages: 0
          }
          sum.sentBytes += 1_200
          sum.sentMessages += 3
          traffic.set('/meshsub/1.2.0', sum)
          run.record('accept', node, { id })
        })
      plan(atS + 0.6, () => run.record('winner', node, winnerOf(number, isApart ? 'bb' : 'aa')))
      if (isApart) plan(24, () => run.record('winner', node, winnerOf(number, 'aa')))
    })
  }
  run.nodes.forEach((_, node) =>
    plan(22.8, () =>
      run.record('sync', node, {
        peer: `peer-${(node + 1) % nodes}`,
        namespace: 'sim:main',
        role: 'initiator',
        end: 'synced',
        rounds: 2 + random.below(3),
        sent: 1,
        received: 2
      })
    )
  )
  for (let second = 2; second <= 30; second += 1) plan(second, () => run.sample())
  plan(24.5, () => run.record('converged', null, { afterHealUs: 2_500_000 }))
  for (const { atS, happen } of happenings.toSorted((left, right) => left.atS - right.atS)) {
    run.at(atS)
    happen()
  }
  return run.at(32)
}

function winnerOf(batch: number, root: string): JsonObject {
  return {
    namespace: 'sim:main',
    owner: 'org-0',
    batchId: `b${batch}`,
    status: 'verified',
    batchRoot: root,
    chainId: 'btc:sim',
    evidenceId: root
  }
}

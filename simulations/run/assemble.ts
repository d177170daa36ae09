import { startByzantine } from '../byzantine/start-byzantine.ts'
import { standardChecks } from '../checks/all.ts'
import { createScriptedChains } from '../chains/create-chains.ts'
import { LATE } from '../faults/injection.ts'
import { hostMakerOf } from '../network/create-host.ts'
import { drawOf } from '../network/latency.ts'
import { parseLinkMatrix } from '../network/link-matrix.ts'
import type { LinkRules } from '../network/link-matrix.ts'
import { SimulatedNet } from '../network/simulated-net.ts'
import { dialsOf, parseDials } from '../network/topology.ts'
import type { Dials } from '../network/topology.ts'
import { castOf } from '../nodes/cast.ts'
import type { CastMember } from '../nodes/cast.ts'
import { watchDefects } from '../nodes/defects.ts'
import { governanceOf } from '../nodes/governance.ts'
import { createSimulatedNodes } from '../nodes/simulated-nodes.ts'
import { seededRandom } from '../ports/seeded-random.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import { RunCollector } from '../results/collector.ts'
import { sessionLogger } from '../results/noted-sessions.ts'
import type { RunAbout } from '../results/run-record.ts'
import type { Scenario } from '../scenario/schema.ts'
import { startWorkloads } from '../workload/workloads.ts'
import { world } from '../world/world.ts'
import { CheckRounds } from './check-rounds.ts'
import type { RunParts } from './run.ts'
import { ScenarioRun } from './scenario-run.ts'
import { selectionsOf } from './selections.ts'
import { detailOf } from '../model/defect-detail.ts'
import type { SimulatedNode, SimulationExtension, Trace } from '../model/simulation.ts'

export interface AssembleOptions {
  readonly scenario: Scenario
  readonly about: RunAbout
  readonly extensions: readonly SimulationExtension[]
  readonly trace: Trace
  readonly onProgress: RunParts['onProgress']
}

/** Puts together what a scenario names: network, chains, nodes and what happens to them. Everything follows from the seed. */
export async function assembleRun(options: AssembleOptions): Promise<RunParts> {
  const { scenario, about, extensions } = options
  const { time } = world
  const random = seededRandom(`run ${about.seed}`)
  const cast = await castOf(scenario, about.seed)
  const select = selectionsOf(cast, random.fork('selections'))
  const dials = dialsIn(scenario, about.files, cast, random.fork('topology'))
  const late = scenario.late === undefined ? [] : select(scenario.late, LATE)
  const strangers = scenario.faults.flatMap((fault) =>
    fault.kind === 'join' && fault.policy ? select(fault.nodes, LATE) : []
  )
  const collector = new RunCollector({ about, time, trace: options.trace })
  const net = new SimulatedNet<unknown>({
    time,
    random: random.fork('network'),
    rule: rulesIn(scenario, about.files),
    ...(about.traceFrames ? { onSent: (from, to, bytes) => collector.record('frame', null, { from, to, bytes }) } : {})
  })
  const chains = createScriptedChains(scenario.chains, { time, random: random.fork('chains') })
  // Nodes tell of anything only once they run, and by then there is a run to tell.
  const told: { run?: ScenarioRun; rounds?: CheckRounds } = {}
  const named = new Map<string, SimulatedNode>()
  const nodes = createSimulatedNodes(cast, {
    scenario,
    time,
    random: random.fork('nodes'),
    net,
    chains,
    trace: {
      record(kind, name, fields) {
        collector.record(kind, name, fields)
        const node = kind === 'accept' && name !== null ? named.get(name) : undefined
        if (node !== undefined) told.rounds?.accepted(node, fields?.['id'] as string)
      }
    },
    createHost: hostMakerOf(scenario),
    dials,
    quorumOf: scenario.quorum === undefined ? [] : select(scenario.quorum.of, 'quorum'),
    strangers,
    syncMs: drawOf(scenario.disk.syncMs),
    logger: (node) => sessionLogger((session) => collector.record('sync', node, session)),
    onDefect: (node, error) => told.run?.fail({ check: 'defect', node, detail: detailOf(error) })
  })
  for (const node of nodes) named.set(node.name, node)
  const made = new ScenarioRun({ scenario, seed: about.seed, time, random, net, nodes, chains, trace: collector })
  // For one run, because checks remember what they have seen.
  const rounds = new CheckRounds(made, [...standardChecks(), ...extensions.flatMap(({ checks = [] }) => checks)])
  told.run = made
  told.rounds = rounds
  watchDefects((error) => made.fail({ check: 'defect', detail: detailOf(error) }))
  const early = nodes.filter(({ index }) => !late.some((member) => member.index === index))
  return {
    run: made,
    collector,
    governance: governanceOf(nodes, cast),
    early,
    wanted: early.map(({ index }) => neighboursAmong(dials, index, early).size),
    rounds,
    begin() {
      startWorkloads(made, extensions)
      startByzantine(made)
    },
    onProgress: options.onProgress
  }
}

function dialsIn(
  { topology, nodes }: Scenario,
  files: RunAbout['files'],
  cast: readonly CastMember[],
  random: SeededRandom
): Dials {
  if (topology.kind !== 'file') {
    const organisations = [...new Set(cast.map(({ orgId }) => orgId))]
    return dialsOf(
      topology,
      cast.map(({ orgId }) => organisations.indexOf(orgId)),
      random
    )
  }
  const read = parseDials(files[topology.path] ?? '', nodes)
  if (!read.ok) throw new Error(`${topology.path}:${read.line}: ${read.problem}`)
  return read.value
}

function rulesIn({ linkMatrix, link, nodes }: Scenario, files: RunAbout['files']): LinkRules {
  if (linkMatrix === undefined) return () => link
  const read = parseLinkMatrix(files[linkMatrix] ?? '', link, nodes)
  if (!read.ok) throw new Error(`${linkMatrix}:${read.line}: ${read.problem}`)
  return read.value
}

/** Those of the nodes that a node dials, and those that dial it. */
function neighboursAmong(dials: Dials, node: number, among: readonly { readonly index: number }[]): Set<number> {
  const present = new Set(among.map(({ index }) => index))
  const dialled = (dials[node] ?? []).filter((to) => present.has(to))
  const dialling = [...dials.entries()].filter(([from, tos]) => present.has(from) && tos.includes(node))
  return new Set([...dialled, ...dialling.map(([from]) => from)])
}

import { startFaults } from '../faults/faults.ts'
import type { Governance } from '../faults/injection.ts'
import type { RunCollector } from '../results/collector.ts'
import type { RunRecord } from '../results/run-record.ts'
import { loadHistories } from '../workload/history.ts'
import { forbidRealTime } from '../world/forbid.ts'
import type { CheckRounds } from './check-rounds.ts'
import { runTask } from './clockwork.ts'
import type { ScenarioRun } from './scenario-run.ts'
import type { SimulatedNode } from '../model/simulation.ts'

// A node that has not started by then never will; a thousand that start at once are slow, not stuck.
const START_WITHIN_US = 600_000_000
// A node that starts writes the whole membership: of a thousand nodes at once that is 700 MiB under way.
const STARTED_AT_ONCE_MAX = 200
// A hundred thousand events, each judged by several nodes, at what their disks take.
const HISTORIES_WITHIN_US = 24 * 3_600_000_000
// A dial that failed is tried again within a minute.
const MESH_WITHIN_US = 120_000_000
const MESH_LOOK_US = 250_000
// Folding a hundred thousand events afresh takes no virtual time; what waits for a node's own clock takes little.
const CHECKS_WITHIN_US = 600_000_000

export interface RunParts {
  readonly run: ScenarioRun
  readonly collector: RunCollector
  readonly governance: Governance
  /** Those that are there from the start. */
  readonly early: readonly SimulatedNode[]
  /** How many connections each of them has when the mesh stands, by their order. */
  readonly wanted: readonly number[]
  readonly rounds: CheckRounds
  /** Workloads and Byzantine peers begin. */
  readonly begin: () => void
  /** Virtual milliseconds since the start, and how long it takes at the most. */
  readonly onProgress: (virtualMs: number, ofMs: number) => void
}

/**
 * Runs a scenario: histories are put on disks; all nodes start and find each other; faults come and go; everything
 * heals, and has to become one within the scenario's time. Ends as soon as it is.
 */
export async function runScenario(parts: RunParts): Promise<RunRecord> {
  const { run, collector, early, governance, rounds } = parts
  const { time, scenario } = run
  forbidRealTime()
  collector.begin(run)
  await runTask(time, 'loading the histories', HISTORIES_WITHIN_US, async () => await loadHistories(run))
  await runTask(time, 'starting the nodes', START_WITHIN_US, async () => {
    for (let place = 0; place < early.length; place += STARTED_AT_ONCE_MAX)
      await Promise.all(early.slice(place, place + STARTED_AT_ONCE_MAX).map(async (node) => await node.boot()))
  })
  await untilMeshStands(parts)
  run.begin()
  run.trace.record('started', null)
  startFaults(run, governance)
  parts.begin()
  const endUs = scenario.faultsEnd + scenario.convergeWithin
  sampleEvery(parts, endUs)
  foldEvery(run, rounds, endUs)
  await time.runUntil(run.startedUs + endUs, () => run.hasConverged)
  await runTask(time, 'checking at the end', CHECKS_WITHIN_US, async () => await rounds.end())
  collector.sample()
  return collector.finish()
}

/**
 * Lets the nodes find each other, so that times of the scenario are not those of the first dials. Where they don't, the
 * scenario runs all the same, and the run has failed.
 */
async function untilMeshStands({ run, early, wanted }: RunParts): Promise<void> {
  const { time } = run
  const lacking = (): readonly string[] =>
    early.flatMap(({ name, network }, place) => {
      const [connected, neighbours] = [network?.connected().length ?? 0, wanted[place] ?? 0]
      return connected < neighbours ? [`${name} with ${connected} of ${neighbours} neighbours`] : []
    })
  const giveUpUs = time.nowUs + MESH_WITHIN_US
  while (lacking().length > 0 && time.nowUs < giveUpUs) await time.runUntil(time.nowUs + MESH_LOOK_US)
  const left = lacking()
  if (left.length === 0) return
  const withinS = MESH_WITHIN_US / 1_000_000
  run.fail({ check: 'mesh-stands', detail: `after ${withinS} s of finding each other ${left.join(', ')}` })
}

function sampleEvery({ run, collector, rounds, onProgress }: RunParts, endUs: number): void {
  every(run, { fromUs: 0, stepUs: run.scenario.sampleEvery, endUs }, async () => {
    collector.sample()
    onProgress(Math.floor(run.scenarioUs / 1_000), Math.floor(endUs / 1_000))
    await rounds.sample()
  })
}

/** Not at the beginning: nothing has happened by then. */
function foldEvery(run: ScenarioRun, rounds: CheckRounds, endUs: number): void {
  const stepUs = run.scenario.foldEvery
  every(run, { fromUs: stepUs, stepUs, endUs }, async () => await rounds.fold())
}

interface Steps {
  readonly fromUs: number
  readonly stepUs: number
  readonly endUs: number
}

function every(run: ScenarioRun, { fromUs, stepUs, endUs }: Steps, act: () => Promise<void>): void {
  const next = (atUs: number): void => {
    if (atUs > endUs) return
    run.at(atUs, async () => {
      next(atUs + stepUs)
      await act()
    })
  }
  next(fromUs)
}

import type { ScriptedChains } from '../chains/scripted-chains.ts'
import type { SimulatedNet } from '../network/simulated-net.ts'
import { detailOf } from '../model/defect-detail.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Scenario, Selection } from '../scenario/schema.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import type { FailureAt } from './jobs.ts'
import { createLedger } from './ledger.ts'
import { selectionsOf } from './selections.ts'
import type { Failure, Ledger, SimulatedNode, Simulation, Trace } from '../model/simulation.ts'

// The first failures say what is wrong; thousands of the same check would only fill the summary.
const FAILURES_PER_CHECK_MAX = 20

export interface ScenarioRunParts {
  readonly scenario: Scenario
  readonly seed: string
  readonly time: VirtualTime
  readonly random: SeededRandom
  readonly net: SimulatedNet<unknown>
  readonly nodes: readonly SimulatedNode[]
  readonly chains: ScriptedChains
  readonly trace: Trace
}

/** A run that faults, workloads and checks hold in their hands. */
export class ScenarioRun implements Simulation {
  readonly scenario: Scenario
  readonly seed: string
  readonly time: VirtualTime
  readonly random: SeededRandom
  readonly net: SimulatedNet<unknown>
  readonly nodes: readonly SimulatedNode[]
  readonly chains: ScriptedChains
  readonly trace: Trace
  readonly ledger: Ledger
  /** Without `this`, because it is handed on. */
  readonly select: (selection: Selection, name: string) => readonly SimulatedNode[]
  readonly #failures: FailureAt[] = []
  readonly #failed = new Map<string, number>()
  #startedUs: number
  #hasConverged = false

  constructor(parts: ScenarioRunParts) {
    this.scenario = parts.scenario
    this.seed = parts.seed
    this.time = parts.time
    this.random = parts.random
    this.net = parts.net
    this.nodes = parts.nodes
    this.chains = parts.chains
    this.trace = {
      record: (kind, node, fields) => {
        if (kind === 'converged') this.#hasConverged = true
        parts.trace.record(kind, node, fields)
      }
    }
    this.#startedUs = parts.time.nowUs
    this.select = selectionsOf(parts.nodes, parts.random.fork('selections'))
    this.ledger = createLedger(
      () => this.time.nowUs,
      (node, eventId) => this.trace.record('publish', node.name, { id: eventId })
    )
  }

  get startedUs(): number {
    return this.#startedUs
  }

  /** Whether the checks have found, after the heal, that all nodes hold the same. */
  get hasConverged(): boolean {
    return this.#hasConverged
  }

  get failures(): readonly FailureAt[] {
    return this.#failures
  }

  /** All nodes run that are there from the start: times of the scenario count from now. */
  begin(): void {
    this.#startedUs = this.time.nowUs
  }

  /** Microseconds of the scenario. */
  get scenarioUs(): number {
    return this.time.nowUs - this.#startedUs
  }

  at(scenarioUs: number, run: () => void | Promise<void>): void {
    this.time.afterUs(this.#startedUs + scenarioUs - this.time.nowUs, null, () => {
      this.#watch(run).catch((error: unknown) => this.fail({ check: 'defect', detail: detailOf(error) }))
    })
  }

  fail(failure: Failure): void {
    const before = this.#failed.get(failure.check) ?? 0
    this.#failed.set(failure.check, before + 1)
    if (before >= FAILURES_PER_CHECK_MAX) return
    this.#failures.push({ ...failure, atMs: Math.floor(this.scenarioUs / 1_000) })
    this.trace.record('fail', failure.node ?? null, { check: failure.check, detail: failure.detail })
  }

  async #watch(run: () => void | Promise<void>): Promise<void> {
    await run()
  }
}

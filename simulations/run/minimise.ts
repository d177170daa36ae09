import { scenarioProblems } from '../scenario/check.ts'
import type { LoadedScenario } from './load.ts'
import type { Fault, Scenario } from '../scenario/schema.ts'
import { jobOf, spawnInTurn } from './spawn-runs.ts'
import type { RunsOptions } from './spawn-runs.ts'

export interface MinimiseOptions extends RunsOptions {
  readonly extensions?: readonly string[]
  /** At most so many runs. */
  readonly triesMax: number
  readonly onTry?: (tries: number) => void
}

/** The smallest scenario that was found, and how its run fails. */
export type Minimised =
  | { readonly ok: true; readonly scenario: Scenario; readonly check: string; readonly tries: number }
  /** The run does not fail: there is nothing to look for. */
  | { readonly ok: false }

/**
 * Looks for a smaller scenario whose run with the same seed fails the same check: without some of its faults, Byzantine
 * peers and workloads, with fewer nodes, shorter. It tries what takes away most first, and again from what it found.
 * Where the signal aborts, that is the smallest of those found by then.
 */
export async function minimise(loaded: LoadedScenario, seed: string, options: MinimiseOptions): Promise<Minimised> {
  const { triesMax, extensions = [], onTry = () => {} } = options
  const failing = async (scenarios: readonly Scenario[], check?: string): Promise<Failing | null> => {
    const jobs = scenarios.map((scenario) => jobOf({ ...loaded, scenario }, seed, { extensions }))
    let place = -1
    // Of those that fail the first counts, whichever is over first: on any machine the same.
    for await (const { end } of spawnInTurn(jobs, options)) {
      place += 1
      tries += 1
      onTry(tries)
      const checks = end.kind === 'broken' ? [BROKEN] : end.failures.map((failure) => failure.check)
      const found = check === undefined ? checks[0] : checks.find((name) => name === check)
      const scenario = scenarios[place]
      if (found !== undefined && scenario !== undefined) return { scenario, check: found }
    }
    return null
  }
  let tries = 0
  let best = await failing([loaded.scenario])
  if (best === null) return { ok: false }
  try {
    while (tries < triesMax) {
      const candidates = smallerThan(best.scenario).slice(0, triesMax - tries)
      const smaller: Failing | null = await failing(candidates, best.check)
      if (smaller === null) break
      best = smaller
    }
  } catch (error) {
    // Whoever has waited for it gets what was found until then.
    if (options.signal?.aborted !== true) throw error
  }
  return { ok: true, ...best, tries }
}

interface Failing {
  readonly scenario: Scenario
  readonly check: string
}

/** What stands for a check where there was no run at all. */
const BROKEN = 'broken'

/** Scenarios that are a step smaller and still make sense, those that take away most first. */
function smallerThan(scenario: Scenario): readonly Scenario[] {
  const lists = (['faults', 'byzantine', 'workload'] as const).flatMap((key) =>
    withoutParts<Scenario[typeof key][number]>(scenario[key]).map((left) => ({ ...scenario, [key]: left }))
  )
  const fewer = [Math.ceil(scenario.nodes / 2), scenario.nodes - 1].map((nodes) => withNodes(scenario, nodes))
  const shorter = [0.5, 0.75].map((part) => shortened(scenario, part))
  const steady = scenario.faults.map((fault, index) => ({
    ...scenario,
    faults: scenario.faults.with(index, once(fault))
  }))
  return [...lists, ...fewer, ...shorter, ...steady].filter(
    (smaller) => JSON.stringify(smaller) !== JSON.stringify(scenario) && scenarioProblems(smaller).length === 0
  )
}

/** Without all, without each half, without each one. */
function withoutParts<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length === 0) return []
  const half = items.length >> 1
  const halves = items.length > 2 ? [items.slice(half), items.slice(0, half)] : []
  const ones = items.length > 1 ? items.map((_, index) => items.toSpliced(index, 1)) : []
  return [[], ...halves, ...ones]
}

function withNodes(scenario: Scenario, nodes: number): Scenario {
  if (nodes < 1) return scenario
  const { organisations } = scenario
  return {
    ...scenario,
    nodes,
    ...(organisations === undefined ? {} : { organisations: Math.min(organisations, nodes) })
  }
}

/** Over after a part of its time; what would come later does not. */
function shortened(scenario: Scenario, part: number): Scenario {
  const faultsEnd = Math.round((scenario.faultsEnd * part) / SECOND_US) * SECOND_US
  const until = (span: { readonly until?: number | undefined }): { readonly until?: number } =>
    span.until === undefined ? {} : { until: Math.min(span.until, faultsEnd) }
  return {
    ...scenario,
    faultsEnd,
    faults: scenario.faults
      .filter(({ at }) => at < faultsEnd)
      .map((fault) => ('until' in fault ? { ...fault, ...until(fault) } : fault)),
    byzantine: scenario.byzantine.filter(({ at }) => at < faultsEnd).map((span) => ({ ...span, ...until(span) })),
    workload: scenario.workload
      .filter((load) => load.kind !== 'announce' || load.from < faultsEnd)
      .map((load) => (load.kind === 'announce' ? { ...load, until: Math.min(load.until, faultsEnd) } : load))
  }
}

function once(fault: Fault): Fault {
  return 'times' in fault && fault.times > 1 ? { ...fault, times: 1, every: undefined } : fault
}

const SECOND_US = 1_000_000

import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { FigureName } from './figures.ts'
import { FIGURES, FIGURE_NAMES } from './figures.ts'
import type { ProtocolTotals, RunSummary, Series } from './run-summary.ts'
import { DISTRIBUTION_STEPS } from './run-summary.ts'
import type { Estimate } from './statistics.ts'
import { Bootstrap, STATISTICS } from './statistics.ts'

// As many as a plot can show; between two of them the one before holds.
const SERIES_POINTS_MAX = 400

/** `summary.json` over several runs of one scenario. */
export type ExperimentSummary = {
  readonly v: 1
  readonly kind: 'experiment'
  readonly scenario: string
  readonly asks: string
  readonly level: 'full' | 'gossip'
  readonly versions: RunSummary['versions']
  readonly configuration: JsonObject
  readonly seeds: readonly string[]
  readonly statistics: typeof STATISTICS
  /** `null`: in no run was there one. Runs without one are left out of a mean; `runs` says how many had one. */
  readonly figures: { readonly [Name in FigureName]: Estimate | null }
  readonly distributions: { readonly [Name in keyof RunSummary['distributions']]: readonly (Estimate | null)[] }
  readonly series: ExperimentSeries
  readonly protocols: readonly ProtocolEstimates[]
  /** Each run as it was, for those who want another statistic. */
  readonly runs: readonly Pick<RunSummary, 'seed' | 'trace' | 'figures' | 'failures'>[]
}

export type ExperimentSeries = {
  readonly time_s: readonly number[]
} & { readonly [Name in Exclude<keyof Series, 'time_s'>]: readonly (Estimate | null)[] }

export type ProtocolEstimates = {
  readonly protocol: string
} & { readonly [Name in Exclude<keyof ProtocolTotals, 'protocol'>]: Estimate | null }

/** States the figures of runs of one scenario over their seeds. At least one run. */
export function summariseExperiment(runs: readonly RunSummary[]): ExperimentSummary {
  const [first] = runs
  if (first === undefined) throw new Error('an experiment has at least one run')
  const { scenario, asks, level, versions, configuration } = first
  const bootstrap = new Bootstrap(runs.length)
  const over = (value: (run: RunSummary) => number | null): Estimate | null => bootstrap.mean(runs.map(value))
  return {
    v: 1,
    kind: 'experiment',
    scenario,
    asks,
    level,
    versions,
    configuration,
    seeds: runs.map(({ seed }) => seed),
    statistics: STATISTICS,
    figures: byName(FIGURE_NAMES, (name) => over(({ figures }) => figures[name])),
    distributions: byName(['propagation_s', 'coverage_s', 'healing_s'] as const, (name) =>
      distributionOver(runs, name, over)
    ),
    series: seriesOver(runs, bootstrap),
    protocols: protocolsOver(runs, over),
    runs: runs.map(({ seed, trace, figures, failures }) => ({ seed, trace, figures, failures }))
  }
}

/** With its unit, as axes and tables have it. */
export function labelOf(name: FigureName): string {
  const { label, unit } = FIGURES[name]
  return unit === '' ? label : `${label} (${unit})`
}

type Over = (value: (run: RunSummary) => number | null) => Estimate | null

function distributionOver(
  runs: readonly RunSummary[],
  name: keyof RunSummary['distributions'],
  over: Over
): (Estimate | null)[] {
  if (runs.every(({ distributions }) => distributions[name].length === 0)) return []
  return Array.from({ length: DISTRIBUTION_STEPS + 1 }, (_, step) =>
    over(({ distributions }) => distributions[name][step] ?? null)
  )
}

function protocolsOver(runs: readonly RunSummary[], over: Over): ProtocolEstimates[] {
  const names = [...new Set(runs.flatMap(({ protocols }) => protocols.map(({ protocol }) => protocol)))].toSorted()
  return names.map((name) => {
    const ofRun = (run: RunSummary): ProtocolTotals | undefined =>
      run.protocols.find(({ protocol }) => protocol === name)
    return {
      protocol: name,
      bytes_sent: over((run) => ofRun(run)?.bytes_sent ?? 0),
      messages_sent: over((run) => ofRun(run)?.messages_sent ?? 0),
      bytes_received: over((run) => ofRun(run)?.bytes_received ?? 0),
      messages_received: over((run) => ofRun(run)?.messages_received ?? 0)
    }
  })
}

/** At the times of the longest run's samples; a run that was over by then is as it was at its last one. */
function seriesOver(runs: readonly RunSummary[], bootstrap: Bootstrap): ExperimentSeries {
  const longest = runs.reduce((long, run) => (run.end_s > long.end_s ? run : long))
  const all = longest.series.time_s.filter((timeS) => timeS >= 0)
  const stride = Math.max(1, Math.ceil(all.length / SERIES_POINTS_MAX))
  const times = all.filter((_, place) => place % stride === 0 || place === all.length - 1)
  const places = runs.map(({ series }) => placesAt(series.time_s, times))
  const over = (name: keyof Series): (Estimate | null)[] =>
    times.map((_, time) =>
      bootstrap.mean(runs.map(({ series }, run) => series[name][places[run]?.[time] ?? -1] ?? null))
    )
  return {
    time_s: times,
    online_nodes: over('online_nodes'),
    converged_nodes_ratio: over('converged_nodes_ratio'),
    events: over('events'),
    batches_decided: over('batches_decided'),
    batches_agreed: over('batches_agreed'),
    batches_disputed: over('batches_disputed'),
    winner_changes: over('winner_changes'),
    bytes_sent: over('bytes_sent'),
    messages_sent: over('messages_sent')
  }
}

/** Of each time, the last sample that is not after it; -1: there is none. Both lists ascend. */
function placesAt(sampledS: readonly number[], times: readonly number[]): number[] {
  let place = -1
  return times.map((timeS) => {
    while ((sampledS[place + 1] ?? Number.POSITIVE_INFINITY) <= timeS) place += 1
    return place
  })
}

function byName<Name extends string, Value>(
  names: readonly Name[],
  value: (name: Name) => Value
): { readonly [Each in Name]: Value } {
  return Object.fromEntries(names.map((name) => [name, value(name)])) as { readonly [Each in Name]: Value }
}

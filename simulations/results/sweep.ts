import type { FigureName, Figures } from './figures.ts'
import { FIGURE_NAMES } from './figures.ts'
import type { RunSummary } from './run-summary.ts'
import type { Estimate } from './statistics.ts'
import { Bootstrap, STATISTICS } from './statistics.ts'

/** What a parameter is set to, as `--set` takes it. */
export type ParameterValue = string | number | boolean

export type Parameters = { readonly [name: string]: ParameterValue }

/** A place in the grid, and what ran there: one run for each seed. */
export interface SweepPoint {
  readonly parameters: Parameters
  readonly runs: readonly RunSummary[]
}

/** `summary.json` of a sweep. */
export type SweepSummary = {
  readonly v: 1
  readonly kind: 'sweep'
  readonly name: string
  /** In the order in which they were given. */
  readonly parameters: readonly string[]
  readonly versions: RunSummary['versions']
  readonly statistics: typeof STATISTICS
  readonly points: readonly {
    readonly parameters: Parameters
    readonly seeds: readonly string[]
    readonly figures: { readonly [Name in FigureName]: Estimate | null }
  }[]
}

/** States the figures at each point of the grid over its seeds. At least one run. */
export function summariseSweep(name: string, points: readonly SweepPoint[]): SweepSummary {
  const versions = points.flatMap(({ runs }) => runs.map((run) => run.versions))[0]
  if (versions === undefined) throw new Error('a sweep has at least one run')
  return {
    v: 1,
    kind: 'sweep',
    name,
    parameters: [...new Set(points.flatMap(({ parameters }) => Object.keys(parameters)))],
    versions,
    statistics: STATISTICS,
    points: points.map(({ parameters, runs }) => ({
      parameters,
      seeds: runs.map(({ seed }) => seed),
      figures: estimatesOf(runs.map(({ figures }) => figures))
    }))
  }
}

function estimatesOf(runs: readonly Figures[]): { readonly [Name in FigureName]: Estimate | null } {
  const bootstrap = new Bootstrap(runs.length)
  return Object.fromEntries(
    FIGURE_NAMES.map((name) => [name, bootstrap.mean(runs.map((figures) => figures[name]))])
  ) as { readonly [Name in FigureName]: Estimate | null }
}

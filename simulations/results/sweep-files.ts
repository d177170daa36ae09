import { join } from 'node:path'
import { csvLine } from './csv.ts'
import { writePlots } from './experiment-files.ts'
import { FIGURE_NAMES } from './figures.ts'
import { readableJson, writeTexts } from './files.ts'
import { parameterScale } from './parameter-scale.ts'
import { sweepFigures, sweepReportHtml } from './report/sweep-report.ts'
import { readRunSummary } from './run-files.ts'
import type { Parameters, SweepPoint, SweepSummary } from './sweep.ts'
import { summariseSweep } from './sweep.ts'

/** The files of a sweep, in a folder that holds those of its runs in folders of their own. */
const SWEEP_FILES = { runs: 'sweep.csv', summary: 'summary.json', report: 'report.html' } as const

/** Writes what came of a grid. The folders of each point were written by `writeRunFiles`, in the order of the seeds. */
export function writeSweepFiles(
  folder: string,
  name: string,
  grid: readonly { readonly parameters: Parameters; readonly runFolders: readonly string[] }[]
): SweepSummary {
  const points = grid.map(({ parameters, runFolders }) => ({ parameters, runs: runFolders.map(readRunSummary) }))
  const sweep = summariseSweep(name, points)
  writeTexts(join(folder, SWEEP_FILES.runs), sweepLines(sweep.parameters, points))
  writeTexts(join(folder, SWEEP_FILES.summary), [readableJson(sweep)])
  const figures = sweepFigures(sweep)
  writeTexts(join(folder, SWEEP_FILES.report), [sweepReportHtml(sweep, figures)])
  writePlots(folder, figures)
  return sweep
}

/** The lines of `sweep.csv`, the header first: a row for each run, its parameters, then its figures. */
function* sweepLines(parameters: readonly string[], points: readonly SweepPoint[]): Generator<string> {
  const scales = parameters.map((name) => ({ name, ...parameterScale(points.map((point) => point.parameters[name])) }))
  const names = scales.map(({ name, unit }) => (unit === null ? name : `${name}_${unit}`))
  yield csvLine([...names, 'seed', 'trace_sha256', ...FIGURE_NAMES])
  for (const point of points) {
    const values = scales.map(({ name, place }) => place(point.parameters[name]))
    for (const { seed, trace, figures } of point.runs)
      yield csvLine([...values, seed, trace.hash, ...FIGURE_NAMES.map((name) => figures[name])])
  }
}

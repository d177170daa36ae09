import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExperimentSummary } from './experiment.ts'
import { summariseExperiment } from './experiment.ts'
import { openSyncFile, readableJson, writeTexts } from './files.ts'
import { reportFigures, reportHtml } from './report/report.ts'
import type { ReportFigure } from './report/html.ts'
import { svgFile } from './report/svg.ts'
import { RUN_FILES, readRunSummary } from './run-files.ts'

const LINE_FEED = 0x0a

/** The files of an experiment, in a folder that holds those of its runs in folders of their own. */
export const EXPERIMENT_FILES = {
  metrics: RUN_FILES.metrics,
  protocols: RUN_FILES.protocols,
  summary: RUN_FILES.summary,
  report: 'report.html',
  plots: 'plots'
} as const

/**
 * Writes what came of the runs of one scenario together: their rows one after the other, figures over their seeds, and
 * the report with its pictures. `runFolders` have been written by `writeRunFiles`, and are in the order of the seeds.
 */
export function writeExperimentFiles(folder: string, runFolders: readonly string[]): ExperimentSummary {
  const runs = runFolders.map(readRunSummary)
  const experiment = summariseExperiment(runs)
  const [first] = runs
  if (first === undefined) throw new Error('an experiment has at least one run')
  for (const name of [RUN_FILES.metrics, RUN_FILES.protocols]) mergeCsv(join(folder, name), runFolders, name)
  writeTexts(join(folder, EXPERIMENT_FILES.summary), [readableJson(experiment)])
  const figures = reportFigures(experiment, first)
  writeTexts(join(folder, EXPERIMENT_FILES.report), [reportHtml(experiment, figures)])
  writePlots(folder, figures)
  return experiment
}

/** Each picture as an SVG file. */
export function writePlots(folder: string, figures: readonly ReportFigure[]): void {
  const plots = join(folder, EXPERIMENT_FILES.plots)
  mkdirSync(plots, { recursive: true })
  for (const { name, title, svg } of figures) writeTexts(join(plots, `${name}.svg`), [svgFile(svg, title)])
}

/** All have the same header, which is kept once. */
function mergeCsv(path: string, folders: readonly string[], name: string): void {
  const merged = openSyncFile(path)
  try {
    for (const [place, folder] of folders.entries()) {
      const bytes = readFileSync(join(folder, name))
      merged.write(place === 0 ? bytes : bytes.subarray(bytes.indexOf(LINE_FEED) + 1))
    }
  } finally {
    merged.close()
  }
}

import type { Reported } from '../../simulations/run/result-folder.ts'
import type { EndedRun } from '../../simulations/run/spawn-runs.ts'
import type { RunEnd, RunProgress } from '../../simulations/run/spawn.ts'
import type { ProgressListener } from '../operations.ts'
import { facts, table } from './table.ts'
import type { Column } from './table.ts'

/** Whether a run is what it should be. */
export const isGood = (end: RunEnd): boolean => end.kind === 'done' && end.failures.length === 0

/** The run as data. */
export function runRow({ job: { seed }, end }: EndedRun): Record<string, unknown> {
  if (end.kind === 'broken') return { seed, outcome: 'broken', detail: end.detail }
  const { traceHash, failures, summary } = end
  return { seed, outcome: failures.length === 0 ? 'passed' : 'FAILED', traceHash, failures, figures: summary.figures }
}

const COLUMNS: readonly Column<EndedRun>[] = [
  { heading: 'SEED', cell: ({ job }) => job.seed },
  { heading: 'OUTCOME', cell: ({ end }) => (isGood(end) ? 'passed' : end.kind === 'done' ? 'FAILED' : 'BROKEN') },
  { heading: 'CONVERGED AFTER', cell: ({ end }) => figureOf(end, 'convergence_s', ' s'), align: 'right' },
  { heading: 'MEDIAN TO A NODE', cell: ({ end }) => figureOf(end, 'propagation_p50_s', ' s'), align: 'right' },
  { heading: 'DELIVERED', cell: ({ end }) => figureOf(end, 'delivery_ratio'), align: 'right' },
  { heading: 'DUPLICATES', cell: ({ end }) => figureOf(end, 'duplicates_per_delivery'), align: 'right' },
  { heading: 'EVENTS', cell: ({ end }) => figureOf(end, 'events_published'), align: 'right' },
  { heading: 'TRACE', cell: ({ end }) => (end.kind === 'done' ? end.traceHash.slice(0, 12) : '') }
]

/** The runs as a table, and what went wrong, with how to see it again. */
export function runsText(runs: readonly EndedRun[], again: (seed: string) => string): string {
  const wrong = runs.filter(({ end }) => !isGood(end))
  const texts = wrong.map(({ job: { seed }, end }) => failureText(`seed ${seed}`, failureLines(end), again(seed)))
  return [table(COLUMNS, runs), ...texts].join('\n\n')
}

/** Why a run is not what it should be: what broke it, or what its checks found. */
export function failureLines(end: RunEnd): readonly string[] {
  if (end.kind === 'broken') return [`  ${end.detail}`]
  return end.failures.map(
    ({ check, node, atMs, detail }) =>
      `  ${check}${node === undefined ? '' : ` on ${node}`} at ${atMs / 1_000} s: ${detail}`
  )
}

/** What went wrong in a run, and the command that shows it again. */
export function failureText(run: string, lines: readonly string[], again: string): string {
  return [`${run}:`, ...lines, facts([['again', again]])].join('\n')
}

function figureOf(end: RunEnd, name: keyof Extract<RunEnd, { kind: 'done' }>['summary']['figures'], unit = ''): string {
  if (end.kind !== 'done') return ''
  const value = end.summary.figures[name]
  return value === null ? '–' : `${Math.round(value * 1_000) / 1_000}${unit}`
}

/** What is said where a signal has ended the runs. */
export const interruptedText = (finished: number, of: number): string =>
  `Interrupted: ${finished} of ${of} runs are finished.`

/** What a report is of, where that is more than the runs that were just made. */
export const reportedText = ({ runs, before }: Reported): string =>
  before === 0 ? '' : `: of ${runs} runs, ${before} of which ${before === 1 ? 'was' : 'were'} there before`

/** Adds up how far several runs are, in virtual seconds. */
export function progressOf(runs: number, report: ProgressListener): (name: string, progress: RunProgress) => void {
  const done = new Map<string, number>()
  return (name, { virtualMs, ofMs }) => {
    done.set(name, virtualMs)
    const passedMs = [...done.values()].reduce((sum, ms) => sum + ms, 0)
    report({ done: Math.floor(passedMs / 1_000), total: Math.ceil((ofMs * runs) / 1_000), unit: 'virtual seconds' })
  }
}

import { areaY, lineY, rectY, ruleX, ruleY } from '@observablehq/plot'
import type { Markish } from '@observablehq/plot'
import type { ExperimentSummary } from '../experiment.ts'
import type { FaultTimes, RunSummary } from '../run-summary.ts'
import type { Estimate } from '../statistics.ts'
import type { ReportFigure } from './html.ts'
import { estimateText, numberText } from './html.ts'
import { COLOURS, KEY_MARGIN, keyMarks, plotSvg } from './svg.ts'

const TABLE_ROWS = 12

/** A line with the interval around it. */
interface Line {
  readonly name: string
  readonly colour: string
  readonly points: readonly {
    readonly timeS: number
    readonly mean: number
    readonly low: number
    readonly high: number
  }[]
}

/** Share of nodes that hold everything, over time. */
export function convergenceFigure(experiment: ExperimentSummary, run: RunSummary): ReportFigure {
  const { time_s: times, converged_nodes_ratio: shares } = experiment.series
  const line = lineOf('nodes that hold all events', COLOURS[0], times, shares)
  return {
    name: 'convergence',
    title: 'Convergence over time',
    caption:
      'Share of the honest nodes that are on which hold every event that any of them holds. Grey: partitions of the first seed. Dashed: the faults are over.',
    svg: plotSvg('Share of nodes that hold all events, over virtual time', {
      x: { label: 'virtual time (s)' },
      y: { label: 'share of nodes', domain: [0, 1], grid: true },
      marks: [...background(run, 1), ...lineMarks([line]), ruleY([0])]
    }),
    table: timeTable(times, [['share of nodes', shares]])
  }
}

/** Batches and what the nodes think of their winners, over time. */
export function winnersFigure(experiment: ExperimentSummary, run: RunSummary): ReportFigure {
  const {
    time_s: times,
    batches_decided: decided,
    batches_agreed: agreed,
    batches_disputed: disputed
  } = experiment.series
  const lines = [
    lineOf('decided on some node', COLOURS[0], times, decided),
    lineOf('the same on all nodes', COLOURS[2], times, agreed),
    lineOf('differ between nodes', COLOURS[1], times, disputed)
  ]
  const top = Math.max(1, ...lines.flatMap(({ points }) => points.map(({ high }) => high)))
  return {
    name: 'winners',
    title: 'Winners over time',
    caption:
      'Batches whose winner some honest node knows, those whose winner is the same on all of them, and those where two of them differ.',
    svg: plotSvg('Batches by agreement on their winners, over virtual time', {
      marginRight: KEY_MARGIN,
      x: { label: 'virtual time (s)' },
      y: { label: 'batches', domain: [0, top], grid: true },
      marks: [...background(run, top), ...lineMarks(lines), ...keyMarks(lines), ruleY([0])]
    }),
    table: timeTable(times, [
      ['decided on some node', decided],
      ['the same on all nodes', agreed],
      ['differ between nodes', disputed]
    ])
  }
}

function lineOf(name: string, colour: string, times: readonly number[], estimates: readonly (Estimate | null)[]): Line {
  const points = times.flatMap((timeS, place) => {
    const estimate = estimates[place] ?? null
    if (estimate === null) return []
    const { mean, low, high } = estimate
    return [{ timeS, mean, low: low ?? mean, high: high ?? mean }]
  })
  return { name, colour, points }
}

function lineMarks(lines: readonly Line[]): Markish[] {
  return lines.flatMap(({ points, colour }) => [
    areaY(points, { x: 'timeS', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.2, curve: 'step-after' }),
    lineY(points, { x: 'timeS', y: 'mean', stroke: colour, curve: 'step-after' })
  ])
}

/** Where the mesh was divided, and when that was over. */
function background({ faults, heal_s: healS, end_s: endS }: RunSummary, top: number): Markish[] {
  const spans = faults
    .filter(({ fault }) => fault === 'partition' || fault === 'cut')
    .map(({ from_s: from, until_s: until }: FaultTimes) => ({
      from,
      until: until ?? Math.min(healS, endS),
      low: 0,
      top
    }))
  return [
    rectY(spans, { x1: 'from', x2: 'until', y1: 'low', y2: 'top', fill: 'currentColor', fillOpacity: 0.08 }),
    ruleX([healS], { stroke: 'currentColor', strokeDasharray: '4 3' })
  ]
}

function timeTable(
  times: readonly number[],
  columns: readonly (readonly [name: string, estimates: readonly (Estimate | null)[]])[]
): ReportFigure['table'] {
  const last = times.length - 1
  const places = [
    ...new Set(Array.from({ length: TABLE_ROWS }, (_, row) => Math.round((row * last) / (TABLE_ROWS - 1))))
  ].filter((place) => place >= 0)
  return {
    head: ['time (s)', ...columns.map(([name]) => name)],
    rows: places.map((place) => [
      numberText(times[place]),
      ...columns.map(([, estimates]) => estimateText(estimates[place]))
    ])
  }
}

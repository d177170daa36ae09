import { dot, lineY, ruleX, ruleY } from '@observablehq/plot'
import { labelOf } from '../experiment.ts'
import type { FigureName } from '../figures.ts'
import { FIGURES } from '../figures.ts'
import { parameterScale } from '../parameter-scale.ts'
import type { Parameters, SweepSummary } from '../sweep.ts'
import type { ReportFigure } from './html.ts'
import { escapeHtml, estimateText, tableHtml } from './html.ts'
import { figureSection, pageHtml } from './page.ts'
import { statisticsText } from './report.ts'
import { COLOURS, KEY_MARGIN, keyMarks, plotSvg } from './svg.ts'

const PLOTTED: readonly FigureName[] = [
  'convergence_s',
  'events_convergence_s',
  'healing_max_s',
  'propagation_p50_s',
  'propagation_p99_s',
  'delivery_ratio',
  'duplicates_per_delivery',
  'bytes_sent_per_accepted_event',
  'sync_rounds',
  'failures'
]

type Point = SweepSummary['points'][number]

/** The points that differ in the first parameter alone, in the order of the grid. */
interface Series {
  readonly name: string
  readonly colour: string
  readonly points: readonly Point[]
}

/** Each figure over the first parameter; a colour for each choice of the others. */
export function sweepFigures(sweep: SweepSummary): ReportFigure[] {
  const series = seriesOf(sweep)
  return PLOTTED.filter((figure) => sweep.points.some(({ figures }) => figures[figure] !== null)).map((figure) =>
    sweepFigure(sweep, series, figure)
  )
}

/** `report.html` of a sweep. */
export function sweepReportHtml(sweep: SweepSummary, figures: readonly ReportFigure[]): string {
  const { name, parameters, points, versions } = sweep
  const rows = points.map((point) => [namesOf(point.parameters, parameters), point.seeds.join(', ')])
  return pageHtml(`${name}: sweep`, [
    `<h1>${escapeHtml(name)}</h1>
<p class="lead">A sweep over ${escapeHtml(parameters.join(', '))}: ${points.length} points.</p>
<p>All times are virtual. ${statisticsText()}</p>`,
    ...figures.map(figureSection),
    `<section aria-labelledby="provenance-title"><h2 id="provenance-title">What made this</h2>
<p>Anchormesh ${escapeHtml(versions.anchormesh)}, commit ${escapeHtml(versions.commit ?? 'unknown')}, Node.js ${escapeHtml(versions.node)}. Each run is a row of sweep.csv.</p>
${tableHtml({ head: ['parameters', 'seeds'], rows })}</section>`
  ])
}

function sweepFigure(sweep: SweepSummary, series: readonly Series[], figure: FigureName): ReportFigure {
  const [along = ''] = sweep.parameters
  const scale = parameterScale(sweep.points.map(({ parameters }) => parameters[along]))
  const marks = series.flatMap(({ points, colour }) => {
    const drawn = points.flatMap(({ parameters, figures }) => {
      const estimate = figures[figure]
      if (estimate === null) return []
      const { mean, low, high } = estimate
      return [{ at: scale.place(parameters[along]), mean, low: low ?? mean, high: high ?? mean }]
    })
    return [
      ruleX(drawn, { x: 'at', y1: 'low', y2: 'high', stroke: colour, strokeWidth: 2, strokeOpacity: 0.5 }),
      lineY(drawn, { x: 'at', y: 'mean', stroke: colour }),
      dot(drawn, { x: 'at', y: 'mean', fill: colour })
    ]
  })
  return {
    name: figure.replaceAll('_', '-'),
    title: FIGURES[figure].label,
    caption: `Measured: ${FIGURES[figure].meaning}. Points: means over the seeds; bars: their intervals.`,
    svg: plotSvg(`${labelOf(figure)} over ${along}`, {
      ...(series.length > 1 ? { marginRight: KEY_MARGIN } : {}),
      x: {
        label: scale.unit === null ? along : `${along} (${scale.unit})`,
        type: scale.isNumeric ? 'linear' : 'point'
      },
      y: { label: labelOf(figure), grid: true, zero: true },
      marks: [...marks, ...(series.length > 1 ? keyMarks(series) : []), ruleY([0])]
    }),
    table: {
      head: ['parameters', 'mean [interval]'],
      rows: sweep.points.map((point) => [
        namesOf(point.parameters, sweep.parameters),
        estimateText(point.figures[figure])
      ])
    }
  }
}

function seriesOf({ parameters: [, ...others], points }: SweepSummary): Series[] {
  const groups = new Map<string, Point[]>()
  for (const point of points) {
    const name = namesOf(point.parameters, others)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [point])
    else group.push(point)
  }
  return [...groups].map(([name, group], place) => ({
    name,
    colour: COLOURS[place % COLOURS.length] ?? COLOURS[0],
    points: group
  }))
}

const namesOf = (values: Parameters, names: readonly string[]): string =>
  names.map((name) => `${name} = ${String(values[name])}`).join(', ')

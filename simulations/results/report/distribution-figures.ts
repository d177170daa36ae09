import { areaX, dot, lineX, ruleX, ruleY } from '@observablehq/plot'
import type { Markish } from '@observablehq/plot'
import type { ExperimentSummary } from '../experiment.ts'
import { labelOf } from '../experiment.ts'
import { FIGURES } from '../figures.ts'
import type { FigureName } from '../figures.ts'
import type { Estimate } from '../statistics.ts'
import type { ReportFigure } from './html.ts'
import { estimateText, numberText } from './html.ts'
import { COLOURS, KEY_MARGIN, keyMarks, plotSvg } from './svg.ts'

const TABLE_PERCENTILES = [0, 10, 25, 50, 75, 90, 95, 99, 100]
// Above this ratio of the longest to the middle, a linear axis would show nothing but the tail.
const LOGARITHMIC_FROM = 30
// What an axis of logarithms has in the place of 0.
const LOGARITHMIC_LEAST_S = 0.001

interface Distribution {
  readonly name: string
  readonly colour: string
  readonly percentiles: readonly (Estimate | null)[]
}

/** How long events take to other nodes, and to all of them. */
export function propagationFigure({ distributions }: ExperimentSummary): ReportFigure {
  return distributionFigure(
    {
      name: 'propagation',
      title: 'Propagation time',
      caption:
        'Share of deliveries that took at most so long: from the first node that held an event to each other honest one, and to the last of them.'
    },
    [
      { name: 'to a node', colour: COLOURS[0], percentiles: distributions.propagation_s },
      { name: 'to all nodes', colour: COLOURS[1], percentiles: distributions.coverage_s }
    ]
  )
}

/** How long nodes take after the heal. */
export function healingFigure({ distributions }: ExperimentSummary): ReportFigure {
  return distributionFigure(
    {
      name: 'healing',
      title: 'Healing time',
      caption:
        'Share of the honest nodes that held, so long after the end of the faults, every event of before. Those that never did are left out; the table of figures has their share.'
    },
    [{ name: 'of a node', colour: COLOURS[0], percentiles: distributions.healing_s }]
  )
}

/** One figure, a point for each seed, with the interval of the mean. */
export function perSeedFigure(experiment: ExperimentSummary, figure: FigureName, name: string): ReportFigure {
  const points = experiment.runs.flatMap(({ seed, figures }) => {
    const value = figures[figure]
    return value === null ? [] : [{ seed, value }]
  })
  const estimate = experiment.figures[figure]
  const { low = null, high = null, mean = 0 } = estimate ?? {}
  const interval = [{ low: low ?? mean, high: high ?? mean }]
  return {
    name,
    title: FIGURES[figure].label,
    caption: `Measured: ${FIGURES[figure].meaning}. A point for each seed; bar and line: the mean and its interval.`,
    svg: plotSvg(`${labelOf(figure)}, for each seed`, {
      height: 120,
      marginLeft: 24,
      x: { label: labelOf(figure), grid: true, zero: true },
      y: { axis: null },
      marks: [
        ...(estimate === null
          ? []
          : [
              ruleY(interval, { x1: 'low', x2: 'high', y: 0, stroke: COLOURS[1], strokeWidth: 8, strokeOpacity: 0.4 }),
              ruleX([mean], { stroke: COLOURS[1] })
            ]),
        dot(points, { x: 'value', y: 0, stroke: COLOURS[0], fill: COLOURS[0], fillOpacity: 0.3 })
      ]
    }),
    table: {
      head: ['seed', labelOf(figure)],
      rows: [
        ['mean', estimateText(estimate)],
        ...experiment.runs.map(({ seed, figures }) => [seed, numberText(figures[figure])])
      ]
    }
  }
}

function distributionFigure(
  about: Pick<ReportFigure, 'name' | 'title' | 'caption'>,
  distributions: readonly Distribution[]
): ReportFigure {
  const isLogarithmic = distributions.some(({ percentiles }) => isWide(percentiles))
  const least = isLogarithmic ? LOGARITHMIC_LEAST_S : 0
  return {
    ...about,
    svg: plotSvg(`${about.title}: cumulative distribution`, {
      marginRight: KEY_MARGIN,
      x: {
        label: 'virtual time (s)',
        grid: true,
        type: isLogarithmic ? 'log' : 'linear',
        ...(isLogarithmic ? { tickFormat: '~g' } : { zero: true })
      },
      y: { label: 'share', domain: [0, 1], grid: true },
      marks: [
        ...distributions.flatMap((each) => distributionMarks(each, least)),
        ...keyMarks(distributions),
        ruleY([0])
      ]
    }),
    table: {
      head: ['share', ...distributions.map(({ name }) => `${name} (s)`)],
      rows: TABLE_PERCENTILES.map((percent) => [
        `${percent} %`,
        ...distributions.map(({ percentiles }) => estimateText(percentiles[percent]))
      ])
    }
  }
}

function distributionMarks({ percentiles, colour }: Distribution, least: number): Markish[] {
  const points = percentiles.flatMap((estimate, percent) => {
    if (estimate === null) return []
    const { mean, low, high } = estimate
    const atLeast = (value: number): number => Math.max(least, value)
    return [{ share: percent / 100, mean: atLeast(mean), low: atLeast(low ?? mean), high: atLeast(high ?? mean) }]
  })
  return [
    areaX(points, { y: 'share', x1: 'low', x2: 'high', fill: colour, fillOpacity: 0.2 }),
    lineX(points, { y: 'share', x: 'mean', stroke: colour })
  ]
}

function isWide(percentiles: readonly (Estimate | null)[]): boolean {
  const middle = percentiles[50]?.mean ?? 0
  const most = percentiles.at(-1)?.mean ?? 0
  return most > LOGARITHMIC_FROM * Math.max(middle, LOGARITHMIC_LEAST_S)
}

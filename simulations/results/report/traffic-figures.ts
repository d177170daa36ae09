import { barX, ruleX, ruleY } from '@observablehq/plot'
import type { ExperimentSummary } from '../experiment.ts'
import type { ReportFigure } from './html.ts'
import { estimateText } from './html.ts'
import { COLOURS, plotSvg } from './svg.ts'

/** What all nodes sent, by protocol. */
export function trafficFigure(experiment: ExperimentSummary, what: 'bytes' | 'messages'): ReportFigure {
  const unit = what === 'bytes' ? 'B' : 'messages'
  const bars = experiment.protocols.map((protocol) => {
    const { mean = 0, low = null, high = null } = protocol[`${what}_sent`] ?? {}
    return { protocol: protocol.protocol, mean, low: low ?? mean, high: high ?? mean }
  })
  return {
    name: what,
    title: what === 'bytes' ? 'Bytes by protocol' : 'Messages by protocol',
    caption: `${what === 'bytes' ? 'Bytes' : 'Messages'} that all nodes sent on streams of each protocol in the whole run: the mean over the seeds and its interval.`,
    svg: plotSvg(`${what} sent, by protocol`, {
      height: 72 + 28 * bars.length,
      marginLeft: 220,
      x: { label: `sent (${unit})`, grid: true, tickFormat: '~s' },
      y: { label: null },
      marks: [
        barX(bars, { x: 'mean', y: 'protocol', fill: COLOURS[0], fillOpacity: 0.7, sort: { y: 'x', reverse: true } }),
        ruleY(bars, { x1: 'low', x2: 'high', y: 'protocol', stroke: COLOURS[1], strokeWidth: 3 }),
        ruleX([0])
      ]
    }),
    table: {
      head: ['protocol', `sent (${unit})`, `received (${unit})`],
      rows: experiment.protocols.map((protocol) => [
        protocol.protocol,
        estimateText(protocol[`${what}_sent`]),
        estimateText(protocol[`${what}_received`])
      ])
    }
  }
}

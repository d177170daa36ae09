import { stringify } from 'yaml'
import type { ExperimentSummary } from '../experiment.ts'
import { labelOf } from '../experiment.ts'
import { FIGURE_NAMES } from '../figures.ts'
import type { RunSummary } from '../run-summary.ts'
import { STATISTICS } from '../statistics.ts'
import { healingFigure, perSeedFigure, propagationFigure } from './distribution-figures.ts'
import type { ReportFigure } from './html.ts'
import { escapeHtml, numberText, tableHtml } from './html.ts'
import { figureSection, pageHtml } from './page.ts'
import { convergenceFigure, winnersFigure } from './time-figures.ts'
import { topologyFigure } from './topology-figure.ts'
import { trafficFigure } from './traffic-figures.ts'

// The first ones say what is wrong.
const FAILURES_SHOWN_MAX = 50

/** The pictures of an experiment; what shows one run shows the first seed's. */
export function reportFigures(experiment: ExperimentSummary, first: RunSummary): ReportFigure[] {
  return [
    convergenceFigure(experiment, first),
    propagationFigure(experiment),
    healingFigure(experiment),
    perSeedFigure(experiment, 'events_convergence_s', 'convergence-time'),
    trafficFigure(experiment, 'bytes'),
    trafficFigure(experiment, 'messages'),
    perSeedFigure(experiment, 'duplicates_per_delivery', 'duplicates'),
    winnersFigure(experiment, first),
    topologyFigure(first)
  ]
}

/** `report.html`. */
export function reportHtml(experiment: ExperimentSummary, figures: readonly ReportFigure[]): string {
  const { scenario, asks, level, seeds } = experiment
  const runs = seeds.length === 1 ? 'one run' : `${seeds.length} runs`
  return pageHtml(`${scenario}: results`, [
    `<h1>${escapeHtml(scenario)}</h1>
<p class="lead">${escapeHtml(asks)}</p>
<p>Level ${level}, ${runs}. All times are virtual. ${statisticsText()}</p>`,
    failuresSection(experiment),
    figuresSection(experiment),
    ...figures.map(figureSection),
    provenanceSection(experiment)
  ])
}

/** How the numbers are made, in a sentence or two. */
export function statisticsText(): string {
  const { interval, confidence, resamples, quantile } = STATISTICS
  return escapeHtml(
    `Intervals are ${confidence * 100} % intervals by the ${interval}, ${numberText(resamples)} resamples from a fixed seed: a run is one observation, and nothing is assumed of its distribution. With fewer than about ten seeds they are too narrow, with one there are none. Quantiles: ${quantile}.`
  )
}

function failuresSection({ runs }: ExperimentSummary): string {
  const failed = runs.flatMap(({ seed, failures }) =>
    failures.map(({ check, node, detail, time_s: timeS }) => [seed, numberText(timeS), check, node ?? '', detail])
  )
  if (failed.length === 0) return '<p>No check failed.</p>'
  const more = failed.length - FAILURES_SHOWN_MAX
  return `<section class="failed" aria-labelledby="failures-title"><h2 id="failures-title">Failures</h2>
${tableHtml({ head: ['seed', 'time (s)', 'check', 'node', 'detail'], rows: failed.slice(0, FAILURES_SHOWN_MAX) })}
${more > 0 ? `<p>And ${more} more, in summary.json.</p>` : ''}</section>`
}

function figuresSection({ figures, seeds }: ExperimentSummary): string {
  const rows = FIGURE_NAMES.map((name) => {
    const { runs = 0, mean = null, low = null, high = null } = figures[name] ?? {}
    return [labelOf(name), numberText(mean), numberText(low), numberText(high), `${runs} of ${seeds.length}`]
  })
  return `<section aria-labelledby="figures-title"><h2 id="figures-title">Figures</h2>
<p>Means over the runs that had one. Their definitions are in simulations/results/README.md.</p>
${tableHtml({ head: ['figure', 'mean', 'from', 'to', 'runs'], rows })}</section>`
}

function provenanceSection({ versions, seeds, configuration, runs }: ExperimentSummary): string {
  const rows = runs.map(({ seed, trace }) => [seed, numberText(trace.records), trace.hash])
  return `<section aria-labelledby="provenance-title"><h2 id="provenance-title">What made this</h2>
<p>Anchormesh ${escapeHtml(versions.anchormesh)}, commit ${escapeHtml(versions.commit ?? 'unknown')}, Node.js ${escapeHtml(versions.node)}. Seeds: ${escapeHtml(seeds.join(', '))}.</p>
<p>The same scenario, seed and versions give the same traces:</p>
${tableHtml({ head: ['seed', 'records', 'SHA-256 of the trace'], rows })}
<p>The scenario as it was run:</p>
<pre>${escapeHtml(stringify(configuration))}</pre></section>`
}

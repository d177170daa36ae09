import { plot, text } from '@observablehq/plot'
import type { Markish, PlotOptions } from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { escapeHtml } from './html.ts'

export const PLOT_WIDTH = 720
const PLOT_HEIGHT = 320
export const KEY_MARGIN = 170

/** Colours that differ for all kinds of sight, by names that style sheets give them for light and dark. */
export const COLOURS = [
  'var(--colour-1)',
  'var(--colour-2)',
  'var(--colour-3)',
  'var(--colour-4)',
  'var(--colour-5)',
  'var(--colour-6)'
] as const

/** Light, and dark where the reader's system is. `root` is what the colours hold for. */
export const colourSheet = (root: string): string =>
  `${root}{--ink:#1b1f24;--paper:#ffffff;--faint:#d5d9de;--colour-1:#0063a0;--colour-2:#b34700;--colour-3:#00795a;--colour-4:#9a3c7c;--colour-5:#7a6a00;--colour-6:#5b5f66}
@media (prefers-color-scheme:dark){${root}{--ink:#e6e8eb;--paper:#15181c;--faint:#3b4148;--colour-1:#6cb6ff;--colour-2:#f0a35e;--colour-3:#54c9a5;--colour-4:#e59ac8;--colour-5:#d9c84a;--colour-6:#a9b0b8}}`

/** The plot as an SVG element without a name space, as HTML takes it. */
export function plotSvg(label: string, options: PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html></html>') as unknown as { readonly document: object }
  const element = plot({
    document,
    className: 'plot',
    width: PLOT_WIDTH,
    height: PLOT_HEIGHT,
    marginLeft: 64,
    marginBottom: 44,
    ariaLabel: label,
    style: { fontSize: '12px' },
    ...options
  }) as unknown as { readonly outerHTML: string }
  return element.outerHTML.replace('<svg ', '<svg role="img" ')
}

/** What the colours of lines mean, beside the plot; it needs `KEY_MARGIN` on its right. */
export function keyMarks(lines: readonly { readonly name: string; readonly colour: string }[]): Markish[] {
  return lines.map(({ name, colour }, place) =>
    text([`● ${name}`], { frameAnchor: 'top-right', textAnchor: 'start', dx: 12, dy: 8 + 16 * place, fill: colour })
  )
}

/** The same as a file of its own. */
export function svgFile(svg: string, title: string): string {
  const style = `<style>${colourSheet('svg')}svg{color:var(--ink);background:var(--paper)}</style>`
  const opened = svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')
  return `${opened.replace(/(<svg [^>]*>)/, `$1<title>${escapeHtml(title)}</title>${style}`)}\n`
}

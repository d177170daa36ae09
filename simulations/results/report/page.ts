import type { ReportFigure } from './html.ts'
import { escapeHtml, tableHtml } from './html.ts'
import { colourSheet } from './svg.ts'

const STYLE = `${colourSheet(':root')}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem}h2{font-size:1.25rem;margin:2.6rem 0 .6rem}
p{max-width:60rem;margin:.4rem 0}.lead{font-size:1.1rem}
.figure{display:grid;grid-template-columns:minmax(0,3fr) minmax(15rem,2fr);gap:1.5rem;align-items:start}
@media (max-width:60rem){.figure{grid-template-columns:minmax(0,1fr)}}
figure{margin:0}figcaption{font-size:.9rem;opacity:.85;margin-top:.4rem}
svg{max-width:100%;height:auto;overflow:visible}
.table{overflow:auto}.figure .table{max-height:26rem}
table{border-collapse:collapse;font-size:.8rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.25rem .4rem;border-bottom:1px solid var(--faint);text-align:right;white-space:nowrap}
th:first-child{text-align:left;font-weight:400;white-space:normal}thead th{font-weight:600;position:sticky;top:0;background:var(--paper)}
pre{overflow:auto;border:1px solid var(--faint);border-radius:.4rem;padding:1rem;font-size:.85rem}
.failed{border-left:4px solid var(--colour-2);padding-left:1rem}`

/** A page in one file that reads nothing from anywhere: no scripts, no fonts, no addresses. */
export function pageHtml(title: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<main>
${sections.join('\n')}
</main>
</body>
</html>
`
}

/** The picture with its numbers beside it. */
export function figureSection({ name, title, caption, svg, table }: ReportFigure): string {
  return `<section id="${name}" aria-labelledby="${name}-title">
<h2 id="${name}-title">${escapeHtml(title)}</h2>
<div class="figure"><figure>${svg}<figcaption>${escapeHtml(caption)}</figcaption></figure>${tableHtml(table)}</div>
</section>`
}

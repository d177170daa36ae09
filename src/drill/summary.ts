import type { DrillReport, ReportStep } from '../../protocols/drill-report/v1/report.ts'

/** One target of a matrix, for people. */
export interface SummaryRow {
  readonly target: string
  readonly passed: boolean
  readonly drillId: string | null
  readonly reason: string | null
}

/** The summary of one drill, as Markdown. */
export function drillSummary(report: DrillReport): string {
  const yes = (value: boolean): string => (value ? 'yes' : '**NO**')
  return lines([
    `# Interop drill of ${cell(report.target)}: ${report.passed ? 'passed' : '**FAILED**'}`,
    '',
    '| | |',
    '|---|---|',
    `| drill | ${report.drill_id} |`,
    `| target | ${cell(report.base_url)} |`,
    `| remote node id | ${cell(report.remote_node_id)} |`,
    `| test time | ${report.test_time} |`,
    `| challenge issued | ${yes(report.challenge_issue_passed)} |`,
    `| delivery taken | ${yes(report.delivery_passed)} |`,
    `| receipt's signature verified | ${yes(report.receipt_signature_verified)} |`,
    `| replay refused | ${yes(report.replay_guard_passed)} |`,
    `| delivery hash | ${report.delivery_hash ?? ''} |`,
    `| versions | drill ${cell(report.versions.drill)}, target ${cell(report.versions.target ?? 'unknown')} |`,
    '',
    '| step | outcome | status | code | ms | detail |',
    '|---|---|---|---|---|---|',
    ...report.steps.map(stepRow),
    '',
    'This is for people. The evidence is `report.json`, which holds the target’s own signed receipt:',
    '`anchormesh drill check` verifies it.'
  ])
}

/** The summary of a matrix, as Markdown. */
export function matrixSummary(matrixId: string, passed: boolean, rows: readonly SummaryRow[]): string {
  return lines([
    `# Interop matrix ${matrixId}: ${passed ? 'passed' : '**FAILED**'}`,
    '',
    '| target | outcome | drill | reason |',
    '|---|---|---|---|',
    ...rows.map(
      ({ target, passed: ok, drillId, reason }) =>
        `| ${cell(target)} | ${ok ? 'passed' : '**FAILED**'} | ${drillId ?? ''} | ${cell(reason ?? '')} |`
    )
  ])
}

/** Why a drill failed, in a line: the steps that did not pass, and the first in full. */
export function failureReason({ steps, passed }: DrillReport): string | null {
  if (passed) return null
  const [first, ...rest] = steps.filter(({ outcome }) => outcome === 'failed')
  if (first === undefined) return 'no step was gone through'
  const { name, status, code, detail } = first
  const answered = [status, code].filter((part) => part !== null).join(' ')
  const others = rest.length === 0 ? '' : ` (and ${rest.map((step) => step.name).join(', ')})`
  return `${name}: ${answered}${detail === '' ? '' : `: ${detail}`}${others}`
}

function stepRow({ name, outcome, status, code, duration_ms: durationMs, detail }: ReportStep): string {
  const shown = outcome === 'passed' ? outcome : `**${outcome}**`
  return `| ${name} | ${shown} | ${status ?? ''} | ${code ?? ''} | ${durationMs} | ${cell(detail)} |`
}

/** Foreign words in a table of Markdown: no columns, no markup and no HTML of their own. */
function cell(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\|`*_[\]]/g, String.raw`\$&`)
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

/** One figure of a bench; with `bound` the table says whether it holds. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly bound?: number
  readonly compare?: '<=' | '>='
}

/** Prints the figures as a table and writes them to `results/<name>.json` beside this file. */
export function report(name: string, figures: readonly Figure[]): void {
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`
  const rows = figures.map((figure) => [
    figure.name,
    format(figure.value),
    figure.unit,
    boundOf(figure),
    holds(figure) ? '' : 'FALLS SHORT'
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  console.log(`\n${name} (${machine}, Node ${process.versions.node})`)
  for (const row of rows)
    console.log(
      `  ${row.map((cell, column) => (column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0))).join('  ')}`
    )
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const result = { name, machine, node: process.versions.node, commit: commit(), at: new Date().toISOString(), figures }
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
}

/** The middle of the values: what to quote where a machine is noisy. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** CPU time (user and system, all threads) that `work` took, in microseconds. */
export async function cpuMicroseconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function holds({ value, bound, compare = '<=' }: Figure): boolean {
  if (bound === undefined) return true
  return compare === '<=' ? value <= bound : value >= bound
}

function boundOf({ bound, compare = '<=' }: Figure): string {
  return bound === undefined ? '' : `${compare} ${format(bound)}`
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 3 : 1)
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore']
    }).trim()
  } catch {
    return 'unknown'
  }
}

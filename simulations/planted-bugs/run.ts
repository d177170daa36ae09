import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/platform/errors.ts'
import { seedsOf } from '../run/spawn-runs.ts'
import type { PlantedBug } from './bugs.ts'
import { PLANTED_BUGS } from './bugs.ts'
import type { Hunt } from './hunt.ts'
import { hunt, runClean } from './hunt.ts'
import { checksOf, withResults } from './results-table.ts'

/**
 * Looks for each planted bug (or those that are named) with up to so many seeds, prints which checks failed with which
 * seed when its own did, and writes that into the table of README.md. Then runs their scenarios without any bug, with all
 * the seeds that it took, to see that nothing fails there. Exits with 1 where a bug was not found, or something failed
 * without one, and with 2 where it is called wrongly.
 */
const USAGE = `node simulations/planted-bugs/run.ts [NAME…] [--seeds 200] [--jobs 1]

Looks for each planted bug, or those that are named, and writes the table of README.md.

  --seeds N  with at most so many seeds each
  --jobs N   so many bugs side by side

${PLANTED_BUGS.map(({ name }) => `  ${name}`).join('\n')}
`
const { bugs: wanted, seeds, jobs, help } = calledOrEnd()
if (help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const page = join(import.meta.dirname, 'README.md')
const waiting = [...wanted]
/** How many seeds it took in each scenario. */
const taken = new Map<string, number>()
let wrong = 0

process.stdout.write(row('bug', 'found by', 'seed', 'runs', 'has to be found by'))
await Promise.all(Array.from({ length: jobs }, huntNext))
for (const [scenario, runs] of taken) await lookWithoutBug(scenario, runs)
process.exitCode = wrong === 0 ? 0 : 1

interface Call {
  readonly bugs: readonly PlantedBug[]
  readonly seeds: readonly string[]
  readonly jobs: number
  readonly help: boolean
}

function calledOrEnd(): Call {
  try {
    return called()
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}`)
    return process.exit(2)
  }
}

function called(): Call {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '200' },
      jobs: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false }
    }
  })
  const unknown = positionals.filter((name) => !PLANTED_BUGS.some((bug) => bug.name === name))
  if (unknown.length > 0) throw new Error(`there is no planted bug ${unknown.join(', ')}`)
  return {
    bugs: positionals.length === 0 ? PLANTED_BUGS : PLANTED_BUGS.filter(({ name }) => positionals.includes(name)),
    seeds: seedsOf('1', count('--seeds', values.seeds)),
    jobs: count('--jobs', values.jobs),
    help: values.help
  }
}

function count(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${option} takes a number from 1 to 9999, not ${text}`)
  return Number(text)
}

async function huntNext(): Promise<void> {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const result = await hunt(bug, seeds)
    if (result.found === null) wrong += 1
    taken.set(bug.scenario, Math.max(result.runs, taken.get(bug.scenario) ?? 0))
    process.stdout.write(rowOf(result))
    // At once, so that what is finished stays where somebody breaks off, and side by side none overwrites another.
    writeFileSync(page, withResults(readFileSync(page, 'utf8'), PLANTED_BUGS, [result]))
  }
}

async function lookWithoutBug(scenario: string, runs: number): Promise<void> {
  const failures = await runClean(scenario, seeds.slice(0, runs))
  if (failures.length > 0) wrong += 1
  const checks = [...new Set(failures.map(({ check }) => check))].join(', ')
  process.stdout.write(
    row(`none, in ${scenario}`, failures.length === 0 ? 'nothing' : checks, '-', String(runs), 'nothing')
  )
}

function rowOf(result: Hunt): string {
  const { bug, found, runs } = result
  const checks = checksOf(result).join(', ')
  return row(bug.name, found === null ? 'NOT FOUND' : checks, found?.seed ?? '-', String(runs), bug.check)
}

function row(bug: string, found: string, seed: string, runs: string, expected: string): string {
  return `${bug.padEnd(36)} ${seed.padStart(5)} ${runs.padStart(5)}  ${expected.padEnd(30)} ${found}\n`
}

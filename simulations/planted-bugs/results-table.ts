import type { PlantedBug } from './bugs.ts'
import type { Hunt } from './hunt.ts'

const HEAD = ['| bug | what it breaks | scenario | found with seed | found by |', '|---|---|---|---|---|']
const NAME = /^\| `([a-z0-9-]+)` \|/

/** The page with new rows of these hunts; those of the other bugs stay, and a row of none of the bugs goes away. */
export function withResults(page: string, bugs: readonly PlantedBug[], hunts: readonly Hunt[]): string {
  const lines = page.split('\n')
  const from = lines.findIndex((line) => line.startsWith('|'))
  if (from < 0) throw new Error('the page has no table')
  const to = from + lines.slice(from).findIndex((line) => !line.startsWith('|'))
  const rows = new Map(lines.slice(from, to).map((line) => [NAME.exec(line)?.[1], line]))
  for (const hunt of hunts) rows.set(hunt.bug.name, rowOf(hunt))
  const table = [...HEAD, ...bugs.map((bug) => rows.get(bug.name) ?? rowOf({ bug, found: null, runs: 0 }))]
  return [...lines.slice(0, from), ...table, ...lines.slice(to)].join('\n')
}

/** The names of the checks that failed, each once. */
export function checksOf({ found }: Hunt): readonly string[] {
  return [...new Set(found?.failures.map(({ check }) => check))]
}

function rowOf(hunt: Hunt): string {
  const { bug, found, runs } = hunt
  const seed = found?.seed ?? (runs === 0 ? 'not looked for' : `not with ${runs}`)
  const cells = [`\`${bug.name}\``, bug.breaks, bug.scenario, seed, checksOf(hunt).join(', ')]
  return `| ${cells.join(' | ')} |`
}

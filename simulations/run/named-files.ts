import type { CsvResult } from '../network/csv.ts'
import { parseLinkMatrix } from '../network/link-matrix.ts'
import { parseDials } from '../network/topology.ts'
import type { Dials } from '../network/topology.ts'
import type { ConfigProblem } from '../../src/policy/yaml.ts'
import type { Scenario } from '../scenario/schema.ts'

/** What is wrong in the file of a topology, at `path`. */
export function topologyFileProblems(text: string, path: string, scenario: Scenario): readonly ConfigProblem[] {
  const read = parseDials(text, scenario.nodes)
  if (!read.ok) return [lineProblem(path, read)]
  const apart = outOfReach(read.value)
  // Where they need not become one, a mesh may be several.
  if (apart.length === 0 || scenario.convergence === 'measured') return []
  const [which, have] = apart.length === 1 ? ['node', 'has'] : ['nodes', 'have']
  const problem = `${which} ${apart.join(', ')} ${have} no way to node 0; give another line, or fewer nodes`
  return [lineProblem(path, { line: 1, problem })]
}

/** What is wrong in the file of a matrix of links, at `path`. */
export function linkMatrixProblems(text: string, path: string, scenario: Scenario): readonly ConfigProblem[] {
  const read = parseLinkMatrix(text, scenario.link, scenario.nodes)
  return read.ok ? [] : [lineProblem(path, read)]
}

function lineProblem(
  file: string,
  { line, problem }: Pick<Extract<CsvResult<unknown>, { ok: false }>, 'line' | 'problem'>
): ConfigProblem {
  return { file, line, column: 1, key: '', message: problem }
}

/** Those that node 0 is not connected with, by way of others either. */
function outOfReach(dials: Dials): readonly number[] {
  const neighbours = dials.map((known) => new Set(known))
  for (const [from, known] of dials.entries()) for (const to of known) neighbours[to]?.add(from)
  const reached = new Set([0])
  // A set is gone through with what is added meanwhile.
  for (const node of reached) for (const next of neighbours[node] ?? []) reached.add(next)
  return [...dials.keys()].filter((node) => !reached.has(node))
}

import { nameProblems } from './name-problems.ts'
import type { ScenarioProblem } from './problem.ts'
import { FULL_NODES_MAX } from './schema.ts'
import type { Scenario } from './schema.ts'
import { selectionProblems } from './selection-problems.ts'
import { timeProblems } from './time-problems.ts'

/** What is wrong with a scenario whose every value by itself is right. */
export function scenarioProblems(scenario: Scenario): readonly ScenarioProblem[] {
  return [
    ...levelProblems(scenario),
    ...nameProblems(scenario),
    ...timeProblems(scenario),
    ...selectionProblems(scenario)
  ]
}

function levelProblems({ level, nodes }: Scenario): readonly ScenarioProblem[] {
  if (level === 'gossip' || nodes <= FULL_NODES_MAX) return []
  const message = `is ${nodes}, but level full carries at most ${FULL_NODES_MAX}: write level: gossip, or fewer nodes`
  return [{ path: ['nodes'], message }]
}

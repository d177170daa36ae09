import type { ConfigPath } from '../../src/policy/yaml-reader.ts'
import { durationText } from './duration.ts'
import type { ScenarioProblem } from './problem.ts'
import { sizeOf } from './selection-problems.ts'
import type { Fault, Scenario } from './schema.ts'

/** What is wrong with when things happen: ends before their beginnings, and faults that outlast the time of faults. */
export function timeProblems(scenario: Scenario): readonly ScenarioProblem[] {
  return [
    ...stepProblems(scenario),
    ...scenario.faults.flatMap((fault, index) => faultProblems(fault, ['faults', index], scenario)),
    ...scenario.byzantine.flatMap((span, index) => spanProblems(span, ['byzantine', index], scenario)),
    ...scenario.workload.flatMap((load, index) =>
      load.kind === 'announce'
        ? spanProblems({ at: load.from, until: load.until }, ['workload', index], scenario, 'from')
        : []
    )
  ]
}

/** What is done again and again must take time, or a run would never end. */
function stepProblems({ sampleEvery, foldEvery, node, chains }: Scenario): readonly ScenarioProblem[] {
  const steps: readonly (readonly [ConfigPath, number | undefined])[] = [
    [['sampleEvery'], sampleEvery],
    [['foldEvery'], foldEvery],
    [['node', 'syncInterval'], node.syncInterval],
    [['node', 'checkpoint'], node.checkpoint],
    ...chains.map(({ blockEvery }, index) => [['chains', index, 'blockEvery'], blockEvery] as const)
  ]
  return steps.flatMap(([path, us]) => (us === 0 ? [{ path, message: 'takes no time' }] : []))
}

function spanProblems(
  { at, until }: { readonly at: number; readonly until?: number | undefined },
  path: ConfigPath,
  { faultsEnd }: Scenario,
  startKey: 'at' | 'from' = 'at'
): readonly ScenarioProblem[] {
  const end = durationText(faultsEnd)
  if (at > faultsEnd) return [{ path: [...path, startKey], message: `is after faultsEnd, ${end}` }]
  if (until === undefined) return []
  if (until <= at) return [{ path: [...path, 'until'], message: `is not after ${startKey}, ${durationText(at)}` }]
  return until <= faultsEnd ? [] : [{ path: [...path, 'until'], message: `is after faultsEnd, ${end}` }]
}

function faultProblems(fault: Fault, path: ConfigPath, scenario: Scenario): readonly ScenarioProblem[] {
  const until = 'until' in fault ? fault.until : undefined
  const wrong = spanProblems({ at: fault.at, until }, path, scenario)
  if (wrong.length > 0) return wrong
  return [
    ...repetitionProblems(fault, path, scenario),
    ...(fault.kind === 'partition' ? rollingProblems(fault, path, scenario) : [])
  ]
}

/** How long a fault lasts each time, where it says so. */
function lengthOf(fault: Fault): number | undefined {
  if ('for' in fault) return fault.for
  return 'until' in fault && fault.until !== undefined ? fault.until - fault.at : undefined
}

function repetitionProblems(fault: Fault, path: ConfigPath, { faultsEnd }: Scenario): readonly ScenarioProblem[] {
  const length = lengthOf(fault)
  const { every, times } = 'times' in fault ? fault : { every: undefined, times: 1 }
  if (times > 1 && every === undefined) return [{ path: [...path, 'times'], message: 'needs every' }]
  if (every !== undefined && times === 1) return [{ path: [...path, 'every'], message: 'needs times above 1' }]
  if (every !== undefined && length === undefined) {
    const key = fault.kind === 'cut' ? 'until' : 'for'
    return [{ path: [...path, 'every'], message: `needs ${key}: what is never over can’t come again` }]
  }
  if (every !== undefined && length !== undefined && every <= length) {
    const message = `is not longer than what it repeats, ${durationText(length)}`
    return [{ path: [...path, 'every'], message }]
  }
  const last = fault.at + (times - 1) * (every ?? 0) + (length ?? 0)
  if (last <= faultsEnd) return []
  const key = times > 1 ? 'times' : 'for'
  return [
    { path: [...path, key], message: `ends at ${durationText(last)}, after faultsEnd, ${durationText(faultsEnd)}` }
  ]
}

function rollingProblems(
  { groups, at, until }: Extract<Fault, { kind: 'partition' }>,
  path: ConfigPath,
  scenario: Scenario
): readonly ScenarioProblem[] {
  if (groups === 'halves' || !('rolling' in groups)) return []
  const each = [...path, 'groups', 'each']
  if (groups.each === 0) return [{ path: each, message: 'takes no time' }]
  const turns = sizeOf(groups.rolling, scenario)
  if (at + turns * groups.each <= until) return []
  return [{ path: each, message: `times ${turns} nodes is longer than from at to until` }]
}

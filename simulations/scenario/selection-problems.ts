import { isDeepStrictEqual } from 'node:util'
import type { ConfigPath } from '../../src/policy/yaml-reader.ts'
import type { ScenarioProblem } from './problem.ts'
import type { Fault, Scenario, Selection } from './schema.ts'

interface PlacedSelection {
  readonly path: ConfigPath
  readonly selection: Selection
}

/** What is wrong with who is meant: nodes and organisations that there are not, and more of them than there are. */
export function selectionProblems(scenario: Scenario): readonly ScenarioProblem[] {
  const beyondAll = selectionsIn(scenario).flatMap((placed) => outOfRange(placed, scenario))
  if (beyondAll.length > 0) return beyondAll
  return [
    ...scenario.faults.flatMap((fault, index) => faultProblems(fault, ['faults', index], scenario)),
    ...lateProblems(scenario),
    ...quorumProblems(scenario),
    ...byzantineProblems(scenario)
  ]
}

/** How many nodes a selection means; what it draws has a size, too. */
export function sizeOf(selection: Selection, { nodes, organisations = nodes }: Scenario): number {
  if (selection === 'all') return nodes
  if ('nodes' in selection) return new Set(selection.nodes).size
  if ('share' in selection) return Math.round(selection.share * nodes)
  if ('count' in selection) return selection.count
  const meant = new Set(selection.organisations)
  return numbersUpTo(nodes).filter((node) => meant.has(node % organisations)).length
}

const numbersUpTo = (limit: number): readonly number[] => Array.from({ length: limit }, (_, number) => number)

function selectionsIn({ late, quorum, workload, faults, byzantine }: Scenario): readonly PlacedSelection[] {
  const found: PlacedSelection[] = []
  const add = (selection: Selection | undefined, ...path: ConfigPath): void => {
    if (selection !== undefined) found.push({ path, selection })
  }
  add(late, 'late')
  add(quorum?.of, 'quorum', 'of')
  for (const [index, load] of workload.entries()) {
    if (load.kind === 'announce') add(load.by, 'workload', index, 'by')
    if (load.kind === 'history') add(load.on, 'workload', index, 'on')
  }
  for (const [index, { nodes }] of byzantine.entries()) add(nodes, 'byzantine', index, 'nodes')
  for (const [index, fault] of faults.entries()) {
    const path = ['faults', index]
    if ('nodes' in fault) add(fault.nodes, ...path, 'nodes')
    if (fault.kind === 'cut' || fault.kind === 'links') {
      add(fault.from, ...path, 'from')
      add(fault.to, ...path, 'to')
    }
    if (fault.kind !== 'partition' || fault.groups === 'halves') continue
    if ('isolate' in fault.groups) add(fault.groups.isolate, ...path, 'groups', 'isolate')
    if ('rolling' in fault.groups) add(fault.groups.rolling, ...path, 'groups', 'rolling')
  }
  return found
}

function outOfRange({ path, selection }: PlacedSelection, scenario: Scenario): readonly ScenarioProblem[] {
  const { nodes, organisations = nodes } = scenario
  if (selection === 'all') return []
  if ('share' in selection) {
    // A share of 0 is nobody on purpose, as where a sweep compares with none.
    if (selection.share === 0 || sizeOf(selection, scenario) > 0) return []
    return [{ path: [...path, 'share'], message: `is ${selection.share}, which of ${nodes} nodes is none` }]
  }
  if ('count' in selection)
    return selection.count <= nodes
      ? []
      : [{ path: [...path, 'count'], message: `is ${selection.count}, but there are ${nodes} nodes` }]
  const [key, limit, what] =
    'nodes' in selection
      ? (['nodes', nodes, 'node'] as const)
      : (['organisations', organisations, 'organisation'] as const)
  const numbers = 'nodes' in selection ? selection.nodes : selection.organisations
  return numbers.flatMap((number, index) =>
    number < limit ? [] : [{ path: [...path, key, index], message: beyond(what, number, limit) }]
  )
}

const beyond = (what: string, number: number, limit: number): string =>
  `is ${what} ${number}, but the last of the ${limit} is ${limit - 1}`

/** Shares that are not the whole, groups that share an organisation or leave nobody on the other side. */
function faultProblems(fault: Fault, path: ConfigPath, scenario: Scenario): readonly ScenarioProblem[] {
  const { nodes, organisations = nodes } = scenario
  if (fault.kind === 'revoke' && fault.node >= nodes)
    return [{ path: [...path, 'node'], message: beyond('node', fault.node, nodes) }]
  if (fault.kind !== 'partition') return []
  const { groups } = fault
  const problem = (message: string, ...inner: ConfigPath): readonly ScenarioProblem[] => [
    { path: [...path, 'groups', ...inner], message }
  ]
  if (groups === 'halves') return nodes < 2 ? problem('needs two nodes') : []
  if ('shares' in groups) {
    const sum = groups.shares.reduce((total, part) => total + part, 0)
    if (Math.abs(sum - 1) >= 1e-6) return problem(`come to ${sum}, but must come to 1`, 'shares')
    return groups.shares.flatMap((part, index) =>
      Math.round(part * nodes) > 0 ? [] : problem(`is ${part}, which of ${nodes} nodes is none`, 'shares', index)
    )
  }
  if ('isolate' in groups) {
    const isolated = sizeOf(groups.isolate, scenario)
    if (isolated === 0) return problem('isolates nobody', 'isolate')
    return isolated < nodes ? [] : problem('leaves no node on the other side', 'isolate')
  }
  if ('rolling' in groups) return sizeOf(groups.rolling, scenario) > 0 ? [] : problem('isolates nobody', 'rolling')
  const seen = new Set<number>()
  const found: ScenarioProblem[] = []
  for (const [index, group] of groups.organisations.entries()) {
    for (const [place, number] of group.entries()) {
      const at = ['organisations', index, place] as const
      if (number >= organisations) found.push(...problem(beyond('organisation', number, organisations), ...at))
      if (seen.has(number)) found.push(...problem(`is organisation ${number}, which stands in a group already`, ...at))
      seen.add(number)
    }
  }
  if (found.length === 0 && groups.organisations.length === 1 && seen.size === organisations)
    found.push(...problem('leaves no organisation on the other side', 'organisations'))
  return found
}

/** Late nodes are those that join, and those that join were late. */
function lateProblems(scenario: Scenario): readonly ScenarioProblem[] {
  const { late, faults } = scenario
  const joins = faults.flatMap((fault, index) => (fault.kind === 'join' ? [{ fault, index }] : []))
  if (late === undefined)
    return joins.map(({ index }) => ({ path: ['faults', index], message: 'can only join what is late' }))
  if (joins.length === 0)
    return [{ path: ['late'], message: 'never joins: a fault of the kind join starts late nodes' }]
  if (sizeOf(late, scenario) >= scenario.nodes) return [{ path: ['late'], message: 'leaves no node to start with' }]
  return joins.flatMap(({ fault: { nodes }, index }) =>
    isPartOf(nodes, late, scenario) ? [] : [{ path: ['faults', index, 'nodes'], message: 'is not within late' }]
  )
}

/** What is drawn for the same purpose is drawn in the same order, so a smaller count is a part of a greater one. */
function isPartOf(part: Selection, whole: Selection, scenario: Scenario): boolean {
  if (isDeepStrictEqual(part, whole)) return true
  if (isDrawn(part) !== isDrawn(whole)) return false
  if (isDrawn(part)) return sizeOf(part, scenario) <= sizeOf(whole, scenario)
  const members = new Set(numbersOf(whole, scenario))
  return numbersOf(part, scenario).every((number) => members.has(number))
}

const isDrawn = (selection: Selection): boolean => selection !== 'all' && ('share' in selection || 'count' in selection)

function numbersOf(selection: Selection, { nodes, organisations = nodes }: Scenario): readonly number[] {
  if (selection !== 'all' && 'nodes' in selection) return selection.nodes
  const all = numbersUpTo(nodes)
  if (selection === 'all' || !('organisations' in selection)) return all
  return all.filter((node) => selection.organisations.includes(node % organisations))
}

function quorumProblems(scenario: Scenario): readonly ScenarioProblem[] {
  const { quorum } = scenario
  if (quorum === undefined || quorum.k <= sizeOf(quorum.of, scenario)) return []
  return [
    { path: ['quorum', 'k'], message: `asks for more than the ${sizeOf(quorum.of, scenario)} nodes of the quorum` }
  ]
}

function byzantineProblems(scenario: Scenario): readonly ScenarioProblem[] {
  return scenario.byzantine.flatMap(({ nodes }, index) =>
    sizeOf(nodes, scenario) < scenario.nodes
      ? []
      : [{ path: ['byzantine', index, 'nodes'], message: 'leaves no honest node' }]
  )
}

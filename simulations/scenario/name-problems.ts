import type { ConfigPath } from '../../src/policy/yaml-reader.ts'
import type { ScenarioProblem } from './problem.ts'
import type { LatencyRule, Scenario } from './schema.ts'

// As in announces.
const CHAIN_ID_PATTERN = /^(?:btc:[a-z0-9][a-z0-9-]{0,31}|eip155:[1-9][0-9]{0,31}|rfc3161:[a-z0-9][a-z0-9._-]{0,63})$/

/** What names something that there is not, or twice, and figures of one distribution that are not in order. */
export function nameProblems(scenario: Scenario): readonly ScenarioProblem[] {
  return [...namespaceProblems(scenario), ...chainProblems(scenario), ...latencyProblems(scenario)]
}

function namespaceProblems({
  namespaces,
  workload
}: Pick<Scenario, 'namespaces' | 'workload'>): readonly ScenarioProblem[] {
  return [
    ...repeatedProblems(namespaces, (index) => ['namespaces', index]),
    ...historyProblems({ namespaces, workload }),
    ...workload.flatMap((load, index) => {
      if (load.kind === 'own' || load.namespace === undefined || namespaces.includes(load.namespace)) return []
      return [{ path: ['workload', index, 'namespace'], message: `is none of namespaces: ${namespaces.join(', ')}` }]
    })
  ]
}

/** A history is one chain of one signer, which another one would fork. */
function historyProblems({
  namespaces,
  workload
}: Pick<Scenario, 'namespaces' | 'workload'>): readonly ScenarioProblem[] {
  const seen = new Set<string>()
  return workload.flatMap((load, index) => {
    if (load.kind !== 'history') return []
    const namespace = load.namespace ?? namespaces[0] ?? ''
    if (seen.has(namespace)) return [{ path: ['workload', index], message: `is another history of ${namespace}` }]
    seen.add(namespace)
    return []
  })
}

function chainProblems({ chains, workload, faults }: Scenario): readonly ScenarioProblem[] {
  const known = chains.map(({ chainId }) => chainId)
  const unknown = (chainId: string, ...path: ConfigPath): readonly ScenarioProblem[] => {
    if (known.includes(chainId)) return []
    return [{ path, message: `is no chain of the scenario${known.length === 0 ? '' : `: ${known.join(', ')}`}` }]
  }
  return [
    ...repeatedProblems(known, (index) => ['chains', index, 'chainId']),
    ...known.flatMap((chainId, index) =>
      CHAIN_ID_PATTERN.test(chainId)
        ? []
        : [{ path: ['chains', index, 'chainId'], message: 'is not btc:NAME, eip155:NUMBER or rfc3161:NAME' }]
    ),
    ...workload.flatMap((load, index) =>
      load.kind !== 'announce'
        ? []
        : load.chains.flatMap((chainId, place) => unknown(chainId, 'workload', index, 'chains', place))
    ),
    ...faults.flatMap((fault, index) => {
      if (fault.kind !== 'reorganise' && fault.kind !== 'chain-away') return []
      const path = ['faults', index, 'chain']
      if (fault.kind === 'reorganise' && fault.chain.startsWith('rfc3161:'))
        return [{ path, message: 'is a timestamp authority, which has no blocks to take back' }]
      return unknown(fault.chain, ...path)
    })
  ]
}

function repeatedProblems(names: readonly string[], path: (index: number) => ConfigPath): readonly ScenarioProblem[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [{ path: path(index), message: `is ${name} once more` }]
  )
}

function latencyProblems({ link, disk, faults }: Scenario): readonly ScenarioProblem[] {
  const found: ScenarioProblem[] = []
  const look = (rule: LatencyRule | undefined, ...path: ConfigPath): void => {
    const [key, figures] = Object.entries(rule ?? {})[0] ?? []
    if (key === undefined || !Array.isArray(figures)) return
    const inOrder = figures.every((figure, index) => index === 0 || figure >= (figures[index - 1] ?? 0))
    if (!inOrder) found.push({ path: [...path, key], message: 'is not in order, the least first' })
  }
  look(link.latency, 'link', 'latency')
  look(disk.syncMs, 'disk', 'syncMs')
  for (const [index, fault] of faults.entries()) {
    if (fault.kind === 'links') look(fault.link.latency, 'faults', index, 'link', 'latency')
    if (fault.kind === 'slow-disk') look(fault.syncMs, 'faults', index, 'syncMs')
  }
  return found
}

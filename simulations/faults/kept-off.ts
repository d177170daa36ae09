import type { SimulatedNode, Simulation } from '../model/simulation.ts'
import { LATE } from './injection.ts'
import { drawName, faultName, occurrencesOf } from './occurrences.ts'

/** The nodes that the scenario keeps off for good: they end and never come back, or are late and never join. */
export function keptOff({ scenario, select }: Pick<Simulation, 'scenario' | 'select'>): ReadonlySet<SimulatedNode> {
  const { faults, faultsEnd, late } = scenario
  const off = new Set(late === undefined ? [] : select(late, LATE))
  for (const fault of faults) if (fault.kind === 'join') for (const node of select(fault.nodes, LATE)) off.delete(node)
  for (const [index, fault] of faults.entries()) {
    if (fault.kind !== 'crash' && fault.kind !== 'stop') continue
    for (const { turn, untilUs } of occurrencesOf(fault, faultsEnd))
      if (untilUs === null)
        for (const node of select(fault.nodes, drawName(faultName(index), 'nodes', turn))) off.add(node)
  }
  return off
}

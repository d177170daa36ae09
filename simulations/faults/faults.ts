import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Simulation } from '../model/simulation.ts'
import type { Fault } from '../scenario/schema.ts'
import { Injector } from './injection.ts'
import type { Governance, Injection } from './injection.ts'
import { faultName, occurrencesOf, rollingOf } from './occurrences.ts'
import type { Occurrence } from './occurrences.ts'

/** Puts on all that the scenario does to nodes, links and chains, and that it is undone. */
export function startFaults(simulation: Simulation, governance: Governance): void {
  const injector = new Injector(simulation, governance)
  const { faults, faultsEnd } = simulation.scenario
  for (const [index, fault] of faults.entries()) {
    const name = faultName(index)
    const rolling = rollingOf(fault)?.rolling
    const turns = rolling === undefined ? 1 : simulation.select(rolling, `${name}.groups`).length
    for (const occurrence of occurrencesOf(fault, faultsEnd, turns))
      putOn(simulation, { fault, index, occurrence, injection: injector.injectionOf(fault, occurrence, name) })
  }
}

interface PutOn {
  readonly fault: Fault
  readonly index: number
  readonly occurrence: Occurrence
  readonly injection: Injection
}

function putOn(simulation: Simulation, { fault, index, occurrence, injection }: PutOn): void {
  const { trace } = simulation
  const about = { fault: fault.kind, index }
  const { promise: acted, resolve: hasActed } = Promise.withResolvers<void>()
  simulation.at(occurrence.atUs, async () => {
    trace.record('fault', null, { ...about, ...shown(injection) })
    try {
      await injection.act()
    } finally {
      hasActed()
    }
  })
  const { undo } = injection
  if (undo === undefined || occurrence.untilUs === null) return
  simulation.at(occurrence.untilUs, async () => {
    await acted
    trace.record('heal', null, about)
    await undo()
  })
}

function shown({ groups, nodes }: Injection): JsonObject {
  return {
    ...(groups === undefined ? {} : { groups: groups.map((group) => group.map(({ name }) => name)) }),
    ...(nodes === undefined ? {} : { nodes: nodes.map(({ name }) => name) })
  }
}

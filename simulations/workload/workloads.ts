import { AnchormeshError } from '../../src/platform/errors.ts'
import type { SimulationExtension, Simulation, WorkloadDriver } from '../model/simulation.ts'
import { startAnnouncing } from './announce.ts'

/**
 * Puts on what the scenario has its nodes do; what they hold from the start is there by then (`loadHistories`). Throws
 * `CONFIG_INVALID` for a workload of somebody's own that no extension brings.
 */
export function startWorkloads(simulation: Simulation, extensions: readonly SimulationExtension[]): void {
  for (const [index, load] of simulation.scenario.workload.entries()) {
    if (load.kind === 'announce') startAnnouncing(simulation, load, `workload-${index}`)
    if (load.kind === 'own') driverOf(load.name, extensions)(simulation, load.options)
  }
}

function driverOf(name: string, extensions: readonly SimulationExtension[]): WorkloadDriver {
  for (const { workloads = {} } of extensions) {
    const driver = Object.hasOwn(workloads, name) ? workloads[name] : undefined
    if (driver !== undefined) return driver
  }
  throw new AnchormeshError('CONFIG_INVALID', `no extension has a workload named ${name}`, {
    hint: 'Name the module that exports it as `simulation` by --extension.'
  })
}

import { verifyLog } from '../../src/log/verify-log.ts'
import type { Check, Simulation } from '../model/simulation.ts'
import { honestNodes, storeOn } from './held.ts'

const NAME = 'logs-intact'

/** The node's own `log verify` finds nothing on any disk, also on those of nodes that are off. */
export function logsIntact(): Check {
  const look = async (simulation: Simulation): Promise<void> => {
    for (const node of honestNodes(simulation)) {
      if ((await storeOn(node)) === null) continue
      const { ok, problems, problemCount } = await verifyLog(node.disk.stored, node.disk.checkpoint)
      if (ok) continue
      const { logSeq = null, problem = '' } = problems[0] ?? {}
      const place = logSeq === null ? '' : `record ${logSeq}: `
      simulation.fail({ check: NAME, node: node.name, detail: `${problemCount} problems; ${place}${problem}` })
    }
  }
  return { name: NAME, onFold: look }
}

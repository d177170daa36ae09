import type { AnchormeshError, FailureCode } from '../../src/platform/errors.ts'
import type { Simulation } from '../model/simulation.ts'
import type { Byzantine, Fault, Scenario, Workload } from '../scenario/schema.ts'

type Announces = Extract<Workload, { kind: 'announce' }>

/** What has to be the case for a node to refuse a workload something; without any of it the refusal is a defect. */
interface Excuse {
  /** Kinds of faults of which one has begun. */
  readonly faults?: readonly Fault['kind'][]
  readonly byzantine?: readonly Byzantine['kind'][]
  readonly given?: (scenario: Scenario, load: Announces) => boolean
}

const EXCUSES: Partial<Record<FailureCode, Excuse>> = {
  STORE_FULL: { faults: ['disk-full'] },
  // It ends in order just then.
  NODE_NOT_RUNNING: { faults: ['stop'] },
  // Others hold more of its chain than its disk does, or say so, or thieves have signed more of it.
  OWN_CHAIN_BEHIND: { faults: ['crash', 'stop', 'lose-disk', 'join', 'revoke'], byzantine: ['lie-in-sync'] },
  // Another node of its organisation was first.
  BATCH_EXISTS: { given: (_, { contended }) => contended }
}

/** Of `PUBLISH_REFUSED`, by the code in its detail. */
const EXCUSES_OF_REFUSED: Readonly<Record<string, Excuse>> = {
  KEY_CUT_OFF: { faults: ['revoke'] },
  RATE_LIMITED: { given: ({ node }) => node.perSigner !== undefined },
  // Its last event is from before its clock was set back.
  FUTURE_TIMESTAMP: { faults: ['clock'] },
  OVERLOADED: { faults: ['disk-full', 'slow-disk', 'pause'] }
}

/** Whether what a node refuses a workload comes of what the scenario has done by now. */
export function isExpectedRefusal(
  { code, detail }: AnchormeshError,
  { scenario, time, startedUs }: Pick<Simulation, 'scenario' | 'time' | 'startedUs'>,
  load: Announces
): boolean {
  const refusedWith = detail?.['code']
  const excuse =
    code === 'PUBLISH_REFUSED' ? EXCUSES_OF_REFUSED[typeof refusedWith === 'string' ? refusedWith : ''] : EXCUSES[code]
  if (excuse === undefined) return false
  const { faults = [], byzantine = [], given = () => false } = excuse
  const hasBegun = ({ at }: { readonly at: number }): boolean => startedUs + at <= time.nowUs
  return (
    scenario.faults.some((fault) => faults.includes(fault.kind) && hasBegun(fault)) ||
    scenario.byzantine.some((rule) => byzantine.includes(rule.kind) && hasBegun(rule)) ||
    given(scenario, load)
  )
}

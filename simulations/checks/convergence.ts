import type { Digest } from '../../src/projections/digest.ts'
import type { Check, SimulatedNode, Simulation } from '../model/simulation.ts'
import { keptOff } from '../faults/kept-off.ts'
import { countOn, eventsDigestOn, honestNodes, runningNodes } from './held.ts'

const NAME = 'converged-after-heal'

/** `_trust` beside those of the scenario: keys are part of what all have to agree on. */
const TRUST = '_trust'

/**
 * Within so long of the heal all honest nodes run that the scenario does not keep off for good, hold the same events,
 * and say so: equal digests of events, membership, policy, verdicts, state and winners. The moment is recorded. Where a
 * scenario only measures, that it never comes is a finding and no failure.
 */
export function convergedAfterHeal(): Check {
  let isConverged = false

  const look = async (simulation: Simulation): Promise<string | null> => {
    const absent = absentees(simulation)
    if (absent !== null) return absent
    const nodes = runningNodes(simulation)
    const namespaces = [TRUST, ...simulation.scenario.namespaces]
    for (const namespace of namespaces) {
      const different = await differentEvents(nodes, namespace)
      if (different !== null) return different
    }
    for (const namespace of namespaces) {
      const different = await differentDigests(nodes, namespace, takesFinalBlocksBack(simulation))
      if (different !== null) return different
    }
    return null
  }

  return {
    name: NAME,
    async onSample(simulation) {
      const { time, trace } = simulation
      const healUs = healedUs(simulation)
      if (isConverged || time.nowUs < Math.max(healUs, quietUs(simulation))) return
      if ((await look(simulation)) !== null) return
      isConverged = true
      trace.record('converged', null, { afterHealUs: time.nowUs - healUs })
    },
    async onEnd(simulation) {
      const different = await look(simulation)
      if (different !== null) {
        if (simulation.scenario.convergence === 'required') simulation.fail({ check: NAME, detail: different })
      } else if (!isConverged)
        simulation.trace.record('converged', null, { afterHealUs: simulation.time.nowUs - healedUs(simulation) })
    }
  }
}

/** Who does not run, though the scenario keeps them off no more; `null`: all run that should, and some should. */
function absentees(simulation: Simulation): string | null {
  const off = keptOff(simulation)
  const expected = honestNodes(simulation).filter((node) => !off.has(node))
  if (expected.length === 0) return 'no honest node is there in the end'
  const absent = expected.filter(({ state }) => state !== 'running')
  return absent.length === 0 ? null : absent.map(({ name, state }) => `${name} is ${state}`).join(', ')
}

/**
 * Where blocks that were final are taken back: a node that had looked before has no reason to look again, and another
 * finds otherwise. Winners are compared between nodes with equal verdicts then.
 */
function takesFinalBlocksBack({ scenario: { chains, faults } }: Simulation): boolean {
  return faults.some(
    (fault) =>
      fault.kind === 'reorganise' &&
      chains.some(({ chainId, finalityDepth }) => chainId === fault.chain && finalityDepth <= fault.depth)
  )
}

function healedUs({ startedUs, scenario }: Simulation): number {
  return startedUs + scenario.faultsEnd
}

/** When no workload publishes any more: before, there is always somebody who does not have the newest event. */
function quietUs({ startedUs, scenario }: Simulation): number {
  const ends = scenario.workload.map((workload) => ('until' in workload ? workload.until : 0))
  return startedUs + Math.max(0, ...ends)
}

/** Counts first: they differ almost always where sets do, and cost one look. */
async function differentEvents(nodes: readonly SimulatedNode[], namespace: string): Promise<string | null> {
  const counts = await alike(nodes, (node) => countOn(node, namespace))
  if (counts !== null) return `${namespace}: ${counts} events`
  const digests = await alike(nodes, (node) => eventsDigestOn(node, namespace))
  return digests === null ? null : `${namespace}: events digest ${digests}`
}

/** Where nodes differ, as a text; `null` where all answer the same. */
async function alike(
  nodes: readonly SimulatedNode[],
  ask: (node: SimulatedNode) => Promise<number | string>
): Promise<string | null> {
  let first: { readonly node: SimulatedNode; readonly answer: number | string } | undefined
  for (const node of nodes) {
    const answer = await ask(node)
    first ??= { node, answer }
    if (answer !== first.answer) return `${first.node.name} has ${first.answer}, ${node.name} ${answer}`
  }
  return null
}

/** The nodes' own word, by `digest`. */
async function differentDigests(
  nodes: readonly SimulatedNode[],
  namespace: string,
  mayVerdictsDiffer: boolean
): Promise<string | null> {
  const known = new Map<string, { readonly digest: string; readonly node: string }>()
  for (const node of nodes) {
    let digest: Digest
    try {
      digest = await node.ask(async (asked) => await asked.digest(namespace))
    } catch (error) {
      return `${namespace}: ${node.name} gives no digest: ${error instanceof Error ? error.message : String(error)}`
    }
    for (const [comparable, found] of comparables(digest, mayVerdictsDiffer)) {
      const before = known.get(comparable)
      if (before === undefined) known.set(comparable, { digest: found, node: node.name })
      else if (before.digest !== found)
        return `${namespace}: ${comparable.split(' ')[0] ?? ''} digest of ${before.node} is ${before.digest}, of ${node.name} ${found}`
    }
  }
  return null
}

/** What must be equal between nodes for which the name is. */
function comparables(
  { events, state, membershipDigest, winners }: Digest,
  mayVerdictsDiffer: boolean
): readonly (readonly [string, string])[] {
  return [
    ['events', events],
    ['membership', membershipDigest],
    ['policy', winners.policyDigest],
    ...(mayVerdictsDiffer ? [] : [['verdicts', winners.verdictSetDigest] as const]),
    ['state', state],
    [`winners ${winners.verdictSetDigest}`, winners.digest]
  ]
}

import { detailOf } from '../model/defect-detail.ts'
import type { Byzantine } from '../scenario/schema.ts'
import type { SimulatedNode, Simulation } from '../model/simulation.ts'
import { actorOf } from './actor.ts'
import type { Driver } from './actor.ts'
import { backdate } from './backdate.ts'
import { equivocate } from './equivocate.ts'
import { keepBack } from './keep-back.ts'
import { lieInSync } from './lie-in-sync.ts'
import { falsePacks } from './false-packs.ts'
import { flood } from './flood.ts'
import type { Misbehaviour } from '../model/misbehaviour.ts'
import { muteSybils } from './mute-sybils.ts'
import { replay } from './replay.ts'
import { spam } from './spam.ts'
import { withhold } from './withhold.ts'

const DRIVERS: Readonly<Record<Byzantine['kind'], Driver>> = {
  equivocate,
  'false-packs': falsePacks,
  'lie-in-sync': lieInSync,
  withhold,
  replay,
  spam,
  flood,
  'mute-sybils': muteSybils,
  backdate,
  'keep-back': keepBack
}

/**
 * Has the nodes that the scenario names misbehave from `at` to `until`, and no longer than faults last: after the heal
 * they do as they should. From now on none of them counts as honest.
 */
export function startByzantine(simulation: Simulation): void {
  const conducts = new Map<SimulatedNode, Set<Misbehaviour>>()
  for (const [index, rule] of simulation.scenario.byzantine.entries()) {
    for (const node of simulation.select(rule.nodes, `byzantine-${index}`)) {
      const active = conducts.get(node) ?? new Set()
      conducts.set(node, active)
      node.misbehave({})
      startOne(simulation, node, rule, index, active)
    }
  }
}

function startOne(
  simulation: Simulation,
  node: SimulatedNode,
  { kind, at, until, perSecond }: Byzantine,
  index: number,
  active: Set<Misbehaviour>
): void {
  const random = simulation.random.fork(`byzantine-${index}-${node.name}`)
  const { misbehaviour = {}, act } = DRIVERS[kind](actorOf(simulation, node, random))
  const endUs = Math.min(until ?? Infinity, simulation.scenario.faultsEnd)
  const turnUs = 1_000_000 / perSecond
  const about = { fault: kind, index: simulation.scenario.faults.length + index }
  let isOver = false

  const next = (): void => {
    if (isOver || act === undefined) return
    const startedUs = simulation.time.nowUs
    const waitAndGoOn = (): void => {
      simulation.time.afterUs(Math.max(1, startedUs + turnUs - simulation.time.nowUs), null, next)
    }
    act().then(waitAndGoOn, (error: unknown) => {
      simulation.fail({ check: 'defect', node: node.name, detail: `${kind}: ${detailOf(error)}` })
    })
  }
  simulation.at(at, () => {
    active.add(misbehaviour)
    node.misbehave(together(active))
    simulation.trace.record('fault', null, { ...about, nodes: [node.name] })
    next()
  })
  simulation.at(endUs, () => {
    isOver = true
    active.delete(misbehaviour)
    node.misbehave(together(active))
    simulation.trace.record('heal', null, about)
  })
}

/** Of two that change the same the later one counts. */
function together(active: ReadonlySet<Misbehaviour>): Misbehaviour {
  return Object.assign({}, ...active) as Misbehaviour
}

import type { AnchormeshNode } from '../../src/node.ts'
import type { Network } from '../../src/network/network.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { SimulatedNode, Simulation } from '../model/simulation.ts'
import { currentProcess } from '../world/simulated-process.ts'
import type { Misbehaviour } from '../model/misbehaviour.ts'

/** As long as the node itself waits. */
const OPEN_WITHIN_MS = 10_000

/** A node that does not play by the rules, as its driver sees it. */
export interface Actor {
  readonly simulation: Simulation
  readonly node: SimulatedNode
  readonly random: SeededRandom
  /** Where the workloads publish. */
  readonly namespace: string
  /** What the node's clock shows. */
  readonly nowMs: () => number
  /** Aborts when others would have lost their patience with a stream that does not open. */
  readonly patience: () => AbortSignal
  /**
   * Runs `deed` as a part of the node's process, with its port to the mesh. That the process ends meanwhile, or that the
   * node refuses, is nothing to tell.
   */
  readonly perform: (deed: (mesh: Network, node: AnchormeshNode) => Promise<void>) => Promise<void>
}

/** What a kind of Byzantine node does: all the time at its port to the mesh, and by itself now and then. */
export interface Conduct {
  readonly misbehaviour?: Misbehaviour
  /** Done `perSecond` times a second, one after the other. */
  readonly act?: () => Promise<void>
}

/** How a kind of Byzantine node comes to what it does. */
export type Driver = (actor: Actor) => Conduct

export function actorOf(simulation: Simulation, node: SimulatedNode, random: SeededRandom): Actor {
  const [namespace = ''] = simulation.scenario.namespaces
  return {
    simulation,
    node,
    random,
    namespace,
    nowMs: () => Math.floor(simulation.time.shownMs()),
    patience() {
      const controller = new AbortController()
      const reason = new Error('the stream does not open')
      simulation.time.afterMs(OPEN_WITHIN_MS, currentProcess(), () => controller.abort(reason))
      return controller.signal
    },
    async perform(deed) {
      const { node: process } = node
      if (process === null || node.state !== 'running') return
      try {
        await node.ask(async (running) => {
          if (node.network !== null) await deed(node.network, running)
        })
      } catch (error) {
        const hasEnded = node.node !== process || node.state !== 'running'
        if (!hasEnded && !(error instanceof AnchormeshError)) throw error
      }
    }
  }
}

/** One of a list that has some; `undefined` of an empty one. */
export function oneOf<Item>(items: readonly Item[], random: SeededRandom): Item | undefined {
  return items[random.below(items.length)]
}

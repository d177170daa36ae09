import type { SeededRandom } from '../../simulations/ports/seeded-random.ts'
import { hostMakerOf } from '../../simulations/network/create-host.ts'
import { SimulatedNet } from '../../simulations/network/simulated-net.ts'
import { dialsOf } from '../../simulations/network/topology.ts'
import { castOf } from '../../simulations/nodes/cast.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { scenarioSchema } from '../../simulations/scenario/schema.ts'
import type { Scenario } from '../../simulations/scenario/schema.ts'
import { world } from '../../simulations/world/world.ts'

/** What a process of this bench measures. */
export interface Measure {
  readonly stack: 'node' | 'bare'
  readonly level: Scenario['level']
  readonly nodes: number
  /** Whether nodes ask each other for the receipts of batches. */
  readonly bundles: boolean
  /** Virtual seconds: without any event, with events that nobody measures, and with events. */
  readonly idleSeconds: number
  readonly warmUpSeconds: number
  readonly loadSeconds: number
  /** Where whole nodes leave what they publish, and bare ones find it. */
  readonly messages: string
}

/** What it has found out. */
export interface Measured {
  readonly startCpuMs: number
  readonly idlePerCpu: number
  readonly loadPerCpu: number
  /** Gossip's, while events were measured. */
  readonly deliveries: number
  readonly duplicates: number
  readonly heapBytesPerNode: number
  readonly peakRssBytes: number
}

/** One message, as gossip was given it. */
export interface Message {
  /** Virtual microseconds since the first event was due. */
  readonly afterUs: number
  readonly node: number
  readonly topic: string
  readonly base64: string
}

/** A mesh of either kind. */
export interface Stack {
  start(): Promise<void>
  /** Whether everybody has all its connections. */
  stands(): boolean
  gossip(): { readonly delivered: number; readonly duplicates: number }
  /** Has events happen, two a second from now on. */
  load(seconds: number): void
}

/** Virtual events a second. */
export const PER_SECOND = 2

/** What both kinds of mesh stand on: links and who dials whom are the same. */
export async function groundOf({ level, nodes, bundles }: Measure): Promise<{
  readonly scenario: Scenario
  readonly cast: Awaited<ReturnType<typeof castOf>>
  readonly dials: ReturnType<typeof dialsOf>
  readonly net: SimulatedNet<unknown>
  readonly createHost: ReturnType<typeof hostMakerOf>
  readonly random: SeededRandom
}> {
  const scenario = scenarioSchema.parse({
    v: 1,
    name: 'bench',
    asks: 'What does a virtual second cost?',
    level,
    nodes,
    ablate: { bundles: !bundles },
    faultsEnd: '1s',
    convergeWithin: '1s'
  })
  const random = seededRandom('bench')
  const cast = await castOf(scenario, 'bench')
  const dials = dialsOf({ kind: 'random', degree: 8 }, [...cast.keys()], random.fork('topology'))
  const { link } = scenario
  const net = new SimulatedNet<unknown>({
    time: world.time,
    random: random.fork('network'),
    rule: () => link,
    onSent: () => {}
  })
  return { scenario, cast, dials, net, createHost: hostMakerOf(scenario), random }
}

/** How many neighbours each node has. */
export function degreesOf(dials: readonly (readonly number[])[]): readonly number[] {
  return dials.map(
    (dialled, node) =>
      new Set([...dialled, ...dials.flatMap((others, from) => (others.includes(node) ? [from] : []))]).size
  )
}

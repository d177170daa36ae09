import type { Logger } from '../../src/platform/logger.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { ScriptedChains } from '../chains/scripted-chains.ts'
import { SimulatedDisk } from '../disk/simulated-disk.ts'
import { TextPool } from '../disk/text-pool.ts'
import type { SimulatedNet } from '../network/simulated-net.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import { writtenWinners } from '../results/written-winners.ts'
import type { Trace } from '../model/simulation.ts'
import type { Scenario } from '../scenario/schema.ts'
import { MachineClock } from '../world/machine-clock.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import type { CastMember } from './cast.ts'
import { Roster } from './roster.ts'
import { ownSignatures, sharedSignatures } from './shared-signatures.ts'
import { SimulatedMachine } from './simulated-machine.ts'
import type { CreateHost } from './simulated-machine.ts'

export interface SimulatedNodesOptions {
  readonly scenario: Pick<
    Scenario,
    'namespaces' | 'chains' | 'node' | 'disk' | 'clocks' | 'ablate' | 'sharedSignatures' | 'quorum'
  >
  readonly time: VirtualTime
  /** Of the nodes alone. */
  readonly random: SeededRandom
  readonly net: SimulatedNet<unknown>
  readonly chains: ScriptedChains
  readonly trace: Trace
  readonly createHost: CreateHost
  /** The numbers of the nodes that a node can dial, by its own. */
  readonly dials: readonly (readonly number[])[]
  /** Of whom the scenario's quorum is. */
  readonly quorumOf: readonly CastMember[]
  /** Those that the others have not been told of at the start. */
  readonly strangers: readonly CastMember[]
  /** How long a synced write takes: milliseconds. */
  readonly syncMs: (random: SeededRandom) => number
  /** A node threw what nobody caught. It has ended with that. */
  readonly onDefect: (node: string, error: unknown) => void
  readonly logger?: (node: string) => Logger
}

/** The machines of a run; none of them is on. */
export function createSimulatedNodes(
  cast: readonly CastMember[],
  options: SimulatedNodesOptions
): readonly SimulatedMachine[] {
  const { scenario, time, random, net, trace, dials, strangers, quorumOf, syncMs } = options
  const pool = new TextPool()
  const signatureVerifiers = scenario.sharedSignatures ? sharedSignatures() : ownSignatures
  const { logger = () => silentLogger } = options
  const quorum = scenario.quorum === undefined ? undefined : { k: scenario.quorum.k, of: quorumOf }
  const everybody = new Roster(cast, { ...scenario, quorum })
  const known = new Roster(
    cast.filter((member) => !strangers.includes(member)),
    { ...scenario, quorum }
  )
  const dialledBy = new Map<number, Set<number>>(cast.map(({ index }) => [index, new Set()]))
  for (const [from, tos] of dials.entries()) for (const to of tos) dialledBy.get(to)?.add(from)
  return cast.map((member) => {
    const { index, name, address } = member
    const own = random.fork(name)
    const dialled = new Set(dials[index])
    const near = [...new Set([...dialled, ...(dialledBy.get(index) ?? [])])].sort((left, right) => left - right)
    return new SimulatedMachine(
      { ...options, signatureVerifiers, logger: logger(name) },
      {
        member,
        host: net.host(address),
        disk: new SimulatedDisk({
          time,
          random: own.fork('disk'),
          syncMs,
          torn: scenario.disk.torn,
          pool,
          onSafe: (id) => trace.record('accept', name, { id }),
          onWritten: (operations) => {
            for (const winner of writtenWinners(operations)) trace.record('winner', name, winner)
          }
        }),
        clock: new MachineClock(time.nowUs, clockErrorOf(scenario.clocks, own.fork('clock'))),
        neighbours: near.flatMap((to) => {
          const other = cast[to]
          return other === undefined || other === member ? [] : [{ member: other, isDialled: dialled.has(to) }]
        }),
        roster: strangers.includes(member) ? everybody : known,
        random: own
      }
    )
  })
}

/** From the bound below true time to that above it. */
function clockErrorOf(
  { skewMs, driftPpm }: Scenario['clocks'],
  random: SeededRandom
): { readonly skewMs: number; readonly driftPpm: number } {
  const drawn = (bound: number): number => bound * (2 * random.fraction() - 1)
  return { skewMs: Math.round(drawn(skewMs)), driftPpm: drawn(driftPpm) }
}

import { memoryCheckpoint } from '../../../src/log/checkpoint-file.ts'
import type { CheckpointKeeper } from '../../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../../src/log/level-store.ts'
import type { Store } from '../../../src/log/store.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { createLedger } from '../../../simulations/run/ledger.ts'
import { selectionsOf } from '../../../simulations/run/selections.ts'
import type { Check, Failure, SimulatedNode, Simulation, TraceKind } from '../../../simulations/model/simulation.ts'
import { scenarioSchema } from '../../../simulations/scenario/schema.ts'
import type { ScenarioFile } from '../../../simulations/scenario/schema.ts'
import { openNode } from '../../node/nodes.ts'
import type { MemoryNode } from '../../node/nodes.ts'
import type { TestMember } from '../../support/identities.ts'
import { member, NAMESPACE } from '../../support/identities.ts'

/** A node of a fake simulation: a real one without a mesh, whose disk can be read beside it. */
export interface FakeNode {
  readonly member: TestMember
  readonly opened: MemoryNode
  readonly store: Store
  /** What a check sees; to be changed at will. */
  readonly seen: { -readonly [Field in keyof SimulatedNode]: SimulatedNode[Field] }
}

/** A simulation of which nothing moves but what a test does. */
export interface FakeSimulation {
  readonly simulation: Simulation
  readonly nodes: readonly FakeNode[]
  readonly failures: Failure[]
  readonly traced: TraceKind[]
  /** Virtual microseconds since the start. */
  nowUs: number
  /** What a check finds in one of its looks. */
  look(check: Check, when: 'onSample' | 'onFold' | 'onEnd'): Promise<readonly string[]>
}

export const MEMBERS = ['anna', 'ben', 'cleo'].map((name) => member(name))

const SCENARIO: ScenarioFile = {
  v: 1,
  name: 'fake',
  asks: 'Does a check see what it is for?',
  nodes: MEMBERS.length,
  namespaces: [NAMESPACE],
  faultsEnd: '10s',
  convergeWithin: '10s'
}

/** Three nodes that do not know of each other. */
export async function fakeSimulation(scenario: Partial<ScenarioFile> = {}): Promise<FakeSimulation> {
  const nodes: FakeNode[] = []
  for (const [index, self] of MEMBERS.entries()) nodes.push(await fakeNode(index, self))
  const failures: Failure[] = []
  const traced: TraceKind[] = []
  const fake = { nowUs: 0 }
  const parts = {
    scenario: scenarioSchema.parse({ ...SCENARIO, ...scenario }),
    seed: 'fake',
    select: selectionsOf(
      nodes.map(({ seen }) => seen),
      seededRandom('fake')
    ),
    startedUs: 0,
    random: seededRandom('fake'),
    nodes: nodes.map(({ seen }) => seen),
    time: {
      get nowUs() {
        return fake.nowUs
      }
    },
    trace: { record: (kind: TraceKind) => void traced.push(kind) },
    ledger: createLedger(
      () => fake.nowUs,
      () => {}
    ),
    fail: (failure: Failure) => void failures.push(failure)
  }
  const simulation = parts as unknown as Simulation
  return Object.assign(fake, {
    simulation,
    nodes,
    failures,
    traced,
    async look(check: Check, when: 'onSample' | 'onFold' | 'onEnd') {
      const before = failures.length
      await check[when]?.(simulation)
      return failures.slice(before).map(({ node, detail }) => `${node ?? 'all'}: ${detail}`)
    }
  })
}

async function fakeNode(index: number, self: TestMember): Promise<FakeNode> {
  const store = await openMemoryStore()
  const checkpoint: CheckpointKeeper = memoryCheckpoint()
  const opened = await openNode(self, MEMBERS, { ports: { store, checkpoint } })
  const seen = {
    index,
    name: `n${index}`,
    orgId: self.orgId,
    signer: self.signer,
    state: 'running',
    node: opened.node,
    isHonest: true,
    rejected: [],
    disk: { stored: store, checkpoint },
    ask: async (use: (node: MemoryNode['node']) => Promise<unknown>) => await use(opened.node)
  }
  return { member: self, opened, store, seen: seen as unknown as FakeNode['seen'] }
}

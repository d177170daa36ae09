import { createHash } from 'node:crypto'
import { plaintext } from '@libp2p/plaintext'
import { createLibp2pNode } from '../../../src/network/libp2p/libp2p-node.ts'
import { createScriptedChains } from '../../../simulations/chains/create-chains.ts'
import { simulatedTransport } from '../../../simulations/network/full-transport.ts'
import type { SimulatedHost } from '../../../simulations/network/simulated-host.ts'
import { SimulatedNet } from '../../../simulations/network/simulated-net.ts'
import { castOf } from '../../../simulations/nodes/cast.ts'
import { watchDefects } from '../../../simulations/nodes/defects.ts'
import { governanceOf } from '../../../simulations/nodes/governance.ts'
import type { SimulatedMachine } from '../../../simulations/nodes/simulated-machine.ts'
import { createSimulatedNodes } from '../../../simulations/nodes/simulated-nodes.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { runTask } from '../../../simulations/run/clockwork.ts'
import { scenarioSchema } from '../../../simulations/scenario/schema.ts'
import type { ScenarioFile } from '../../../simulations/scenario/schema.ts'
import { forbidRealTime } from '../../../simulations/world/forbid.ts'
import { world } from '../../../simulations/world/world.ts'

/** What a story is told with. */
export interface Stage {
  readonly nodes: readonly SimulatedMachine[]
  readonly governance: ReturnType<typeof governanceOf>
  /** Lets so many virtual seconds pass. */
  readonly pass: (seconds: number) => Promise<void>
  /** Waits for what takes virtual time. */
  readonly until: <Result>(task: () => Promise<Result>) => Promise<Result>
  /** Has the node announce a batch; the event's id. */
  readonly announce: (node: number, batchId: string) => Promise<string>
  /** How many of the events each node holds; `null` of one that is off. */
  readonly holdings: (ids: readonly string[]) => Promise<(number | null)[]>
  readonly kinds: Readonly<Record<string, number>>
  readonly defects: readonly string[]
}

export interface Told {
  readonly answer: unknown
  readonly kinds: Readonly<Record<string, number>>
  readonly defects: readonly string[]
  /** SHA-256 over all that was traced and sent. */
  readonly hash: string
}

/** Nodes of which each can dial each, told a story; prints what came of it. Runs in a process of its own. */
export async function tell(
  file: Partial<ScenarioFile> & { readonly nodes: number },
  options: { readonly strangers?: readonly number[]; readonly late?: readonly number[] },
  story: (stage: Stage) => Promise<unknown>
): Promise<void> {
  const [seed = '1'] = process.argv.slice(2)
  const scenario = scenarioSchema.parse({
    v: 1,
    name: 'story',
    asks: 'What came of it?',
    faultsEnd: '1s',
    convergeWithin: '1s',
    ...file
  })
  const { time } = world
  const random = seededRandom(seed)
  const hash = createHash('sha256')
  const kinds: Record<string, number> = {}
  const defects: string[] = []
  const net = new SimulatedNet<unknown>({
    time,
    random: random.fork('net'),
    rule: () => scenario.link,
    onSent: (from, to, bytes) => void hash.update(`${time.nowUs} ${from} ${to} ${bytes}\n`)
  })
  const cast = await castOf(scenario, seed)
  forbidRealTime()
  const all = cast.map(({ index }) => index)
  const nodes = createSimulatedNodes(cast, {
    scenario,
    time,
    random: random.fork('nodes'),
    net,
    chains: createScriptedChains(scenario.chains, { time, random: random.fork('chains') }),
    trace: {
      record(kind, node, fields) {
        kinds[kind] = (kinds[kind] ?? 0) + 1
        hash.update(`${time.nowUs} ${kind} ${node} ${JSON.stringify(fields)}\n`)
      }
    },
    createHost: (parts, { host }) =>
      createLibp2pNode(parts, {
        transports: [simulatedTransport(host as SimulatedHost<Uint8Array>)],
        connectionEncrypters: [plaintext()]
      }),
    dials: all.map((index) => all.filter((other) => other !== index)),
    quorumOf: [],
    strangers: cast.filter(({ index }) => options.strangers?.includes(index)),
    syncMs: (drawn) => 1 + 4 * drawn.fraction(),
    onDefect: (node, error) => void defects.push(`${node}: ${error instanceof Error ? error.message : String(error)}`)
  })
  watchDefects((error) => void defects.push(String(error)))
  const until: Stage['until'] = (task) => runTask(time, 'a step of the story', 600_000_000, task)
  await until(async () => {
    await Promise.all(nodes.filter(({ index }) => options.late?.includes(index) !== true).map((node) => node.boot()))
  })
  const stage: Stage = {
    nodes,
    governance: governanceOf(nodes, cast),
    pass: (seconds) => time.runUntil(time.nowUs + seconds * 1_000_000),
    until,
    announce: (index, batchId) =>
      until(async () => {
        const { id } = await (nodes[index] as SimulatedMachine).ask(async (node) => {
          await node.seal({ namespace: 'sim:main', batchId, receipts: [{ batchId }] })
          return await node.announce({ namespace: 'sim:main', batchId, timestampAnchors: [] })
        })
        return id
      }),
    holdings: (ids) =>
      until(() =>
        Promise.all(
          nodes.map(async (node) => {
            if (node.state !== 'running') return null
            const held = await Promise.all(ids.map((id) => node.ask((running) => running.event(id))))
            return held.filter((event) => event !== null).length
          })
        )
      ),
    kinds,
    defects
  }
  // What is thrown from here on would only be one more defect.
  const answer = await story(stage).catch((error: unknown) => (error instanceof Error ? error.stack : String(error)))
  const told: Told = { answer, kinds, defects, hash: hash.digest('hex') }
  process.stdout.write(JSON.stringify(told))
  process.exit(0)
}

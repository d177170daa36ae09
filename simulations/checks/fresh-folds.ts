import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { LogReader } from '../../src/log/log-reader.ts'
import { openLog } from '../../src/log/open-log.ts'
import { prefixRange } from '../../src/log/store.ts'
import type { Store, StoreReader, WriteOperation } from '../../src/log/store.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { ProjectionEngine } from '../../src/projections/engine.ts'
import { generationPrefix } from '../../src/projections/keys.ts'
import { readState } from '../../src/projections/state.ts'
import { seededRandom } from '../ports/seeded-random.ts'
import type { Check, SimulatedNode, Simulation } from '../model/simulation.ts'
import { honestNodes, runningNodes, storeOn } from './held.ts'

const NAME = 'projections-equal-fresh-fold'

/**
 * Folded at one fold point, some 10 s of a core: of more, as many nodes as have no more together, at least one. In the
 * end all are.
 */
const RECORDS_MAX = 200_000

/** Copied at a time. */
const CHUNK_ENTRIES = 1_000

/**
 * Whoever folds a node's log from the beginning gets, byte by byte, what stands on the node's disk. Where folding is
 * behind the log nothing is compared, but in the end it must not be.
 */
export function projectionsEqualFreshFold(recordsMax: number = RECORDS_MAX): Check {
  // So that all have their turn where not all can.
  let turn = 0
  let compared = new Set<SimulatedNode>()
  const compare = async (simulation: Simulation, node: SimulatedNode): Promise<number> => {
    compared.add(node)
    if ((await storeOn(node)) === null) return 0
    const { head, problem } = await compareWithFreshFold(node.disk.stored)
    if (problem !== null) simulation.fail({ check: NAME, node: node.name, detail: problem })
    return head
  }
  return {
    name: NAME,
    async onFold(simulation) {
      const nodes = honestNodes(simulation)
      compared = new Set()
      let records = 0
      for (let tried = 0; tried < nodes.length && records < recordsMax; tried += 1) {
        records += await compare(simulation, nodes[turn % nodes.length] as SimulatedNode)
        turn += 1
      }
    },
    async onEnd(simulation) {
      // The fold at the end has just had its share of them.
      for (const node of honestNodes(simulation)) if (!compared.has(node)) await compare(simulation, node)
      for (const node of runningNodes(simulation)) {
        const { head, behind } = await cursorsOf(node.disk.stored)
        const detail = `${behind.join(', ')} did not reach position ${head}`
        if (behind.length > 0) simulation.fail({ check: NAME, node: node.name, detail })
      }
    }
  }
}

/** What differs between the projections that a store holds and those of its log; `null`: nothing. */
async function compareWithFreshFold(
  stored: Pick<Store, 'snapshot'>
): Promise<{ readonly head: number; readonly problem: string | null }> {
  const snapshot = await stored.snapshot()
  try {
    const { head, behind } = await cursorsOf(snapshot)
    return { head, problem: behind.length > 0 ? null : await firstDifference(snapshot, head) }
  } finally {
    await snapshot.close()
  }
}

/** The end of the log, and which projections have not come there. */
async function cursorsOf(
  reader: Pick<StoreReader, 'get' | 'getMany' | 'range'>
): Promise<{ readonly head: number; readonly behind: readonly string[] }> {
  const { logSeq: head } = await new LogReader(reader).readHead()
  const behind: string[] = []
  for (const projection of PROJECTIONS)
    if ((await readState(reader, projection)).cursor < head) behind.push(projection.name)
  return { head, behind }
}

async function firstDifference(stored: StoreReader, head: number): Promise<string | null> {
  const store = await openMemoryStore()
  await copyLog(stored, store)
  const log = await openLog({
    store,
    checkpoint: memoryCheckpoint(),
    clock: STANDING_CLOCK,
    random: seededRandom(NAME),
    logger: silentLogger
  })
  const engine = await ProjectionEngine.start(PROJECTIONS, { log, store, clock: STANDING_CLOCK, logger: silentLogger })
  try {
    await engine.reached(head, null)
    for (const { name } of PROJECTIONS) {
      const different = await differenceIn(name, stored, store)
      if (different !== null) return `${name} at ${head}: ${different}`
    }
    return null
  } finally {
    await engine.close()
    await log.close()
    await store.close()
  }
}

/** All but the projections, whose keys begin with `v!` and `w!`. */
async function copyLog(from: StoreReader, to: Store): Promise<void> {
  let operations: WriteOperation[] = []
  const flush = async (): Promise<void> => {
    await to.write(operations, { sync: false })
    operations = []
  }
  for (const range of [{ lt: 'v!' }, { gte: 'x!' }]) {
    for await (const [key, value] of from.range(range)) {
      operations.push({ type: 'put', key, value })
      if (operations.length === CHUNK_ENTRIES) await flush()
    }
  }
  await flush()
}

async function differenceIn(name: string, stored: StoreReader, fresh: StoreReader): Promise<string | null> {
  const ours = await contentOf(name, stored)
  for (const [key, expected] of await contentOf(name, fresh)) {
    const found = ours.get(key)
    if (found === undefined) return `${key} is missing`
    if (found !== expected) return `${key} is ${found}, folded afresh ${expected}`
    ours.delete(key)
  }
  const [surplus] = ours.keys()
  return surplus === undefined ? null : `${surplus} is too much`
}

/** Rows and facts of the generation in use. */
async function contentOf(name: string, reader: StoreReader): Promise<Map<string, string>> {
  const projection = PROJECTIONS.find((one) => one.name === name)
  if (projection === undefined) throw new Error(`there is no projection ${name}`)
  const prefix = generationPrefix(name, (await readState(reader, projection)).generation)
  const content = new Map<string, string>()
  for await (const [key, value] of reader.range(prefixRange(prefix)))
    content.set(key.slice(prefix.length), Buffer.from(value).toString('utf8'))
  return content
}

/** Of a fold that takes no time. What waits for time to pass waits for ever: folding a log that stands waits for nothing. */
const STANDING_CLOCK: Clock = {
  now: () => 0,
  monotonicMs: () => 0,
  after: () => () => {},
  sleep: () => new Promise(() => {})
}

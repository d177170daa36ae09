import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect } from 'vitest'
import type { AnchormeshNode } from '../../src/node.ts'
import type { SeededRandom } from '../../simulations/ports/seeded-random.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folders.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { openKilled, SIGNERS, startSurvivor } from './kill-nodes.ts'

/** What each side has at first that the other lacks. */
const EVENTS_FIRST = 1_200
/** Where less than this is left to go one way, there is more to go. */
const LEFT_LEAST = 200
const EVENTS_MORE = 300
/** One kill comes after so many events have moved, at most, and a little later… */
const MOVED_MAX = 200
const DELAY_MS_MAX = 12
/** …the next within the write of this number, at most, since the node began to join the mesh: it receives… */
const WRITES_MAX = 4
/** …and one at a moment between the start, the connection, the session and its end. */
const TIME_MS_MAX = 800
/**
 * A session with the connection that was killed ends by itself after half a minute, and what it left undone comes with
 * another one: this only ends a hang.
 */
const LAST_SESSION_MS = 180_000
/** One event in so many follows its chain's last but one event: a fork. */
const FORK_EVERY = 97

type Survivor = Awaited<ReturnType<typeof startSurvivor>>

const running = new Set<ChildProcess>()
const nodes = new Set<AnchormeshNode>()

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  for (const node of nodes) await node.close()
  nodes.clear()
})

/**
 * Two nodes that hold thousands of events which the other lacks sync over TCP, and one of them is killed in the midst of
 * it, again and again. Each time its folder is opened afterwards: the log is whole, everything that it had logged is in
 * it, and nothing without its predecessor. At the end one more session brings both to the same digest. Gives how many of
 * the kills came before all was moved.
 */
export async function killWhileSyncing(kills: number, random: SeededRandom): Promise<number> {
  const folder = temporaryFolder()
  const survivor = await startSurvivor()
  nodes.add(survivor.node)
  const [forKilled, forSurvivor] = [eventsOf(SIGNERS.killed), eventsOf(SIGNERS.survivor)]
  const killedLog = new WatchedLog()
  let all = 0
  const addToKilled = async (node: AnchormeshNode, count: number): Promise<void> => {
    await take(node, await forKilled(count))
    all += count
  }
  const addToSurvivor = async (count: number): Promise<void> => {
    await take(survivor.node, await forSurvivor(count))
    all += count
  }
  const survivorCount = (): Promise<number> => countOf(survivor.node)
  await inFolder(folder, async (node) => await addToKilled(node, EVENTS_FIRST))
  await addToSurvivor(EVENTS_FIRST)
  let inTheMidst = 0
  for (let kill = 1; kill <= kills; kill += 1) {
    const logged = await runAndKill(folder, survivor, momentOf(kill, random))
    await inFolder(folder, async (node) => {
      await killedLog.look(node, logged)
      const [toCome, toGo] = [all - killedLog.count, all - (await survivorCount())]
      if (toCome + toGo > 0) inTheMidst += 1
      if (toCome < LEFT_LEAST) await addToSurvivor(EVENTS_MORE)
      if (toGo < LEFT_LEAST) await addToKilled(node, EVENTS_MORE)
    })
  }
  await finish(folder, survivor, all)
  return inTheMidst
}

/** When a node is killed: so long after a number of events, or its start, or within a write of its store. */
type Moment =
  | { readonly after: 'events' | 'start'; readonly moved: number; readonly delayMs: number }
  /** Or, where there were not so many writes, after events. */
  | { readonly after: 'writes'; readonly writes: number; readonly moved: number; readonly delayMs: number }

function momentOf(kill: number, random: SeededRandom): Moment {
  if (kill % 3 === 0) return { after: 'writes', writes: 1 + random.below(WRITES_MAX), moved: LEFT_LEAST, delayMs: 0 }
  if (kill % 3 === 1) return { after: 'start', moved: 0, delayMs: random.fraction() * TIME_MS_MAX }
  return { after: 'events', moved: 1 + random.below(MOVED_MAX), delayMs: random.fraction() * DELAY_MS_MAX }
}

/** Starts the node, and ends it as a loss of power does. Gives the ids that it logged. */
async function runAndKill(folder: string, { node, port }: Survivor, moment: Moment): Promise<readonly string[]> {
  const enough = Promise.withResolvers<void>()
  let moved = 0
  const count = (): void => {
    moved += 1
    if (moved >= moment.moved) enough.resolve()
  }
  const following = new AbortController()
  const counting = countNew(node, following.signal, count)
  const child = startChild(folder, port, count, moment.after === 'writes' ? moment.writes : null)
  await Promise.race([moment.after === 'start' ? child.started : enough.promise, child.ended])
  const endMs = performance.now() + moment.delayMs
  if (moment.delayMs > DELAY_MS_MAX) await delay(moment.delayMs - DELAY_MS_MAX)
  // A timer is too coarse for a moment within a write.
  while (performance.now() < endMs) await new Promise((resolve) => setImmediate(resolve))
  const lines = await child.kill()
  following.abort()
  await counting
  return lines
}

async function countNew(node: AnchormeshNode, signal: AbortSignal, count: () => void): Promise<void> {
  const { log } = await node.status()
  try {
    for await (const _event of node.events({ follow: true, after: log.logSeq, scope: 'shared' }, signal)) count()
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** One more start, without a kill: both come to the same, all of it. */
async function finish(folder: string, { node, port }: Survivor, all: number): Promise<void> {
  const child = startChild(folder, port, () => {}, null)
  await Promise.race([child.started, child.ended])
  await untilAnswer('a session after the last start finds both sides equal', () => foundEqual(node), LAST_SESSION_MS)
  expect(await countOf(node)).toBe(all)
  await child.kill()
  const survivorLog = new WatchedLog()
  await survivorLog.look(node, [])
  await inFolder(folder, async (killed) => {
    const killedLog = new WatchedLog()
    await killedLog.look(killed, [])
    expect([killedLog.count, survivorLog.count]).toEqual([all, all])
    const [left, right] = [await killed.digest(NAMESPACE), await node.digest(NAMESPACE)]
    expect({ ...left, logSeq: 0 }).toEqual({ ...right, logSeq: 0 })
  })
}

/** Whether a session with the other side, which may not be back yet, moves nothing any more. */
async function foundEqual(node: AnchormeshNode): Promise<boolean> {
  try {
    const results = await node.sync({ namespace: NAMESPACE })
    return results.length > 0 && results.every(({ end }) => end === 'equal')
  } catch (error) {
    if (error instanceof AnchormeshError && error.code === 'PEER_UNREACHABLE') return false
    throw error
  }
}

/** How many events of the namespace a node holds. */
async function countOf(node: AnchormeshNode): Promise<number> {
  const { namespaces } = await node.status()
  return namespaces.find(({ namespace }) => namespace === NAMESPACE)?.events ?? 0
}

/** What was seen of a log that only grows. */
class WatchedLog {
  readonly #ids = new Set<string>()
  #logSeq = 0

  get count(): number {
    return this.#ids.size
  }

  /** Looks at the log after a restart: whole, no shorter, with everything in `logged`, each event after its predecessor. */
  async look(node: AnchormeshNode, logged: readonly string[]): Promise<void> {
    expect(await node.verifyLog()).toMatchObject({ ok: true, problems: [] })
    const { log } = await node.status()
    expect(log.logSeq).toBeGreaterThanOrEqual(this.#logSeq)
    const [orphans, twice]: [string[], string[]] = [[], []]
    for await (const { id, event } of node.events({ scope: 'shared', after: this.#logSeq })) {
      const prev = event['prev']
      if (typeof prev === 'string' && !this.#ids.has(prev)) orphans.push(String(id))
      if (this.#ids.has(String(id))) twice.push(String(id))
      this.#ids.add(String(id))
    }
    this.#logSeq = log.logSeq
    const lost = logged.filter((id) => !this.#ids.has(id))
    expect({ orphans, twice, lost }).toEqual({ orphans: [], twice: [], lost: [] })
  }
}

async function inFolder(folder: string, work: (node: AnchormeshNode) => Promise<void>): Promise<void> {
  const node = await openKilled(folder)
  try {
    await work(node)
  } finally {
    await node.close()
  }
}

async function take(node: AnchormeshNode, events: readonly SignedEvent[]): Promise<void> {
  async function* wires(): AsyncGenerator<Uint8Array> {
    for (const { wire } of events) yield wire
  }
  expect(await node.importEvents(wires())).toMatchObject({ accepted: events.length, refused: {} })
}

/** Makes the next events of the signers' chains, which take turns, and fork now and then. */
function eventsOf(signers: readonly TestMember[]): (count: number) => Promise<SignedEvent[]> {
  const chains = signers.map((): SignedEvent[] => [])
  let made = 0
  return async (count) => {
    const events: SignedEvent[] = []
    for (let index = 0; index < count; index += 1, made += 1) {
      const turn = made % signers.length
      const chain = chains[turn] ?? []
      const before = made % FORK_EVERY === FORK_EVERY - 1 ? chain.at(-2) : chain.at(-1)
      const event = await next(signers[turn] as TestMember, before ?? null, announceBody(`batch-${made}`))
      chain.push(event)
      events.push(event)
    }
    return events
  }
}

interface KilledProcess {
  /** It is about to join the mesh. */
  readonly started: Promise<void>
  readonly ended: Promise<unknown>
  /** Ends it at once, and gives the ids that it had logged. */
  kill(): Promise<readonly string[]>
}

/**
 * Starts the node that is to be killed; `onLogged` is called for each event that it logs. With `writes` it ends itself
 * within the write of that number.
 */
function startChild(folder: string, port: number, onLogged: () => void, writes: number | null): KilledProcess {
  const args = [folder, String(port), ...(writes === null ? [] : [String(writes)])]
  const child = spawn(process.execPath, [join(import.meta.dirname, 'kill.child.ts'), ...args])
  running.add(child)
  let text = ''
  let errors = ''
  const started = Promise.withResolvers<void>()
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
    started.resolve()
    for (const character of more) if (character === '\n') onLogged()
  })
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  const ended = once(child, 'close')
  return {
    started: started.promise,
    ended,
    async kill() {
      child.kill('SIGKILL')
      await ended
      running.delete(child)
      if (child.signalCode !== 'SIGKILL') throw new Error(`the node ended with ${child.exitCode}: ${errors}`)
      return text.split('\n').slice(1, -1)
    }
  }
}

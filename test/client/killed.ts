import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { RUN_LIMITS } from '../../src/projections/changed-runs.ts'
import type { SeededRandom } from '../../simulations/ports/seeded-random.ts'
import { temporaryFolder } from '../support/folders.ts'
import { until } from '../support/until.ts'
import { servingNode } from './serving.ts'

/** A life ends at a moment within so many milliseconds after it has handled its number of events. */
const DELAY_MS_MAX = 15

/** Starting a process takes seconds on a busy machine, and so does a disk; it only ends a hang. */
const HANG_MS = 120_000

/** An app in a process of its own, and how many events it says it has handled. */
interface App {
  handled(): number
  kill(): Promise<void>
}

function startApp(args: readonly string[]): App {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'handler.child.ts'), ...args])
  let handled = 0
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (handled += chunk.toString().split('\n').length - 1))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  child.once('close', () => resolve())
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    expect(errors).toBe('')
  }
  onTestFinished(() => void child.kill('SIGKILL'))
  return { handled: () => handled, kill }
}

/**
 * A real node takes `count` events while an app that follows it is killed `kills` times, at random moments, and started
 * again. The app has then handled each event at least once, first in the order of the log; and what it handled again each
 * time is at most the run in which it was killed (SU-10).
 */
export async function killTheApp(count: number, kills: number, random: SeededRandom): Promise<void> {
  const serving = await servingNode(count)
  const folder = temporaryFolder()
  const handledPath = join(folder, 'handled')
  const cursorPath = join(folder, 'cursor')
  const args = [serving.url, cursorPath, handledPath]
  // A snapshot shows rows in the order of their keys; from its end on, changes come in the order of the log.
  const first = startApp(args)
  await until('the app has a cursor', () => existsSync(cursorPath), HANG_MS)
  await first.kill()
  const share = Math.floor(count / kills)
  for (let kill = 0; kill < kills; kill += 1) {
    const app = startApp(args)
    // The last takes what is left.
    const end = kill === kills - 1 ? count : (kill + 1) * share
    const half = kill * share + random.below(share)
    // Some of them while the app starts or is away, some while it handles others.
    await serving.take(serving.events.slice(kill * share, half))
    const others = serving.take(serving.events.slice(half, end))
    const before = random.below(share)
    await until('the app has handled some', () => app.handled() >= before, HANG_MS)
    const killAt = performance.now() + random.fraction() * DELAY_MS_MAX
    await until('the moment of the kill', () => performance.now() >= killAt)
    await app.kill()
    await others
  }
  const last = startApp(args)
  const idAt = new Map(serving.events.map(({ id }, index) => [id, index]))
  const lives = (): Life[] => livesOf(handledPath, idAt)
  await until('all is handled', () => lives().some(({ handled }) => handled.includes(count - 1)), HANG_MS)
  await last.kill()
  requireEachInOrder(lives(), count)
}

/** What an app did from its start to its end. */
interface Life {
  /** Places of events in the log's order. */
  readonly handled: number[]
  /** How many were handled when it knew of a cursor that is kept; null where it knew of none. */
  saved: number | null
  /** How many were handled at the ends of runs. */
  readonly ends: number[]
}

function livesOf(path: string, placeOf: ReadonlyMap<string, number>): Life[] {
  const lives: Life[] = []
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === 'start') lives.push({ handled: [], saved: null, ends: [] })
    const life = lives.at(-1)
    // A kill in the midst of a write leaves half a line, whose event comes again.
    const place = placeOf.get(line)
    if (place !== undefined) life?.handled.push(place)
    if (line === 'end' && life !== undefined) life.ends.push((life.handled.at(-1) ?? -1) + 1)
    if (line === 'saved' && life !== undefined) life.saved = (life.handled.at(-1) ?? -1) + 1
  }
  return lives
}

function requireEachInOrder(lives: readonly Life[], count: number): void {
  const firsts = [...new Set(lives.flatMap(({ handled }) => handled))]
  expect(firsts).toEqual(Array.from({ length: count }, (_, place) => place))
  let [reached, saved, runFrom] = [0, 0, 0]
  for (const life of lives) {
    const [first] = life.handled
    if (first === undefined) continue
    expect(life.handled).toEqual(life.handled.map((_, offset) => first + offset))
    expect(first).toBeGreaterThanOrEqual(saved)
    expect(first).toBeLessThanOrEqual(reached)
    expect(first).toBeGreaterThanOrEqual(runFrom)
    expect(reached - first).toBeLessThanOrEqual(RUN_LIMITS.rows)
    saved = Math.max(saved, life.saved ?? 0)
    const end = first + life.handled.length
    if (end < reached) continue
    // Until the next is asked for, a cursor at the end of a run is not kept.
    runFrom = life.ends.findLast((place) => place < end) ?? first
    reached = end
  }
}

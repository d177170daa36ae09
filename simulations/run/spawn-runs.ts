import { mkdir, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { Signal } from '../../src/platform/signal.ts'
import type { LoadedScenario } from './load.ts'
import { writtenScenario } from '../scenario/written.ts'
import type { RunJob } from './jobs.ts'
import { assertSeed } from './seed.ts'
import { spawnRun } from './spawn.ts'
import type { RunEnd, RunProgress } from './spawn.ts'

export interface RunsOptions {
  /** How many processes run side by side; by default as many as there are cores. */
  readonly parallel?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (job: RunJob, progress: RunProgress) => void
}

/** A run that was to be made, and how it ended. */
export interface EndedRun {
  readonly job: RunJob
  readonly end: RunEnd
}

/** Ends the name of the folder of a run that goes on, or was broken off. */
export const UNFINISHED = '.unfinished'

/** The job of a scenario with a seed. */
export function jobOf(
  { scenario, files }: LoadedScenario,
  seed: string,
  {
    outDir = null,
    traceFrames = false,
    extensions = []
  }: Partial<Pick<RunJob, 'outDir' | 'traceFrames' | 'extensions'>> = {}
): RunJob {
  return { scenario: writtenScenario(scenario), files, seed, outDir, traceFrames, extensions }
}

/** The seeds of several runs: the first, and those after it. Throws `USAGE` unless it is a seed, and they 1 or more. */
export function seedsOf(first: string, runs: number): readonly string[] {
  assertSeed(first)
  assertCount('runs', runs)
  const number = /^(?:0|[1-9]\d{0,14})$/.test(first) ? Number(first) : null
  return Array.from({ length: runs }, (_, index) => {
    if (number !== null) return String(number + index)
    return index === 0 ? first : `${first}-${index + 1}`
  })
}

/**
 * Makes runs side by side, and yields each as it ends, whatever the order in which they were given. A run's folder is
 * there when it has ended, and whole. Throws `USAGE` at once unless `parallel` is 1 or more; later the signal's
 * reason, after the runs that have ended by then.
 */
export function spawnRuns(jobs: readonly RunJob[], options: RunsOptions = {}): AsyncGenerator<EndedRun> {
  const { parallel = availableParallelism() } = options
  assertCount('jobs', parallel)
  return endingRuns(jobs, parallel, options)
}

async function* endingRuns(
  jobs: readonly RunJob[],
  parallel: number,
  { signal, onProgress = () => {} }: RunsOptions
): AsyncGenerator<EndedRun> {
  const stopping = new AbortController()
  const stopped = signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal])
  const waiting = jobs.values()
  // Until it is yielded, and no longer: a sweep has more of them than memory.
  const ended: EndedRun[] = []
  let news = new Signal()
  const makeNext = async (): Promise<void> => {
    for (const job of waiting) {
      stopped.throwIfAborted()
      const progressed = (progress: RunProgress): void => onProgress(job, progress)
      const end = await inFolder(job, (placed) => spawnRun(placed, { signal: stopped, onProgress: progressed }))
      ended.push({ job, end })
      news.give()
    }
  }
  const making = Array.from({ length: Math.min(parallel, jobs.length) }, makeNext)
  for (const runs of making) runs.catch((error: unknown) => stopping.abort(error))
  let isOver = false
  const over = Promise.allSettled(making).then(() => {
    isOver = true
    news.give()
  })
  try {
    for (;;) {
      // What is looked at from here on is news again.
      news = new Signal()
      for (let run = ended.shift(); run !== undefined; run = ended.shift()) yield run
      if (isOver) break
      await news.given()
    }
    await Promise.all(making)
  } finally {
    stopping.abort()
    await over
  }
}

/** As `spawnRuns`, but in the order in which they were given: those that overtake others wait for them. */
export async function* spawnInTurn(jobs: readonly RunJob[], options: RunsOptions = {}): AsyncGenerator<EndedRun> {
  const ended = new Map<RunJob, EndedRun>()
  let place = 0
  for await (const run of spawnRuns(jobs, options)) {
    ended.set(run.job, run)
    for (let job = jobs[place]; job !== undefined; job = jobs[place]) {
      const next = ended.get(job)
      if (next === undefined) break
      ended.delete(job)
      place += 1
      yield next
    }
  }
}

/** Runs that have ended, in the order in which they were given. */
export function inOrder(jobs: readonly RunJob[], ended: readonly EndedRun[]): readonly EndedRun[] {
  const byJob = new Map(ended.map((run) => [run.job, run]))
  return jobs.flatMap((job) => byJob.get(job) ?? [])
}

function assertCount(option: 'runs' | 'jobs', count: unknown): void {
  if (Number.isInteger(count) && Number(count) >= 1) return
  throw new AnchormeshError('USAGE', `${option} is ${inspect(count)}, but must be a whole number from 1`, {
    hint: 'Give 1 or more, or leave it out.'
  })
}

/** Has the run write beside its folder, and puts what it wrote there when it is whole. */
async function inFolder(job: RunJob, run: (placed: RunJob) => Promise<RunEnd>): Promise<RunEnd> {
  const { outDir } = job
  if (outDir === null) return await run(job)
  const unfinished = `${outDir}${UNFINISHED}`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true })
  try {
    const end = await run({ ...job, outDir: unfinished })
    if (end.kind === 'done') {
      await rm(outDir, { recursive: true, force: true })
      await rename(unfinished, outDir)
    }
    return end
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

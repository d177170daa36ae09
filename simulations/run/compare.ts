import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RUN_FILES } from '../results/run-files.ts'
import type { RunJob } from './jobs.ts'
import { firstDifference } from './replay.ts'
import type { TraceDifference } from './replay.ts'
import { spawnRuns } from './spawn-runs.ts'
import type { RunsOptions } from './spawn-runs.ts'
import { spawnRun } from './spawn.ts'
import type { RunEnd, SpawnOptions } from './spawn.ts'

type WholeRun = Extract<RunEnd, { kind: 'done' }>

/** Whether a run comes out the same again. */
export type Comparison =
  | { readonly kind: 'same'; readonly traceHash: string; readonly end: WholeRun }
  | { readonly kind: 'different'; readonly difference: TraceDifference }
  | { readonly kind: 'broken'; readonly detail: string }

/** Makes a run twice, each time in a process of its own, and compares the traces. Both may run side by side. */
export async function runTwice(job: RunJob, options: RunsOptions = {}): Promise<Comparison> {
  return await inTemporaryFolder(async (folder) => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    const jobs = [first, second].map((outDir) => ({ ...job, outDir }))
    let last: WholeRun | null = null
    for await (const { end } of spawnRuns(jobs, options)) {
      if (end.kind === 'broken') return end
      last = end
    }
    if (last === null) throw new Error('none of two runs was made')
    return await compared(join(first, RUN_FILES.trace), join(second, RUN_FILES.trace), last)
  })
}

/** Makes the run of a trace again and compares. */
export async function compareWith(job: RunJob, tracePath: string, options: SpawnOptions = {}): Promise<Comparison> {
  return await inTemporaryFolder(async (folder) => {
    const end = await spawnRun({ ...job, outDir: folder }, options)
    if (end.kind === 'broken') return end
    return await compared(tracePath, join(folder, RUN_FILES.trace), end)
  })
}

async function compared(left: string, right: string, end: WholeRun): Promise<Comparison> {
  const difference = await firstDifference(left, right)
  return difference === null ? { kind: 'same', traceHash: end.traceHash, end } : { kind: 'different', difference }
}

async function inTemporaryFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'anchormesh-run-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

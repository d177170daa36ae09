import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RUN_FILES } from '../results/run-files.ts'
import type { RunJob } from './jobs.ts'
import { firstDifference } from './replay.ts'
import type { TraceDifference } from './replay.ts'
import { spawnInTurn } from './spawn-runs.ts'
import type { EndedRun, RunsOptions } from './spawn-runs.ts'
import { spawnRun } from './spawn.ts'
import type { RunEnd, SpawnOptions } from './spawn.ts'

type WholeRun = Extract<RunEnd, { kind: 'done' }>

/** Whether a run comes out the same again. */
export type Comparison =
  | { readonly kind: 'same'; readonly traceHash: string; readonly end: WholeRun }
  | { readonly kind: 'different'; readonly difference: TraceDifference }
  | { readonly kind: 'broken'; readonly detail: string }

/** A run that was made twice. */
export interface ComparedRun {
  readonly job: RunJob
  readonly comparison: Comparison
}

/** Makes a run twice, each time in a process of its own, and compares the traces. Both may run side by side. */
export async function runTwice(job: RunJob, options: RunsOptions = {}): Promise<Comparison> {
  for await (const { comparison } of runAllTwice([job], options)) return comparison
  throw new Error('the run was not made')
}

/** Makes each run twice, all side by side, and yields what came of it in the order in which they were given. */
export async function* runAllTwice(jobs: readonly RunJob[], options: RunsOptions = {}): AsyncGenerator<ComparedRun> {
  const folder = await newFolder()
  const pairs = jobs.map((job, place) => {
    const own = join(folder, String(place))
    return { job, own, twins: ['first', 'second'].map((name) => ({ ...job, outDir: join(own, name) })) }
  })
  const ends = spawnInTurn(
    pairs.flatMap(({ twins }) => twins),
    options
  )
  try {
    for (const { job, own } of pairs) {
      const [first, second] = [await ends.next(), await ends.next()]
      if (first.done === true || second.done === true) throw new Error('a run was not made twice')
      yield { job, comparison: await comparedRuns(first.value, second.value) }
      // Traces are long, and there may be a thousand of them.
      await rm(own, { recursive: true, force: true })
    }
  } finally {
    await ends.return(undefined)
    await rm(folder, { recursive: true, force: true })
  }
}

/** Makes the run of a trace again and compares. */
export async function compareWith(job: RunJob, tracePath: string, options: SpawnOptions = {}): Promise<Comparison> {
  const folder = await newFolder()
  try {
    const end = await spawnRun({ ...job, outDir: folder }, options)
    if (end.kind === 'broken') return end
    return await compared(tracePath, join(folder, RUN_FILES.trace), end)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Where one of them broke, that is what there is to say. */
async function comparedRuns(first: EndedRun, second: EndedRun): Promise<Comparison> {
  if (first.end.kind === 'broken') return first.end
  if (second.end.kind === 'broken') return second.end
  return await compared(traceOf(first), traceOf(second), second.end)
}

const traceOf = ({ job }: EndedRun): string => join(job.outDir ?? '', RUN_FILES.trace)

async function compared(left: string, right: string, end: WholeRun): Promise<Comparison> {
  const difference = await firstDifference(left, right)
  return difference === null ? { kind: 'same', traceHash: end.traceHash, end } : { kind: 'different', difference }
}

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'anchormesh-run-'))

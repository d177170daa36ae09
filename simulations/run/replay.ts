import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import { errnoOf } from '../../src/platform/atomic-file.ts'
import { AnchormeshError, messageOf } from '../../src/platform/errors.ts'
import type { ModuleMark } from '../results/run-record.ts'
import { scenarioSchema } from '../scenario/schema.ts'
import type { RunJob } from './jobs.ts'

/** What of a trace's first record makes the run again; `simulations/TRACE.md` has the others. */
const firstRecord = z.object({
  kind: z.literal('run'),
  scenario: scenarioSchema,
  files: z.record(z.string(), z.string()),
  seed: z.string(),
  extensions: z.array(z.object({ name: z.string(), sha256: z.string() })),
  traceFrames: z.boolean(),
  nodeVersion: z.string(),
  commit: z.string().nullable(),
  version: z.string()
})

/** A run that was traced, and the program that made it. */
export interface TracedRun {
  readonly job: Omit<RunJob, 'extensions'>
  /** Modules that took part. */
  readonly extensions: readonly ModuleMark[]
  readonly versions: { readonly nodeVersion: string; readonly commit: string | null; readonly version: string }
}

/** Where two traces first differ. `null` stands for the end of a trace. */
export interface TraceDifference {
  /** Counts from 1. */
  readonly line: number
  /** Lines that both have, just before. */
  readonly before: readonly string[]
  readonly left: string | null
  readonly right: string | null
}

const CONTEXT_LINES = 5

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  Z_DATA_ERROR: 'it is not compressed by gzip, or damaged',
  Z_BUF_ERROR: 'its end is missing, as where a copy was broken off'
}

/** What the trace says of its run. Throws `USAGE` for a file that is no trace. */
export async function readTracedRun(path: string): Promise<TracedRun> {
  for await (const line of traceLines(path)) {
    const record = firstRecord.safeParse(jsonOf(line))
    if (!record.success) break
    const { files, seed, extensions, traceFrames, nodeVersion, commit, version } = record.data
    const { scenario } = jsonOf(line) as RunJob
    const job = { scenario, files, seed, traceFrames, outDir: null }
    return { job, extensions, versions: { nodeVersion, commit, version } }
  }
  throw noTrace(path, 'its first line does not say which run it is of')
}

/** Where the traces differ first; `null`: nowhere. */
export async function firstDifference(leftPath: string, rightPath: string): Promise<TraceDifference | null> {
  const [left, right] = [traceLines(leftPath), traceLines(rightPath)]
  const before: string[] = []
  try {
    for (let line = 1; ; line += 1) {
      const [one, other] = [await left.next(), await right.next()]
      if (one.done === true && other.done === true) return null
      if (one.done !== true && other.done !== true && one.value === other.value) {
        before.push(one.value)
        if (before.length > CONTEXT_LINES) before.shift()
        continue
      }
      return {
        line,
        before,
        left: one.done === true ? null : one.value,
        right: other.done === true ? null : other.value
      }
    }
  } finally {
    await Promise.all([left.return(undefined), right.return(undefined)])
  }
}

/** The difference as people read it. */
export function differenceText(
  { line, before, left, right }: TraceDifference,
  names: readonly [string, string]
): string {
  const width = Math.max(...names.map((name) => name.length))
  const shown = (name: string, text: string | null): string => `${name.padStart(width)}  ${text ?? '(the end)'}`
  return [
    `the traces differ first in line ${line}:`,
    ...before.map((text) => shown('', text)),
    shown(names[0], left),
    shown(names[1], right)
  ].join('\n')
}

async function* traceLines(path: string): AsyncGenerator<string, undefined> {
  // Whatever goes wrong with either ends the reading of the second, which says why.
  const texts = pipeline(createReadStream(path), createGunzip(), () => {}).setEncoding('utf8')
  let rest = ''
  try {
    for await (const text of texts as AsyncIterable<string>) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch (error) {
    throw noTrace(path, UNREADABLE[errnoOf(error) ?? ''] ?? messageOf(error))
  }
  if (rest !== '') yield rest
}

/** `null` for what is no JSON: whoever reads it finds that it is no record. */
function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function noTrace(path: string, why: string): AnchormeshError {
  return new AnchormeshError('USAGE', `${path} is no trace: ${why}`, {
    hint: 'A trace is the trace.jsonl.gz of a run: anchormesh simulate SCENARIO --out DIR writes one.'
  })
}

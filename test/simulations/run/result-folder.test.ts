import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ExperimentSummary } from '../../../simulations/results/experiment.ts'
import { writeRunFiles } from '../../../simulations/results/run-files.ts'
import type { RunSummary } from '../../../simulations/results/run-summary.ts'
import { programVersion } from '../../../simulations/run/program-version.ts'
import { prepareResultFolder, runFolder, sweptRunFolder, writeReport } from '../../../simulations/run/result-folder.ts'
import type { EndedRun } from '../../../simulations/run/spawn-runs.ts'
import { jobOf } from '../../../simulations/run/spawn-runs.ts'
import { writtenScenario } from '../../../simulations/scenario/written.ts'
import { newFolder } from '../../support/cli.ts'
import { busyRun } from '../results/fake-run.ts'

const { version, commit } = await programVersion()
const { scenario } = busyRun('1').finish().record
const loaded = { scenario, files: {} }
const experiment = { kind: 'experiment', ...loaded, extensions: [] } as const
const SWEEP = { kind: 'sweep', name: 's' } as const

/** Leaves a finished run of this version there, but for what is said of it. */
function finish(folder: string, seed: string, said: Partial<RunSummary> = {}): EndedRun {
  const outDir = runFolder(folder, seed)
  mkdirSync(outDir, { recursive: true })
  const { record, trace } = busyRun(seed).finish()
  const summary = {
    ...writeRunFiles(outDir, record, trace),
    configuration: writtenScenario(scenario),
    versions: { anchormesh: version, commit, node: process.version },
    ...said
  } as RunSummary
  writeFileSync(join(outDir, 'summary.json'), JSON.stringify(summary))
  const end = { kind: 'done', traceHash: trace.hash, failures: [], summary: summaryIn(outDir) as RunSummary } as const
  return { job: jobOf(loaded, seed, { outDir }), end }
}

const summaryIn = (folder: string): unknown => JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'))
const seedsIn = (folder: string): readonly string[] => (summaryIn(folder) as ExperimentSummary).seeds

const refused = (message: string): object => ({ code: 'USAGE', message })

describe('runs that are in a folder', () => {
  test('are in the report with those that come there, in the order of their seeds', async () => {
    const folder = newFolder()
    finish(folder, '10')
    finish(folder, '9')
    await prepareResultFolder(folder, experiment)
    expect(writeReport(folder, [finish(folder, '2'), finish(folder, '9')])).toEqual({ runs: 3, before: 1 })
    expect(seedsIn(folder)).toEqual(['2', '9', '10'])
    // With the report, too; and once more, where all are of now.
    await prepareResultFolder(folder, experiment)
    const named = ['own-10', 'own-2', 'own'].map((seed) => finish(folder, seed))
    expect(writeReport(folder, named)).toEqual({ runs: 6, before: 3 })
    expect(seedsIn(folder)).toEqual(['2', '9', '10', 'own', 'own-2', 'own-10'])
    const all = seedsIn(folder).map((seed) => finish(folder, seed))
    expect(writeReport(folder, all)).toEqual({ runs: 6, before: 0 })
  })

  test('are refused where others were made otherwise: with the seeds that are there, and why', async () => {
    const otherwise: readonly (readonly [string, Partial<RunSummary>])[] = [
      ['of another scenario', { configuration: { nodes: 3 } }],
      ['of another version', { versions: { anchormesh: version, commit: 'c0ffee', node: process.version } }],
      ['with other files', { files: { 'links.csv': '00' } }],
      ['with other extensions', { extensions: [{ name: 'own.mjs', sha256: '00' }] }]
    ]
    for (const [how, said] of otherwise) {
      const folder = newFolder()
      finish(folder, '1')
      const others = Array.from({ length: 12 }, (_, place) => finish(folder, `${place + 2}`, said))
      await expect(prepareResultFolder(folder, experiment)).rejects.toMatchObject(
        refused(`${folder} holds runs ${how}: seeds 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more`)
      )
      for (const { job } of others.slice(1)) rmSync(job.outDir ?? '', { recursive: true })
      await expect(prepareResultFolder(folder, experiment)).rejects.toMatchObject(
        refused(`${folder} holds runs ${how}: seed 2`)
      )
      // One that came since is in no report with these.
      expect(writeReport(folder, [finish(folder, '3')])).toEqual({ runs: 2, before: 1 })
      expect(seedsIn(folder)).toEqual(['1', '3'])
    }
  })

  test('are none without a summary of theirs', async () => {
    const folder = newFolder()
    finish(folder, '1')
    for (const name of ['seed-1.unfinished', 'seed-2', 'seed-3'])
      mkdirSync(join(folder, 'runs', name), { recursive: true })
    writeFileSync(join(folder, 'runs', 'seed-1.unfinished', 'summary.json'), JSON.stringify({ kind: 'run', seed: '1' }))
    writeFileSync(join(folder, 'runs', 'seed-3', 'summary.json'), '{')
    await prepareResultFolder(folder, experiment)
    expect(writeReport(folder, [finish(folder, '4')])).toEqual({ runs: 2, before: 1 })
  })

  test('that broke leave the report as it is', () => {
    const folder = newFolder()
    const { job } = finish(folder, '1')
    expect(writeReport(folder, [{ job, end: { kind: 'broken', detail: 'gone' } }])).toBeNull()
  })
})

describe('a folder `runs` alone', () => {
  const POINT = 'link.loss=0.05-0123456789ab'
  const holding = (path: string, text?: string): string => {
    const folder = newFolder()
    mkdirSync(join(folder, text === undefined ? path : dirname(path)), { recursive: true })
    if (text !== undefined) writeFileSync(join(folder, path), text)
    return folder
  }

  test.each(['runs', 'runs/seed-1', 'runs/seed-1.unfinished', 'runs/seed-a.b_c-2'])(
    '%s is that of an experiment',
    async (path) => {
      await expect(prepareResultFolder(holding(path), experiment)).resolves.toBeUndefined()
    }
  )

  test.each(['runs', `runs/${POINT}`, `runs/${POINT}/seed-1`, `runs/${POINT}/seed-1.unfinished`])(
    '%s is that of a sweep',
    async (path) => {
      await expect(prepareResultFolder(holding(path), SWEEP)).resolves.toBeUndefined()
    }
  )

  test.each([
    ['runs/morning', undefined],
    ['runs/seed-', undefined],
    ['runs/seed-1', 'a file'],
    ['runs/notes.txt', 'mine'],
    [`runs/${POINT}/seed-1`, undefined]
  ])('%s is not', async (path, text) => {
    const folder = holding(path, text)
    const message = `${folder} holds something else than runs of a scenario`
    await expect(prepareResultFolder(folder, experiment)).rejects.toMatchObject(refused(message))
  })

  test.each([
    ['runs/seed-1', undefined],
    [`runs/${POINT}`, 'a file'],
    [`runs/${POINT}/notes`, undefined],
    // By its name it could be a point.
    ['runs/seed-0123456789ab/trace.jsonl.gz', 'of a run']
  ])('%s is none of a sweep', async (path, text) => {
    const folder = holding(path, text)
    const message = `${folder} holds something else than runs of a sweep`
    await expect(prepareResultFolder(folder, SWEEP)).rejects.toMatchObject(refused(message))
  })

  test('has the names that runs are given', () => {
    expect(runFolder('x', '1')).toBe(join('x', 'runs', 'seed-1'))
    expect(sweptRunFolder('x', POINT, '1')).toBe(join('x', 'runs', POINT, 'seed-1'))
  })
})

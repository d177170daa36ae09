import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { newFolder, run, runFailing, runJsonLines } from '../../support/cli.ts'
import {
  ANOTHER_EACH_TIME,
  NO_PAUSES,
  ONE_BATCH,
  TINY,
  among,
  containing,
  filesBelow,
  firstWaitsForOthers,
  having,
  matching,
  written
} from './tiny.ts'

interface Row {
  readonly seed: string
  readonly outcome: string
  readonly traceHash: string
  readonly failures: readonly { readonly check: string }[]
  readonly figures: Readonly<Record<string, number>>
}

describe('anchormesh simulate', () => {
  test('makes the same files for the same scenario and seeds, one run after the other or side by side', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const [one, other] = [join(folder, 'one'), join(folder, 'other')]
    const told = await run(['simulate', scenario, '--runs', '2', '--jobs', '1', '--out', one])
    expect(told).toMatchObject({ code: 0, stdout: matching(/^1 +passed[^]*^2 +passed/m) })
    expect(told.stderr).toContain(`The report is ${join(one, 'report.html')}.`)
    await run(['simulate', scenario, '--runs', '2', '--jobs', '2', '--out', other])
    const files = filesBelow(one)
    expect(Object.keys(files)).toEqual(
      among([
        'metrics.csv',
        'plots/convergence.svg',
        'protocols.csv',
        'report.html',
        'runs/seed-1/metrics.csv',
        'runs/seed-1/protocols.csv',
        'runs/seed-1/summary.json',
        'runs/seed-1/trace.jsonl.gz',
        'runs/seed-2/trace.jsonl.gz',
        'summary.json'
      ])
    )
    expect(files['runs/seed-1/trace.jsonl.gz']).not.toBe(files['runs/seed-2/trace.jsonl.gz'])
    expect(filesBelow(other)).toEqual(files)

    // Once more into the same folder is the same again; another scenario does not belong there.
    const again = await run(['simulate', scenario, '--runs', '2', '--out', one])
    expect(again.code).toBe(0)
    expect(filesBelow(one)).toEqual(files)
    const { error, exitCode } = await runFailing(['simulate', scenario, '--set', 'link.loss=0.1', '--out', one])
    expect({ exitCode, code: error.code }).toEqual({ exitCode: 2, code: 'USAGE' })
    expect(error.message).toContain('holds results of another experiment')
    expect(filesBelow(one)).toEqual(files)
  })

  test('adds runs to those that are in the folder, and refuses where those were made otherwise', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const out = join(folder, 'out')
    const args = ['simulate', scenario, '--out', out]
    await run([...args, '--runs', '2'])
    const files = filesBelow(out)
    const second = await run([...args, '--seed', '2'])
    expect(second).toMatchObject({
      code: 0,
      stderr: containing('report.html: of 2 runs, 1 of which was there before.')
    })
    expect(filesBelow(out)).toEqual(files)

    const extension = written(folder, 'no-pauses.mjs', NO_PAUSES)
    const { error, exitCode } = await runFailing([...args, '--seed', '3', '--extension', extension])
    expect(exitCode).toBe(2)
    expect(error).toMatchObject({
      code: 'USAGE',
      message: `${out} holds runs with other extensions: seeds 1, 2`,
      hint: 'Choose another folder for these results.'
    })
    expect(filesBelow(out)).toEqual(files)
  })

  test('writes nothing where something else lies', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const { error } = await runFailing(['simulate', scenario, '--out', folder])
    expect(error).toMatchObject({ code: 'USAGE', message: containing('holds something else') })
    const file = await runFailing(['simulate', scenario, '--out', scenario])
    expect(file.error).toMatchObject({ code: 'USAGE', message: containing('is no folder') })
    const below = await runFailing(['simulate', scenario, '--out', join(scenario, 'out')])
    expect(below.error).toMatchObject({ code: 'USAGE', message: containing('is no folder') })
    expect(Object.keys(filesBelow(folder))).toEqual(['tiny.yaml'])
    mkdirSync(join(folder, 'mine', 'runs', 'of-the-morning'), { recursive: true })
    const own = await runFailing(['simulate', scenario, '--out', join(folder, 'mine')])
    expect(own.error).toMatchObject({ code: 'USAGE', message: containing('holds something else than runs') })
    // An empty folder, and one in which a run was interrupted, are as good as none.
    const out = join(folder, 'out')
    mkdirSync(join(out, 'runs', 'seed-1.unfinished'), { recursive: true })
    expect(await run(['simulate', scenario, '--out', out])).toMatchObject({ code: 0 })
    expect(existsSync(join(out, 'runs', 'seed-1.unfinished'))).toBe(false)
  })

  test('shows what failed, ends with 1 and says how to see it again', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const extension = written(folder, 'no pauses.mjs', NO_PAUSES)
    const args = ['simulate', scenario, '--seed', 'seven', '--set', 'link.loss=0', '--extension', extension]
    const { code, stdout } = await run(args)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^seven +FAILED/m)
    expect(stdout).toMatch(/no-pauses on n1 at \d+(\.\d+)? s: it was paused/)
    expect(stdout).toContain(
      `anchormesh simulate ${scenario} --seed seven --set link.loss=0 --extension '${extension}' --out DIR`
    )
    const rows = (await run([...args, '--json'])).stdout.trim().split('\n')
    expect(rows.map((row) => JSON.parse(row) as Row)).toEqual([
      having({
        seed: 'seven',
        outcome: 'FAILED',
        failures: [having({ check: 'no-pauses', node: 'n1' })]
      })
    ])
  })

  test('runs a mesh as it was measured, under a workload of one’s own', async () => {
    const folder = newFolder()
    written(folder, 'links.csv', '\uFEFFfrom,to\r\n0,1\r\n1,2\r\n')
    written(folder, 'latency.csv', 'from,to,latency_ms\n0,1,200\n1,2,300\n')
    const text = TINY.replace('kind: full', 'kind: file, path: links.csv').replace(
      '{ kind: announce, perSecond: 2, until: 3s }',
      '{ kind: own, name: one-batch, options: { at: 3 } }'
    )
    const scenario = written(folder, 'measured.yaml', `${text}linkMatrix: latency.csv\n`)
    const extension = written(folder, 'one-batch.mjs', ONE_BATCH)
    const out = join(folder, 'out')
    const [row] = await runJsonLines<Row>(['simulate', scenario, '--extension', extension, '--out', out])
    expect(row).toMatchObject({ outcome: 'passed', figures: { events_accepted: 3, delivery_ratio: 1 } })
    // 200 ms to node 1, and another 300 to node 2, which node 0 has no link with.
    expect(row?.figures['coverage_p50_s']).toBeGreaterThan(0.5)
    expect(row?.figures['coverage_p50_s']).toBeLessThan(0.6)
    const trace = join(out, 'runs', 'seed-1', 'trace.jsonl.gz')
    const replayed = await run(['simulate', 'replay', trace, '--extension', extension])
    expect(replayed).toMatchObject({ code: 0, stdout: containing('the same trace') })
  })

  test('changes what options say, and has frames in the trace where it is asked to', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const out = join(folder, 'out')
    const args = ['simulate', scenario, '--nodes', '4', '--level', 'full', '--set', 'encryption=plaintext']
    const [row] = await runJsonLines<Row>([...args, '--trace-frames', '--out', out])
    const trace = gunzipSync(readFileSync(join(out, 'runs', 'seed-1', 'trace.jsonl.gz'))).toString('utf8')
    const records = trace
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; scenario?: object })
    expect(row).toMatchObject({ outcome: 'passed' })
    expect(records[0]?.scenario).toMatchObject({ nodes: 4, level: 'full', encryption: 'plaintext' })
    expect(records.some(({ kind }) => kind === 'frame')).toBe(true)
  })

  test('converges at a sample', async () => {
    const scenario = written(newFolder(), 'tiny.yaml', TINY)
    // Faults end at 4 s, between the samples at 3 s and 6 s.
    const [row] = await runJsonLines<Row>(['simulate', scenario, '--set', 'sampleEvery=3s'])
    expect(((row?.figures['convergence_s'] ?? 0) + 4) % 3).toBe(0)
  })

  test('--check runs everything twice, compares, and shows what failed both times', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const same = await run(['simulate', scenario, '--check', '--jobs', '2'])
    expect(same).toMatchObject({
      code: 0,
      stdout: matching(/^seed 1: the same trace, SHA-256 [\da-f]{64}$/m)
    })
    const strict = written(folder, 'no-pauses.mjs', NO_PAUSES)
    const failing = await run(['simulate', scenario, '--check', '--extension', strict])
    expect(failing.code).toBe(1)
    expect(failing.stdout).toMatch(/^seed 1: the same trace[^]*^seed 1 fails both times:\n {2}no-pauses on n1 at/m)
    const rows = (await run(['simulate', scenario, '--check', '--extension', strict, '--json'])).stdout
    expect(JSON.parse(rows)).toMatchObject({ outcome: 'same', failures: [{ check: 'no-pauses' }] })

    const extension = written(folder, 'pid.mjs', ANOTHER_EACH_TIME)
    const different = await run(['simulate', scenario, '--check', '--extension', extension])
    expect(different.code).toBe(1)
    expect(different.stdout).toMatch(/^seed 1: the traces differ first in line \d+:$/m)
    expect(different.stdout).toMatch(/^ first {2}\{.*"check":"pid".*\n *second {2}\{.*"check":"pid"/m)
  })

  test('--check has as many runs side by side as it is told to, and tells of them in order', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const extension = written(folder, 'first-waits.mjs', firstWaitsForOthers(folder, 2))
    const args = ['simulate', scenario, '--check', '--runs', '2', '--jobs', '4', '--extension', extension]
    const { code, stdout } = await run(args)
    expect(stdout).toMatch(/^seed 1: the same trace, .*\nseed 2: the same trace, .*\n$/)
    expect(code).toBe(0)
  })
})

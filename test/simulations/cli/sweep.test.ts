import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newFolder, run, runFailing } from '../../support/cli.ts'
import { GONE_AT_ONCE, NO_PAUSES, TINY, containing, filesBelow, having, matching, written } from './tiny.ts'

const SWEEP = `v: 1
name: loss
scenario: ./tiny.yaml
firstSeed: 5
runs: 2
set: { nodes: 4 }
grid:
  link.loss: [0, 0.05]
`

describe('anchormesh simulate sweep', () => {
  test('runs each point with each seed, and what is finished never again', async () => {
    const folder = newFolder()
    written(folder, 'tiny.yaml', TINY)
    const sweep = written(folder, 'loss.yaml', SWEEP)
    const out = join(folder, 'out')
    const args = ['simulate', 'sweep', sweep, '--out', out]
    const first = await run(args)
    expect(first).toMatchObject({ code: 0, stdout: matching(/^runs +4$/m) })
    const files = filesBelow(out)
    const rows = readFileSync(join(out, 'sweep.csv'), 'utf8').trim().split('\n')
    expect(rows.map((row) => row.split(',', 2).join(','))).toEqual(['link.loss,seed', '0,5', '0,6', '0.05,5', '0.05,6'])
    expect(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'))).toMatchObject({ kind: 'sweep', name: 'loss' })

    const second = await run(args)
    expect(second.stdout).toMatch(/^runs +0$/m)
    expect(second.stdout).toMatch(/^finished before +4$/m)
    expect(filesBelow(out)).toEqual(files)

    // A run that was not finished lies beside its place; one without its summary is none.
    const finished = Object.keys(files).find((name) => name.endsWith('seed-6/summary.json')) ?? ''
    const runFolder = join(out, finished, '..')
    rmSync(join(out, finished))
    mkdirSync(`${runFolder}.unfinished`)
    writeFileSync(join(`${runFolder}.unfinished`, 'trace.jsonl.gz'), 'half')
    const third = await run([...args, '--json'])
    const redone = third.stdout.trim().split('\n')
    expect(redone.map((row) => JSON.parse(row) as object)).toEqual([having({ seed: '6', outcome: 'passed' })])
    expect(existsSync(`${runFolder}.unfinished`)).toBe(false)
    expect(filesBelow(out)).toEqual(files)

    const another = written(folder, 'other.yaml', SWEEP.replace('name: loss', 'name: other'))
    const { error } = await runFailing(['simulate', 'sweep', another, '--out', out])
    expect(error).toMatchObject({ code: 'USAGE', message: containing('results of another sweep') })
  })

  test('says what failed and how to see it again, also of runs that were finished before', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const sweep = written(folder, 'loss.yaml', SWEEP.replace('runs: 2', 'runs: 1'))
    const strict = written(folder, 'no-pauses.mjs', NO_PAUSES)
    const args = ['simulate', 'sweep', sweep, '--extension', strict, '--out', join(folder, 'out')]
    const first = await run(args)
    expect(first).toMatchObject({ code: 1, stdout: matching(/^failed +2$/m) })
    expect(first.stdout).toMatch(/^link\.loss=0\.05, seed 5:\n {2}no-pauses on n1 at [\d.]+ s: it was paused$/m)
    const again = `simulate ${scenario} --seed 5 --set nodes=4 --set link.loss=0.05 --extension ${strict} --out`
    expect(first.stdout).toContain(`anchormesh ${again} DIR`)
    expect(await run([...again.split(' '), join(folder, 'again')])).toMatchObject({ code: 1 })

    const second = await run(args)
    expect(second.code).toBe(1)
    expect(second.stdout).toBe(first.stdout.replace(/^(runs +)2$/m, '$10').replace(/^(finished before +)0$/m, '$12'))
    const rows = (await run([...args, '--json'])).stdout.trim().split('\n')
    expect(rows.map((row) => JSON.parse(row) as object)).toEqual([
      having({
        parameters: { 'link.loss': 0 },
        seed: '5',
        outcome: 'FAILED',
        failures: [having({ check: 'no-pauses' })]
      }),
      having({ parameters: { 'link.loss': 0.05 }, seed: '5', outcome: 'FAILED' })
    ])
    // With another module of the same name they are other runs.
    written(folder, 'no-pauses.mjs', NO_PAUSES.replace("=== 'pause'", "=== 'never'"))
    expect(await run(args)).toMatchObject({ code: 0, stdout: matching(/^runs +2$[^]*^finished before +0$/m) })
  })

  test('says what broke a run', async () => {
    const folder = newFolder()
    written(folder, 'tiny.yaml', TINY)
    const sweep = written(folder, 'loss.yaml', SWEEP.replace('runs: 2', 'runs: 1').replace(', 0.05', ''))
    const broken = written(folder, 'gone.mjs', GONE_AT_ONCE)
    const { code, stdout } = await run([
      'simulate',
      'sweep',
      sweep,
      '--extension',
      broken,
      '--out',
      join(folder, 'out')
    ])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^link\.loss=0, seed 5:\n {2}the process of the run ended with 7/m)
  })
})

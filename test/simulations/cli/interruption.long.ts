import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { simulate } from '../../../simulations/index.ts'
import { launch, newFolder, run } from '../../support/cli.ts'
import { until } from '../../support/until.ts'
import { FIRST_STANDS_STILL, TINY, written } from './tiny.ts'

describe('a simulation that is interrupted', () => {
  const seedsIn = (out: string): readonly string[] =>
    (JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as { seeds: readonly string[] }).seeds

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ] as const)('by %s leaves the runs that are finished, with their report', async (signal, exitCode) => {
    const folder = newFolder()
    const out = join(folder, 'out')
    const scenario = written(folder, 'tiny.yaml', TINY)
    const command = launch(['simulate', scenario, '--runs', '1000', '--jobs', '1', '--out', out])
    await until('two runs are finished', () => existsSync(join(out, 'runs', 'seed-2', 'summary.json')))
    command.process.kill(signal)
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(exitCode)
    const finished = readdirSync(join(out, 'runs'))
    expect(finished.every((name) => /^seed-\d+$/.test(name))).toBe(true)
    expect(stdout).toMatch(/^1 +passed/m)
    expect(stdout).not.toContain('BROKEN')
    expect(stderr).toMatch(/^Interrupted: \d+ of 1000 runs are finished\.$/m)
    expect(finished.toSorted()).toEqual(
      seedsIn(out)
        .map((seed) => `seed-${seed}`)
        .toSorted()
    )
  })

  test('comes to its end when it is started again', async () => {
    const folder = newFolder()
    const out = join(folder, 'out')
    const args = ['simulate', written(folder, 'tiny.yaml', TINY), '--runs', '3', '--jobs', '1', '--out', out]
    const command = launch(args)
    await until('a run is finished', () => existsSync(join(out, 'runs', 'seed-1', 'summary.json')))
    command.process.kill('SIGINT')
    expect(await command.ended).toMatchObject({ code: 130 })
    expect(await run(args)).toMatchObject({ code: 0 })
    expect(seedsIn(out)).toEqual(['1', '2', '3'])
  })

  // Runs 2 and 3 are over while the first goes on.
  const overtaken = (out: string) =>
    until('the third run is finished', () => existsSync(join(out, 'runs', 'seed-3', 'summary.json')))
  test('reports the runs that are finished while one before them is not', async () => {
    const folder = newFolder()
    const out = join(folder, 'out')
    const scenario = written(folder, 'tiny.yaml', TINY)
    const extension = written(folder, 'still.mjs', FIRST_STANDS_STILL)
    const options = ['--runs', '3', '--jobs', '2', '--extension', extension, '--out', out]
    const command = launch(['simulate', scenario, ...options])
    await overtaken(out)
    command.process.kill('SIGINT')
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(130)
    expect(stdout).toMatch(/^2 +passed[^]*^3 +passed/m)
    expect(stderr).toMatch(/^Interrupted: 2 of 3 runs are finished\.$/m)
    expect(seedsIn(out)).toEqual(['2', '3'])
  })

  test('as a program does it leaves the report, too', async () => {
    const folder = newFolder()
    const out = join(folder, 'out')
    const scenario = written(folder, 'tiny.yaml', TINY)
    const extensions = [written(folder, 'still.mjs', FIRST_STANDS_STILL)]
    const stopping = new AbortController()
    const reason = new Error('enough')
    const stopped = overtaken(out).then(() => stopping.abort(reason))
    const simulating = simulate(scenario, { runs: 3, jobs: 2, extensions, out, signal: stopping.signal })
    await expect(simulating).rejects.toBe(reason)
    await stopped
    expect(seedsIn(out)).toEqual(['2', '3'])
  })
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { simulate } from '../../../simulations/index.ts'
import { launch, newFolder } from '../../support/cli.ts'
import { until } from '../../support/until.ts'
import { FIRST_STANDS_STILL, TINY, written } from './tiny.ts'

describe('a simulation that is interrupted', () => {
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
    const { seeds } = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as { seeds: readonly string[] }
    expect(finished.toSorted()).toEqual(seeds.map((seed) => `seed-${seed}`).toSorted())
  })

  // Runs 2 and 3 are over while the first goes on.
  const overtaken = (out: string) =>
    until('the third run is finished', () => existsSync(join(out, 'runs', 'seed-3', 'summary.json')))
  const seedsIn = (out: string): readonly string[] =>
    (JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as { seeds: readonly string[] }).seeds

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

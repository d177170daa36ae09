import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { newFolder, run, runFailing } from '../../support/cli.ts'
import { TINY, containing, written } from './tiny.ts'

describe('what can’t be simulated', () => {
  test('a scenario with mistakes: each with its file, line, column and key', async () => {
    const path = written(newFolder(), 'wrong.yaml', TINY.replace('at: 1s', 'at: soon').replace('nodes: 3', 'nodes: 0'))
    const { error, exitCode } = await runFailing(['simulate', path])
    expect({ exitCode, code: error.code }).toEqual({ exitCode: 2, code: 'CONFIG_INVALID' })
    expect(error.message).toMatch(new RegExp(`^${path}:5:8 nodes: `, 'm'))
    expect(error.message).toMatch(new RegExp(`^${path}:10:\\d+ faults\\[?\\.?0\\]?\\.at: `, 'm'))
  })

  test.each([
    ['a setting that is no key', ['--set', 'link.los=0.1'], 'link.los'],
    ['a setting that is none', ['--set', 'loss'], 'loss is not key=value'],
    ['a module that is not there', ['--extension', 'nowhere.mjs'], 'there is no module'],
    ['results of two runs that are compared', ['--check', '--out', 'x'], "'--check'"],
    ['a seed that names no folder', ['--seed', '../x'], 'A seed has letters'],
    ['a level that there is not', ['--level', 'half'], 'It is full or gossip'],
    ['no runs', ['--runs', '0'], '--runs']
  ])('%s', async (_what, options, message) => {
    const path = written(newFolder(), 'tiny.yaml', TINY)
    const { error, exitCode } = await runFailing(['simulate', path, ...options])
    expect(exitCode).toBe(2)
    expect(error.message).toContain(message)
  })

  test('a name that is nearly that of a scenario: says which', async () => {
    const { error } = await runFailing(['simulate', 'split-brian'])
    expect(error).toMatchObject({ code: 'USAGE', hint: 'Did you mean split-brain?' })
  })

  test('a sweep with mistakes', async () => {
    const folder = newFolder()
    const path = written(folder, 'sweep.yaml', 'v: 1\nname: wrong\nscenario: split-brain\ngrid: { link.loss: [] }\n')
    const { error, exitCode } = await runFailing(['simulate', 'sweep', path, '--out', join(folder, 'out')])
    expect(exitCode).toBe(2)
    expect(error.message).toContain(`${path}:4:`)
    const absent = await runFailing(['simulate', 'sweep', join(folder, 'none.yaml'), '--out', join(folder, 'out')])
    expect(absent.error).toMatchObject({ code: 'USAGE', message: containing('ENOENT') })
  })

  test('a module that is no extension, and a file of links with mistakes', async () => {
    const folder = newFolder()
    const module = written(folder, 'empty.mjs', 'export const other = 1\n')
    const tiny = written(folder, 'tiny.yaml', TINY)
    const extended = await runFailing(['simulate', tiny, '--extension', module, '--out', join(folder, 'out')])
    expect(extended).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    expect(extended.error.message).toBe(`${module} exports no \`simulation\`, but other`)
    const throwing = written(folder, 'throws.mjs', 'const why = "boom"\nthrow new Error(why)\n')
    const thrown = await runFailing(['simulate', tiny, '--extension', throwing])
    expect(thrown.error).toMatchObject({ code: 'USAGE', message: `${throwing}:2:7 can't be loaded: boom` })
    const links = written(folder, 'links.csv', 'from,to\n0,x\n')
    const scenario = written(folder, 'x.yaml', TINY.replace('kind: full', 'kind: file, path: links.csv'))
    const measured = await runFailing(['simulate', scenario])
    expect(measured).toMatchObject({ exitCode: 2, error: { code: 'CONFIG_INVALID' } })
    expect(measured.error.message).toBe(`${links}:2:1: to is x, but must be a number from 0, such as 20 or 1.5`)
    expect(existsSync(join(folder, 'out'))).toBe(false)
  })

  test.runIf(process.platform === 'linux')('results where nothing can be written', async () => {
    const path = written(newFolder(), 'tiny.yaml', TINY)
    const { error, exitCode } = await runFailing(['simulate', path, '--out', '/proc/results/of-mine'])
    expect(exitCode).toBe(2)
    expect(error).toMatchObject({ code: 'USAGE', message: containing("can't be written: ENOENT") })
  })

  test('a trace that was cut', async () => {
    const folder = newFolder()
    const whole = gzipSync(`{"kind":"run"}\n${'{"kind":"boot"}\n'.repeat(50)}`)
    writeFileSync(join(folder, 'cut.gz'), whole.subarray(0, whole.length / 2))
    const { error, exitCode } = await runFailing(['simulate', 'replay', join(folder, 'cut.gz')])
    expect(exitCode).toBe(2)
    expect(error.message).toContain('cut.gz is no trace: its end is missing')
    const whatever = await runFailing(['simulate', 'replay', folder])
    expect(whatever.error.message).toContain('is no trace: it is a folder')
  })

  test('what is no trace', async () => {
    const folder = newFolder()
    const { error, exitCode } = await runFailing(['simulate', 'replay', written(folder, 'a.gz', 'none')])
    expect(exitCode).toBe(2)
    expect(error.message).toContain('is no trace')
    const absent = await runFailing(['simulate', 'replay', join(folder, 'none.gz')])
    expect(absent.error.message).toContain('there is no such file')
  })

  test.each([
    [
      ['simulate'],
      ['--seed', '--runs', '--jobs', '--level', '--set', '--extension', '--check', '--trace-frames', '--out']
    ],
    [
      ['simulate', 'sweep'],
      ['--extension', '--jobs', '--out']
    ],
    [['simulate', 'replay'], ['<trace>']],
    [
      ['simulate', 'minimise'],
      ['--scenario', '--tries', '--jobs', '--out']
    ]
  ])('%j --help tells of its options and shows examples', async (verb, options) => {
    const { code, stdout } = await run([...verb, '--help'])
    expect(code).toBe(0)
    for (const option of [...options, 'Example', '--json']) expect(stdout).toContain(option)
  })
})

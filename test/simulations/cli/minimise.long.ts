import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newFolder, run, runFailing } from '../../support/cli.ts'
import { NO_PAUSES, TINY, containing, matching, written } from './tiny.ts'

describe('anchormesh simulate minimise', () => {
  test('leaves what a failure needs, as a scenario that fails the same way', async () => {
    const folder = newFolder()
    written(folder, 'links.csv', 'from,to\n0,1\n1,2\n')
    const text = TINY.replace('kind: full', 'kind: file, path: links.csv')
    const scenario = written(folder, 'tiny.yaml', text)
    const extension = written(folder, 'no-pauses.mjs', NO_PAUSES)
    const out = join(newFolder(), 'smallest.yaml')
    const args = [
      'simulate',
      'minimise',
      '3',
      '--scenario',
      scenario,
      '--extension',
      extension,
      '--tries',
      '8',
      '--out',
      out
    ]
    const { code, stdout } = await run(args)
    expect({ code, stdout }).toEqual({ code: 0, stdout: matching(/^fails +no-pauses$/m) })
    const smallest = readFileSync(out, 'utf8')
    expect(smallest).toMatch(/^# Fails no-pauses with seed 3\.$/m)
    expect(smallest).toContain('kind: pause')
    expect(smallest).not.toMatch(/kind: (cut|announce)/)

    const [, again = ''] = /^again +anchormesh (.*)$/m.exec(stdout) ?? []
    const failed = await run(again.split(' '))
    expect(failed.stdout).toContain('no-pauses on n1')

    // Nothing is searched where the result could not be saved.
    const { error } = await runFailing(args)
    expect(error).toMatchObject({ code: 'USAGE', message: containing('is already there') })
  })

  test('says where nothing fails', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY)
    const out = join(folder, 'x.yaml')
    const { error, exitCode } = await runFailing(['simulate', 'minimise', '3', '--scenario', scenario, '--out', out])
    expect({ exitCode, code: error.code }).toEqual({ exitCode: 1, code: 'NOT_FOUND' })
  })
})

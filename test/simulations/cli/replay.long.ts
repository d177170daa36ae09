import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { newFolder, run, runFailing } from '../../support/cli.ts'
import { NO_PAUSES, ONE_BATCH, TINY, containing, written } from './tiny.ts'

describe('anchormesh simulate replay', () => {
  test('makes the run of a trace again; where something differs, shows what is first and what led to it', async () => {
    const folder = newFolder()
    const out = join(folder, 'out')
    await run(['simulate', written(folder, 'tiny.yaml', TINY), '--seed', '3', '--out', out])
    const trace = join(out, 'runs', 'seed-3', 'trace.jsonl.gz')
    const lines = gunzipSync(readFileSync(trace)).toString('utf8').split('\n')
    const altered = (name: string, at: number, text: string): string => {
      const path = join(folder, name)
      writeFileSync(path, gzipSync(lines.with(at, text).join('\n')))
      return path
    }

    const same = await run(['simulate', 'replay', trace])
    expect(same).toMatchObject({ code: 0, stdout: containing('seed 3: the same trace, SHA-256 ') })
    expect(same.stderr).toBe('')

    const different = await run(['simulate', 'replay', altered('line.gz', 11, '{"atUs":1,"kind":"boot","node":"n9"}')])
    expect(different.code).toBe(1)
    expect(different.stdout).toContain('the traces differ first in line 12:')
    expect(different.stdout).toContain(`${lines[10]}\ntrace  {"atUs":1,"kind":"boot","node":"n9"}\nagain  ${lines[11]}`)

    const older = JSON.stringify({ ...(JSON.parse(lines[0] ?? '') as object), version: '0.0.1' })
    const byAnother = await run(['simulate', 'replay', altered('version.gz', 0, older), '--json'])
    expect(byAnother.code).toBe(1)
    expect(JSON.parse(byAnother.stdout)).toMatchObject({ seed: '3', outcome: 'different', difference: { line: 1 } })
    const told = await run(['simulate', 'replay', altered('version.gz', 0, older)])
    expect(told.stderr).toContain('The trace is by Anchormesh 0.0.1')

    const slower = (lines[0] ?? '').replace('"perSecond":2', '"perSecond":1')
    const another = await run(['simulate', 'replay', altered('scenario.gz', 0, slower)])
    expect(another.code).toBe(1)
    expect(another.stdout).toMatch(/the traces differ first in line ([2-9]|\d{2,}):/)
  })

  test('takes the modules of the run from wherever they are, and says which it needs', async () => {
    const folder = newFolder()
    const out = join(folder, 'out')
    const strict = written(folder, 'no-pauses.mjs', NO_PAUSES)
    await run(['simulate', written(folder, 'tiny.yaml', TINY), '--extension', strict, '--out', out])
    const trace = join(out, 'runs', 'seed-1', 'trace.jsonl.gz')
    const [first = ''] = gunzipSync(readFileSync(trace)).toString('utf8').split('\n')
    expect(JSON.parse(first)).toMatchObject({ extensions: [{ name: 'no-pauses.mjs', sha256: sha256Hex(NO_PAUSES) }] })

    const none = await runFailing(['simulate', 'replay', trace])
    const needed = `no-pauses.mjs (SHA-256 ${sha256Hex(NO_PAUSES)})`
    expect(none).toMatchObject({ exitCode: 2, error: { code: 'USAGE', message: containing(needed) } })
    const elsewhere = written(newFolder(), 'no-pauses.mjs', NO_PAUSES)
    const same = await run(['simulate', 'replay', trace, '--extension', elsewhere])
    expect(same).toMatchObject({ code: 0, stderr: '', stdout: containing('seed 1: the same trace') })
    const other = written(folder, 'other.mjs', ONE_BATCH)
    const more = await runFailing(['simulate', 'replay', trace, '--extension', elsewhere, '--extension', other])
    expect(more.error).toMatchObject({
      code: 'USAGE',
      message: 'the run did not have other.mjs',
      hint: containing(needed)
    })

    const milder = `${NO_PAUSES}// Changed.\n`
    const changed = written(newFolder(), 'no-pauses.mjs', milder)
    const different = await run(['simulate', 'replay', trace, '--extension', changed])
    expect(different).toMatchObject({ code: 1, stdout: containing('the traces differ first in line 1:') })
    expect(different.stderr).toContain(
      `no-pauses.mjs has other contents (SHA-256 ${sha256Hex(NO_PAUSES)} in the trace, ${sha256Hex(milder)} now)`
    )
  })
})

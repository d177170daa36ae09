import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { standardChecks } from '../../../simulations/checks/all.ts'
import { PLANTED_BUGS } from '../../../simulations/planted-bugs/bugs.ts'
import { runIn, search } from '../../../simulations/planted-bugs/hunt.ts'
import { assertApplies, patchOf } from '../../../simulations/planted-bugs/plant.ts'
import { loadScenario } from '../../../simulations/run/load.ts'
import { newFolder } from '../../support/cli.ts'

const SCRIPT = join(dirname(patchOf('')), 'run.ts')

describe('planted bugs', () => {
  test.each([
    [['--help'], 0, /^$/],
    [['--seeds', '0'], 2, /^--seeds takes a number from 1 to 9999, not 0\n/],
    [['--jobs', 'many'], 2, /^--jobs takes a number from 1 to 9999, not many\n/],
    [['no-such-bug'], 2, /^there is no planted bug no-such-bug\n/]
  ])('the script called with %j ends with %i', (args, status, said) => {
    const end = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' })
    expect(end.stderr).toMatch(said)
    expect(end.stdout + end.stderr).toContain('--seeds N')
    expect(end.status).toBe(status)
  })

  test.for(PLANTED_BUGS)('$name fits the source, in a scenario and for a check that there are', async (bug) => {
    await assertApplies(bug.name)
    const folder = join(dirname(patchOf(bug.name)), 'scenarios')
    await expect(loadScenario(join(folder, `${bug.scenario}.yaml`))).resolves.toBeDefined()
    expect(standardChecks().map(({ name }) => name)).toContain(bug.check)
  })

  test('every patch is in the index, once', async () => {
    const files = await readdir(dirname(patchOf('')))
    const patches = files.filter((file) => file.endsWith('.patch')).sort()
    expect(PLANTED_BUGS.map(({ name }) => `${name}.patch`).sort()).toEqual(patches)
    expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(16)
  })

  test('a bug is found by its own check, and by no other', async () => {
    const [bug] = PLANTED_BUGS
    if (bug === undefined) throw new Error('there is no planted bug')
    const failing = (...checks: readonly string[]) => checks.map((check) => ({ check, detail: 'wrong', atMs: 1 }))
    const runs = [failing(), failing('defect'), failing('logs-intact', bug.check)]
    const seen = async (seed: string) => runs[Number(seed)] ?? []
    expect(await search(bug, ['0', '1', '2', '3'], seen)).toEqual({
      bug,
      found: { seed: '2', failures: runs[2] },
      runs: 3
    })
    expect(await search(bug, ['0', '1'], seen)).toEqual({ bug, found: null, runs: 2 })
  })

  test('a run that is broken finds nothing', async () => {
    await expect(runIn(newFolder(), 'crashes', '1')).rejects.toThrow('the run of crashes with seed 1 is broken')
  })
})

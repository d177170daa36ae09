import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadSweep } from '../../../simulations/run/sweep-file.ts'
import { newFolder } from '../../support/cli.ts'
import { TINY, containing, written } from './tiny.ts'

const HEAD = 'v: 1\nname: s\nscenario: ./tiny.yaml\nruns: 1\n'

describe('what is wrong with a sweep is named with its place', () => {
  test.each([
    [
      'a key that a scenario does not have',
      'grid: { link.los: [0, 1] }',
      '5:20 grid.link.los[0]: is not a known key (did'
    ],
    [
      'one whose first part it does not have',
      'grid: { lnk.loss: [0] }',
      '5:20 grid.lnk.loss[0]: lnk is not a known key (did'
    ],
    [
      'one in what is set at all points',
      'set: { node: 1 }\ngrid: { link.loss: [0] }',
      '5:14 set.node: is 1, but must be a mapping'
    ],
    ['a value that is not possible', 'grid: { link.loss: [0, -1] }', '5:24 grid.link.loss[1]: is below 0'],
    [
      'a time without a unit',
      'grid: { node.syncInterval: [20s, 30] }',
      'grid.node.syncInterval[1]: is 30 without a unit'
    ],
    ['no key', 'grid: {}', '5:1 grid: is empty: give a key and its values'],
    ['no value', 'grid: { link.loss: [] }', '5:9 grid.link.loss: is empty'],
    ['a value for a list', 'grid: { link.loss: 0.1 }', '5:20 grid.link.loss: is 0.1, but must be a list'],
    ['a value twice', 'grid: { link.loss: [0, 0.1, 0] }', '5:29 grid.link.loss[2]: is 0 a second time'],
    ['a mapping for a value', 'grid: { link.latency: [{ constantMs: 3 }] }', 'is no text, number, true or false'],
    ['another word for grid', 'gird: { link.loss: [0] }', '5:1 gird: is not a known key (did you mean grid?)'],
    ['a seed that names another folder', 'firstSeed: ../x\ngrid: { link.loss: [0] }', '5:12 firstSeed: is no seed']
  ])('%s', async (_what, text, message) => {
    const folder = newFolder()
    written(folder, 'tiny.yaml', TINY)
    const path = written(folder, 'sweep.yaml', `${HEAD}${text}\n`)
    await expect(loadSweep(path)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: containing(message) })
  })

  test('a mistake in the scenario itself stays where it is', async () => {
    const folder = newFolder()
    const scenario = written(folder, 'tiny.yaml', TINY.replace('perSecond: 2', 'perSecond: -2'))
    const path = written(folder, 'sweep.yaml', `${HEAD}grid: { link.loss: [0, 0.1] }\n`)
    await expect(loadSweep(path)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `${join(scenario)}:8:34 workload[0].perSecond: is not above 0`
    })
  })
})

import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { assertExtensions } from '../../../simulations/run/extensions.ts'
import { loadScenario } from '../../../simulations/run/load.ts'
import { newFolder } from '../../support/cli.ts'
import { TINY, containing, written } from './tiny.ts'

const OWN = TINY.replace('{ kind: announce, perSecond: 2, until: 3s }', '{ kind: own, name: one-batch }')

async function refusalOf(module: string | null, scenario = TINY): Promise<unknown> {
  const folder = newFolder()
  const urls = module === null ? [] : [pathToFileURL(written(folder, 'mine.mjs', module)).href]
  const loaded = await loadScenario(written(folder, 'x.yaml', scenario))
  return await assertExtensions(urls, loaded.scenario).then(
    () => null,
    (error: unknown) => error
  )
}

describe('extensions', () => {
  test.each([
    ['a module that throws', 'const a = 1\nthrow new Error("boom")', "can't be loaded: boom"],
    ['one that is no JavaScript', 'export const simulation = {', "can't be loaded: "],
    ['one that needs what is not there', 'import "nowhere-at-all"', "can't be loaded: Cannot find package"],
    ['one that exports nothing', 'const simulation = {}', 'exports no `simulation`, but nothing'],
    ['one that exports something else', 'export default {}', 'exports no `simulation`, but default'],
    ['checks that are no list', 'export const simulation = { checks: 1 }', '`checks` is no list'],
    ['a check without a name', 'export const simulation = { checks: [{}] }', '`checks[0]` is no object with a name'],
    [
      'a key that is not known',
      'export const simulation = { check: [] }',
      '`simulation` has check, but only checks and'
    ],
    [
      'a workload that can’t be called',
      'export const simulation = { workloads: { a: 1 } }',
      'workload a is no function'
    ]
  ])('%s', async (_what, module, message) => {
    expect(await refusalOf(module)).toMatchObject({ code: 'USAGE', message: containing(message) })
  })

  test('a workload that none of them has', async () => {
    const message = 'workload[0].name: no extension has a workload named one-batch'
    expect(await refusalOf(null, OWN)).toMatchObject({ code: 'USAGE', message, hint: containing('by --extension') })
    const near = 'export const simulation = { workloads: { oneBatch() {}, other() {} } }'
    expect(await refusalOf(near, OWN)).toMatchObject({ message, hint: 'Did you mean oneBatch?' })
    expect(await refusalOf('export const simulation = { workloads: { "one-batch": () => {} } }', OWN)).toBeNull()
  })
})

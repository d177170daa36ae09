import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { simulate } from '../../../simulations/index.ts'
import { newFolder } from '../../support/cli.ts'
import { matching } from '../cli/tiny.ts'

const tiny = { v: 1, name: 'tiny', asks: 'Does it run?', nodes: 2, faultsEnd: '1s', convergeWithin: '90s' } as const

describe('what `simulate` of the package refuses before anything is made', () => {
  test.each([
    ['no runs', { runs: 0 }, /^runs is 0, /],
    ['fewer than none', { runs: -1 }, /^runs is -1, /],
    ['one and a half', { runs: 1.5 }, /^runs is 1.5, /],
    ['none side by side', { jobs: 0 }, /^jobs is 0, /],
    ['as many side by side as there are numbers', { jobs: Number.POSITIVE_INFINITY }, /^jobs is Infinity, /],
    ['a seed that leads elsewhere', { seed: '../../x' }, /^'..\/..\/x' is no seed$/],
    ['a seed that is empty', { seed: '' }, /^'' is no seed$/],
    ['a seed that is a number, from JavaScript', { seed: 1.5 as unknown as string }, /^1.5 is no seed$/]
  ])('%s', async (_what, options, message) => {
    const folder = newFolder()
    await expect(simulate(tiny, { ...options, out: join(folder, 'a') })).rejects.toMatchObject({
      name: 'AnchormeshError',
      code: 'USAGE',
      message: matching(message),
      hint: matching(/./)
    })
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([])
  })
})

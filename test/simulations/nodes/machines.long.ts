import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { BOUNDS } from '../../../simulations/checks/bounded-tables.ts'
import type { Told } from './stage.ts'

const run = promisify(execFile)
const INSTALL = join(import.meta.dirname, '../../../simulations/world/install.ts')

/** What comes of a story, in a process of its own. */
async function told(story: string, seed: string): Promise<Told> {
  const program = join(import.meta.dirname, `${story}.child.ts`)
  const { stdout } = await run(process.execPath, ['--import', INSTALL, program, seed])
  return JSON.parse(stdout) as Told
}

const LONG_MS = 120_000

test(
  'nodes come back from crashes, pauses, full and lost disks, and wrong clocks, the same way each time',
  { timeout: LONG_MS },
  async () => {
    const [once, again, other] = await Promise.all(['1', '1', '2'].map((seed) => told('hardships', seed)))
    const answer = {
      afterCrash: 'off',
      paused: 'paused',
      refused: 'STORE_FULL',
      stopped: 'off',
      left: 'answered',
      isClockAsDrawn: true,
      holdings: [4, 4, 4, 4],
      states: ['running', 'running', 'running', 'running']
    }
    expect(once).toMatchObject({ answer, defects: [], kinds: { boot: 7, crash: 2, pause: 1, resume: 1, stop: 1 } })
    expect(again).toEqual(once)
    expect(other).toMatchObject({ answer, defects: [] })
    expect(other?.hash).not.toBe(once?.hash)
  }
)

test(
  'newcomers are nobody until they are admitted, and a key that was taken back is replaced',
  { timeout: LONG_MS },
  async () => {
    const keys = ['new "ACTIVE"', 'old "REVOKED"']
    expect(await told('membership', '1')).toMatchObject({
      answer: {
        whileStrange: [1, 1, 0],
        admitted: [2, 2, 2],
        keys: [keys, keys, keys],
        isOther: true,
        holdings: [4, 4, 4]
      },
      defects: []
    })
  }
)

test('what a node throws and nobody catches is told of that node, and ends it', { timeout: LONG_MS }, async () => {
  expect(await told('defects', '1')).toMatchObject({
    answer: { states: ['off', 'off', 'running'] },
    defects: ['n0: a timer failed', 'n1: nobody waits for this']
  })
})

test('each table that has a bound of its own is found on a node', { timeout: LONG_MS }, async () => {
  const { answer, defects } = await told('tables', '1')
  const { names, areAll } = answer as { readonly names: readonly string[]; readonly areAll: boolean }
  expect({ areAll, defects }).toEqual({ areAll: true, defects: [] })
  expect(Object.keys(BOUNDS).filter((name) => !names.includes(name))).toEqual([])
})

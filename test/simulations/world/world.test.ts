import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

interface Seen {
  readonly refused: Readonly<Record<string, string>>
  /** `performance.now`, `Date.now` and `process.uptime`, at each of three ticks. */
  readonly times: readonly number[]
  readonly drawn: readonly unknown[]
  readonly signed: string
}

async function seen(): Promise<Seen> {
  const install = join(import.meta.dirname, '../../../simulations/world/install.ts')
  const { stdout } = await run(process.execPath, ['--import', install, join(import.meta.dirname, 'world.child.ts')])
  return JSON.parse(stdout) as Seen
}

test('time, chance and keys come out the same in every process, and what no seed rules is refused', async () => {
  const [first, second] = await Promise.all([seen(), seen()])
  expect(second).toEqual(first)
  const [start = 0, date = 0, uptime = 0, ...later] = first.times
  expect(later.map((time, at) => time - ([start, date, uptime][at % 3] ?? 0))).toEqual([250, 250, 0.25, 500, 500, 0.5])
  expect(new Set(first.drawn).size).toBe(9)
  for (const [name, answer] of Object.entries(first.refused))
    expect(`${name}: ${answer}`).toMatch(/can't be used in a simulation|a simulation makes no keys/)
})

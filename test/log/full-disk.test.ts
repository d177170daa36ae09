import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/folders.ts'
import { until } from '../support/until.ts'
import type { IngestProcess } from './child.ts'
import { startIngest, writeEvents } from './child.ts'
import { deterministicEvents, inspectFolder } from './disk-node.ts'

const COUNT = 100
const PAD_BYTES = 12_000
const REFUSED = '! STORE_FULL'
/** The store is opened anew a second after a failed write; two of them have passed then. */
const LONG_REFUSED_MS = 2_500

const eventsPath = async (): Promise<string> => {
  const path = join(temporaryFolder(), 'events')
  writeEvents(path, await deterministicEvents(COUNT, PAD_BYTES))
  return path
}

const acknowledgedBy = (lines: readonly string[]): string[] => lines.filter((line) => /^[0-9a-f]{64}$/.test(line))

/** A successor that comes after its predecessor was refused waits for it. */
function expectOnlyRefusals(lines: readonly string[]): void {
  expect(lines.filter((line) => line.startsWith('!') && line !== REFUSED && line !== '! PREDECESSOR_MISSING')).toEqual(
    []
  )
}

/** Every acknowledged event is in the folder, which is whole. */
async function expectKept(folder: string, acknowledged: readonly string[]): Promise<void> {
  const { ids, findings, rebuilt } = await inspectFolder(folder, { rebuild: true })
  expect(findings).toMatchObject({ ok: true, problems: [] })
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
  expect(rebuilt).toBe(true)
}

test('a file that can grow no more: the node says so, opens its store anew, and goes on', async () => {
  const folder = temporaryFolder()
  const child = startIngest(folder, await eventsPath(), { fileKibMax: 1_024 })
  await until('the limit was reached and everything is in nevertheless', () => child.lines().includes('done'))
  const said = await child.kill()
  expect(said).toContain(REFUSED)
  expectOnlyRefusals(said)
  expect(acknowledgedBy(said)).toHaveLength(COUNT)
  await expectKept(folder, acknowledgedBy(said))
})

test('a process that is killed while its disk is full has lost nothing that it acknowledged', async () => {
  const folder = temporaryFolder()
  const child = startIngest(folder, await eventsPath(), { fileKibMax: 512 })
  await until('the disk is full', () => child.lines().includes(REFUSED))
  const acknowledged = acknowledgedBy(await child.kill())
  expect(acknowledged.length).toBeGreaterThan(8)
  await expectKept(folder, acknowledged)
})

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0
if (!hasPrlimit)
  console.log(
    'there is no prlimit (util-linux) here: not tested how a node sits out a full disk on which its store can not be opened'
  )

/** Takes the room from a running process, or gives it back. */
function limitFiles({ pid }: IngestProcess, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`])
}

test.runIf(hasPrlimit)(
  'a disk that stays full, so that the store can not even be opened: the node waits, and goes on when there is room',
  async () => {
    const folder = temporaryFolder()
    const child = startIngest(folder, await eventsPath(), { fileKibMax: 512 })
    // It goes on a second later at the earliest: there is time to take the room from it for good.
    await until('the disk is full', () => child.lines().includes(REFUSED))
    // Less than the write-ahead log has: opening the store anew writes it out as a table, which fails as well.
    limitFiles(child, 16_384)
    const forLong = async (): Promise<number> => {
      const sinceMs = performance.now()
      await until('it was refused for long', () => performance.now() - sinceMs > LONG_REFUSED_MS)
      return acknowledgedBy(child.lines()).length
    }
    const acknowledged = await forLong()
    expect(acknowledged).toBeLessThan(COUNT)
    expect(await forLong()).toBe(acknowledged)
    limitFiles(child, 'unlimited')
    await until('everything is in', () => child.lines().includes('done'))
    const said = await child.kill()
    expectOnlyRefusals(said)
    expect(acknowledgedBy(said)).toHaveLength(COUNT)
    await expectKept(folder, acknowledgedBy(said))
  }
)

import { rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { launch, newFolder, run, runJson } from '../support/cli.ts'
import { DEMO_MS, evmUrlOf, isListening, nodePids, processesNaming } from '../support/demo.ts'
import { isAlive } from '../support/nodes.ts'

test(
  'three nodes agree, one of them after a kill and a cut, and no process is left',
  { timeout: DEMO_MS },
  async () => {
    const demo = launch(['demo', '--keep'])
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const folder = /data folders are in (.*)/.exec(stderr)?.[1] ?? ''
    try {
      const pids = new Set(nodePids(demo))
      expect(pids.size).toBe(4)
      expect([...pids].filter(isAlive)).toEqual([])
      expect(processesNaming(folder)).toEqual([])
      expect(stdout).toMatch(/[1-9][0-9]+ receipts under the root [0-9a-f]+/)
      expect(stdout).toMatch(/eip155:31337 +\S+Z +wins \(verified\)\n.*rfc3161:demo-tsa +\S+Z +loses by rail\n/)
      expect(evmUrlOf(stdout)).toMatch(/^http/)
      expect(await isListening(evmUrlOf(stdout) ?? '')).toBe(false)
      expect(stdout).toMatch(/ winners +([0-9a-f]{16}) +\1 +\1 +yes/)
      expect(stdout).toMatch(/ events +([0-9a-f]{16}) +\1 +\1 +yes/)
      expect(stdout).not.toMatch(/ NO$/m)
      expect(stdout).toMatch(/ [1-9][0-9]* sessions, [1-9][0-9]* rounds; .* events taken in, [1-9][0-9]* sent/)
      for (const name of ['maker', 'auditor', 'archive']) {
        expect(await runJson(['log', 'verify', '--data', join(folder, name)])).toMatchObject({
          ok: true,
          problemCount: 0
        })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
)

test('receipts that can’t be sealed: the demo says why before it begins', { timeout: DEMO_MS }, async () => {
  const receipts = join(newFolder(), 'receipts.jsonl')
  await writeFile(receipts, 'not JSON\n')
  const { code, stdout, stderr } = await run(['demo', '--receipts', receipts])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^error RECEIPTS_INVALID: .*receipts\.jsonl, line 1: is not JSON/)
})

test.each(['', '\n\n'])(
  'a file without receipts, %j: wrong usage, before any node starts',
  { timeout: DEMO_MS },
  async (text) => {
    const receipts = join(newFolder(), 'receipts.jsonl')
    await writeFile(receipts, text)
    const { code, stdout, stderr } = await run(['demo', '--receipts', receipts])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error USAGE: .*receipts\.jsonl holds no receipts\n/)
  }
)

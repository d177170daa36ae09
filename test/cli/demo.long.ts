import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Comparison } from '../../src/cli/demo/digests.ts'
import { launch, runJson } from '../support/cli.ts'
import { DEMO_MS, demoFolderOf, nodePids, processesNaming } from '../support/demo.ts'
import { isAlive } from '../support/nodes.ts'
import { until } from '../support/until.ts'

test('in JSON, the demo answers with every digest of every node', async () => {
  const comparison = await runJson<Comparison>(['demo'])
  expect(comparison).toMatchObject({ equal: true, nodes: ['maker', 'auditor', 'archive'] })
  expect(comparison.digests.every(({ values }) => new Set(values).size === 1 && values.length === 3)).toBe(true)
})

test('SIGKILL of the demo itself: its nodes end when it is gone', async () => {
  const demo = launch(['demo'])
  await until('three nodes run', () => nodePids(demo).length >= 3, DEMO_MS)
  const pids = nodePids(demo)
  const folder = demoFolderOf(pids)
  demo.process.kill('SIGKILL')
  expect(await demo.ended).toMatchObject({ signal: 'SIGKILL' })
  await until('the nodes have ended', () => !pids.some(isAlive), DEMO_MS)
  await until('no command runs', () => processesNaming(folder).length === 0, DEMO_MS)
  rmSync(folder, { recursive: true })
})

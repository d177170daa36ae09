import { existsSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Comparison } from '../../src/cli/demo/digests.ts'
import { BITCOIND_PROGRAM, describeBitcoind } from '../support/bitcoind.ts'
import { launch, newFolder, runJson } from '../support/cli.ts'
import { DEMO_MS, demoFolderOf, evmUrlOf, isListening, nodePids, processesNaming } from '../support/demo.ts'
import { isAlive } from '../support/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { until } from '../support/until.ts'

test('in JSON, the demo answers with every digest of every node', async () => {
  const comparison = await runJson<Comparison>(['demo'])
  expect(comparison).toMatchObject({ equal: true, nodes: ['maker', 'auditor', 'archive'] })
  expect(comparison.digests.every(({ values }) => new Set(values).size === 1 && values.length === 3)).toBe(true)
})

test('SIGINT in the middle leaves neither a process nor a folder behind', { timeout: DEMO_MS }, async () => {
  const receipts = join(newFolder(), 'receipts.jsonl')
  await writeFile(receipts, '{"mine":1}\n{"mine":2}\n')
  const demo = launch(['demo', '--receipts', receipts])
  const evmUrl = await until('the EVM chain runs', () => evmUrlOf(demo.stdout()), DEMO_MS)
  expect(demo.stdout()).toContain(' 2 receipts under the root ')
  expect(await isListening(evmUrl)).toBe(true)
  const pids = nodePids(demo)
  expect(pids).toHaveLength(3)
  const folder = demoFolderOf(pids)
  demo.process.kill('SIGINT')
  expect(await demo.ended).toMatchObject({ code: 130, signal: null })
  expect(pids.filter(isAlive)).toEqual([])
  expect(processesNaming(folder)).toEqual([])
  expect(await isListening(evmUrl)).toBe(false)
  expect(existsSync(folder)).toBe(false)
})

test('SIGKILL of the demo itself: its nodes end when it is gone', async () => {
  const demo = launch(['demo'])
  const evmUrl = await until('three nodes and a chain run', () => evmUrlOf(demo.stdout()), DEMO_MS)
  const pids = nodePids(demo)
  const folder = demoFolderOf(pids)
  demo.process.kill('SIGKILL')
  expect(await demo.ended).toMatchObject({ signal: 'SIGKILL' })
  await until('the nodes have ended', () => !pids.some(isAlive), DEMO_MS)
  await until('no command runs', () => processesNaming(folder).length === 0, DEMO_MS)
  await untilAnswer('the chain has ended', async () => !(await isListening(evmUrl)))
  rmSync(folder, { recursive: true })
})

describeBitcoind('the demo', () => {
  test('with --bitcoind Bitcoin displaces the EVM chain, and no process is left', async () => {
    const demo = launch(['demo', '--keep', '--bitcoind', BITCOIND_PROGRAM])
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const folder = /data folders are in (.*)/.exec(stderr)?.[1] ?? ''
    const loses = (chain: string): string => `.*${chain} +\\S+Z +loses by rail\\n`
    const ranked = `btc:regtest +\\S+Z +wins \\(verified\\)\\n${loses('eip155:31337')}${loses('rfc3161:demo-tsa')}`
    expect(stdout).toMatch(new RegExp(ranked))
    expect(stdout).toMatch(/ winners +([0-9a-f]{16}) +\1 +\1 +yes/)
    expect(processesNaming(folder)).toEqual([])
    expect(evmUrlOf(stdout)).toMatch(/^http/)
    expect(await isListening(evmUrlOf(stdout) ?? '')).toBe(false)
    rmSync(folder, { recursive: true })
  })
})

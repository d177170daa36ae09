import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Comparison } from '../../src/cli/demo/digests.ts'
import { BITCOIND_PROGRAM, describeBitcoind } from '../support/bitcoind.ts'
import { launch, runJson } from '../support/cli.ts'
import { DEMO_MS, demoFolderOf, evmUrlOf, isListening, nodePids, processesNaming } from '../support/demo.ts'
import { isAlive } from '../support/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { until } from '../support/until.ts'

test('in JSON, the demo answers with every digest of every node', async () => {
  const comparison = await runJson<Comparison>(['demo'])
  expect(comparison).toMatchObject({ equal: true, nodes: ['maker', 'auditor', 'archive'] })
  expect(comparison.digests.every(({ values }) => new Set(values).size === 1 && values.length === 3)).toBe(true)
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

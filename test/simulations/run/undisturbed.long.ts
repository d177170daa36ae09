import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ScenarioFile } from '../../../simulations/scenario/schema.ts'
import { newFolder } from '../../support/cli.ts'

const run = promisify(execFile)
const INSTALL = join(import.meta.dirname, '../../../simulations/world/install.ts')
const CHILD = join(import.meta.dirname, 'undisturbed.child.ts')

/** Short, and with something of everything that checks look at. */
const SCENARIO: ScenarioFile = {
  v: 1,
  name: 'undisturbed',
  asks: 'Does a run go on as it would if nobody looked?',
  nodes: 3,
  topology: { kind: 'full' },
  node: { syncInterval: '3s' },
  chains: [{ chainId: 'eip155:31337', blockEvery: '2s', finalityDepth: 1 }],
  workload: [{ kind: 'announce', perSecond: 2, until: '7s', contended: true, chains: ['eip155:31337'] }],
  faults: [
    { kind: 'crash', nodes: { nodes: [1] }, at: '2s', for: '1s' },
    { kind: 'cut', from: { nodes: [0] }, to: 'all', at: '4s', until: '6s' }
  ],
  byzantine: [{ kind: 'spam', nodes: { nodes: [2] }, at: '1s', until: '6s' }],
  faultsEnd: '8s',
  convergeWithin: '40s',
  sampleEvery: '500ms',
  foldEvery: '1s'
}

interface Traced {
  readonly hash: string
  readonly failures: readonly unknown[]
  readonly lines: readonly string[]
}

async function traced(...how: readonly string[]): Promise<Traced> {
  const path = join(newFolder(), 'trace.jsonl.gz')
  const args = ['--expose-gc', '--import', INSTALL, CHILD, JSON.stringify(SCENARIO), path, ...how]
  const { stdout } = await run(process.execPath, args)
  const lines = gunzipSync(readFileSync(path)).toString('utf8').trimEnd().split('\n')
  return { ...(JSON.parse(stdout) as Omit<Traced, 'lines'>), lines }
}

test('neither checks nor the collection of garbage change what happens in a run, down to its frames', async () => {
  const [usual, unchecked, collected] = await Promise.all([traced(), traced('unchecked'), traced('garbage')])
  expect(usual.failures).toEqual([])
  expect(collected.hash).toBe(usual.hash)
  // Without the checks nobody finds that all hold the same, and so it goes on.
  const converged = usual.lines.findIndex((line) => line.includes('"kind":"converged"'))
  expect(converged).toBeGreaterThan(1_000)
  expect(unchecked.lines.slice(0, converged)).toEqual(usual.lines.slice(0, converged))
})

import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

/** Three nodes, some seconds: a run takes hardly longer than its process does to start. */
export const TINY = `v: 1
name: tiny
asks: Do three nodes agree?
level: gossip
nodes: 3
topology: { kind: full }
workload:
  - { kind: announce, perSecond: 2, until: 3s }
faults:
  - { kind: pause, nodes: { nodes: [1] }, at: 1s, for: 1s }
  - { kind: cut, from: { nodes: [0] }, to: { nodes: [2] }, at: 1s, until: 2s }
faultsEnd: 4s
convergeWithin: 90s
`

/** A check that finds every pause to be wrong. */
export const NO_PAUSES = `export const simulation = {
  checks: [
    {
      name: 'no-pauses',
      onEnd(simulation) {
        if (simulation.scenario.faults.some(({ kind }) => kind === 'pause'))
          simulation.fail({ check: 'no-pauses', node: 'n1', detail: 'it was paused' })
      }
    }
  ]
}
`

/** What differs from process to process. */
export const ANOTHER_EACH_TIME = `export const simulation = {
  checks: [
    { name: 'pid', onEnd: (simulation) => simulation.fail({ check: 'pid', detail: String(process.pid) }) }
  ]
}
`

/** A check in which the run with seed 1 stands still, longer than any test waits. */
export const FIRST_STANDS_STILL = `export const simulation = {
  checks: [
    {
      name: 'stands-still',
      onEnd(simulation) {
        if (simulation.seed === '1') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000)
      }
    }
  ]
}
`

/** A check in which runs with seed 1 wait until so many others are at their ends, and fail where they never are. */
export const firstWaitsForOthers = (folder: string, others: number): string => `
import { readdirSync, writeFileSync } from 'node:fs'
const wait = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
export const simulation = {
  checks: [
    {
      name: 'waits',
      onEnd(simulation) {
        const folder = ${JSON.stringify(folder)}
        if (simulation.seed !== '1') return writeFileSync(folder + '/ended-' + process.pid, '')
        for (let looks = 0; looks < 600; looks += 1) {
          if (readdirSync(folder).filter((name) => name.startsWith('ended-')).length >= ${others}) return
          wait()
        }
        simulation.fail({ check: 'waits', detail: 'for ever' })
      }
    }
  ]
}
`

/** A check that ends the process of its run. */
export const GONE_AT_ONCE = `export const simulation = {
  checks: [{ name: 'gone', onEnd: () => process.exit(7) }]
}
`

/** A workload: node 0 announces one batch, at so many seconds. */
export const ONE_BATCH = `export const simulation = {
  workloads: {
    'one-batch': (run, { at }) =>
      run.at(Number(at) * 1_000_000, async () => {
        const namespace = 'sim:main'
        await run.nodes[0]?.ask(async (node) => {
          await node.seal({ namespace, batchId: 'only', receipts: [{ invoice: 1 }] })
          await node.announce({ namespace, batchId: 'only', timestampAnchors: [] })
        })
      })
  }
}
`

/** Writes a file and returns its path. */
export function written(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Each file below the folder with its bytes, in hex. */
export function filesBelow(folder: string): Readonly<Record<string, string>> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return Object.fromEntries(names.map((path) => [path.slice(folder.length + 1), readFileSync(path).toString('hex')]))
}

// The matchers of vitest by types that say what they are.
export const containing = (text: string): unknown => expect.stringContaining(text)
export const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern)
export const having = (members: object): unknown => expect.objectContaining(members)
export const among = (items: readonly unknown[]): unknown => expect.arrayContaining([...items])

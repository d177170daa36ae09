import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const run = promisify(execFile)
const LEVELS = ['full', 'gossip'] as const

/** Runs a script of this folder in a process whose time and randomness are the simulation's. */
async function inWorld(script: string, ...args: readonly (string | number)[]): Promise<unknown> {
  const world = join(import.meta.dirname, '../../../simulations/world/install.ts')
  const command = ['--import', world, join(import.meta.dirname, script), ...args.map(String)]
  return JSON.parse((await run(process.execPath, command)).stdout) as unknown
}

const summarySchema = z.object({
  delivery: z.number(),
  latencyMs: z.number(),
  latencyMs95: z.number(),
  duplicatesPerDelivery: z.number(),
  meshDegree: z.number(),
  connections: z.number(),
  gossipBytes: z.number(),
  trace: z.string()
})
const gossip = async (
  level: string,
  nodes: number,
  seconds: number,
  seed: number
): Promise<z.infer<typeof summarySchema>> =>
  summarySchema.parse(await inWorld('gossip.child.ts', level, nodes, seconds, 2, seed))

describe('both levels', () => {
  it('agree on delivery, latency, duplicates, and bytes of gossip', async () => {
    const full = await gossip('full', 20, 20, 1)
    const thin = await gossip('gossip', 20, 20, 1)
    expect([full.delivery, thin.delivery]).toEqual([1, 1])
    const ratio = (
      name: 'latencyMs' | 'latencyMs95' | 'duplicatesPerDelivery' | 'gossipBytes' | 'connections'
    ): number => thin[name] / full[name]
    // What differs is the time that a connection takes to open, and with it who is in whose mesh.
    expect(Math.abs(ratio('latencyMs') - 1)).toBeLessThan(0.1)
    expect(Math.abs(ratio('latencyMs95') - 1)).toBeLessThan(0.1)
    expect(Math.abs(ratio('duplicatesPerDelivery') - 1)).toBeLessThan(0.15)
    expect(Math.abs(ratio('gossipBytes') - 1)).toBeLessThan(0.1)
    expect(Math.abs(ratio('connections') - 1)).toBeLessThan(0.05)
    expect(Math.abs(thin.meshDegree - full.meshDegree)).toBeLessThan(0.5)
  })

  it.each(LEVELS)('do the same twice, and something else from another seed: %s', async (level) => {
    const nodes = level === 'full' ? 6 : 20
    const once = await gossip(level, nodes, 5, 1)
    expect(await gossip(level, nodes, 5, 1)).toMatchObject({ trace: once.trace })
    expect((await gossip(level, nodes, 5, 2)).trace).not.toBe(once.trace)
  })

  const seconds = z.number()
  const faultsSchema = z.record(z.string(), z.unknown())

  it.each(LEVELS)('notice cuts, crashes, losses of power and pauses as real ones do: %s', async (level) => {
    const said = faultsSchema.parse(await inWorld('faults.child.ts', level))
    const took = (name: string): number => seconds.parse(said[name])
    const sent = { bytes: 3_000_000, ok: true }
    expect(said).toMatchObject({
      stream: sent,
      slowStream: sent,
      unsupported: { ok: false, reason: 'unsupported' },
      heardInPartition: [false, true, true, false, false, false],
      afterShortCut: [5, 5, 5, 5, 5, 5]
    })
    expect(took('connectSeconds')).toBeLessThan(2)
    // A ping every ten seconds and five for the answer, and on the thin host up to five more.
    for (const silent of ['partitionSeconds', 'oneWaySeconds', 'powerLossSeconds', 'pauseSeconds']) {
      expect(took(silent)).toBeGreaterThan(3)
      expect(took(silent)).toBeLessThan(21)
    }
    for (const loud of ['crashSeconds', 'stopSeconds']) expect(took(loud)).toBeLessThan(1)
    // The keeper waits up to a minute between two tries.
    for (const back of ['healSeconds', 'oneWayHealSeconds', 'restartSeconds', 'powerBackSeconds', 'resumeSeconds'])
      expect(took(back)).toBeLessThan(62)
  })
})

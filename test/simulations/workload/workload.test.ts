import { expect, test } from 'vitest'
import { decodeEvent } from '../../../protocols/event/v1/codec.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import type { Simulation } from '../../../simulations/model/simulation.ts'
import { gapUs } from '../../../simulations/workload/arrivals.ts'
import { makeHistory } from '../../../simulations/workload/history.ts'
import { startWorkloads } from '../../../simulations/workload/workloads.ts'
import { AnchormeshError } from '../../../src/platform/errors.ts'
import type { FailureCode } from '../../../src/platform/errors.ts'
import { localSigner } from '../../../src/trust/local-signer.ts'
import { FakeSimulation } from '../faults/fake-simulation.ts'

const HEAD = 'v: 1\nname: x\nasks: What?\nnodes: 4\norganisations: 2\nfaultsEnd: 100s\nconvergeWithin: 10s\n'

test('so many a second come, with gaps that differ', () => {
  const random = seededRandom('gaps')
  const gaps = Array.from({ length: 2_000 }, () => gapUs(4, random))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  expect(mean).toBeGreaterThan(245_000)
  expect(mean).toBeLessThan(255_000)
  expect(new Set(gaps).size).toBeGreaterThan(1_000)
})

test('a history is one chain of one signer, the same for the same seed', async () => {
  const author = { signer: localSigner(new Uint8Array(32).fill(7)), orgId: 'org-0' }
  const options = { namespace: 'sim:main', events: 20, nowMs: 1_750_000_000_000 }
  const { wires, lastId } = await makeHistory(author, options)
  const events = wires.map((wire) => {
    const decoded = decodeEvent(wire)
    if (!decoded.ok) throw new Error('the history holds what is no event')
    return decoded.event
  })
  expect(events.map(({ envelope }) => envelope.authorSeq)).toEqual(events.map((_, index) => index + 1))
  expect(events.slice(1).map(({ envelope }) => envelope.prev)).toEqual(events.slice(0, -1).map(({ id }) => id))
  expect(events.at(-1)?.id).toBe(lastId)
  expect(await makeHistory(author, options)).toEqual({ wires, lastId })
})

/** What nodes that seal and announce were asked for, while what they answer is as `answer` says. */
async function asked(
  load: string,
  answer: () => string,
  further = ''
): Promise<FakeSimulation & { readonly batches: string[] }> {
  const fake = new FakeSimulation(
    `${HEAD}${further}workload: [{ kind: announce, perSecond: 2, until: 50s, ${load} }]\n`
  )
  const batches: string[] = []
  const acknowledged: string[] = []
  const node = {
    seal: async () => {},
    announce: async ({ batchId }: { readonly batchId: string }) => {
      batches.push(batchId)
      return { id: answer() }
    },
    anchor: async ({ rail, chainId }: { readonly rail: string; readonly chainId: string }) =>
      void batches.push(`${rail} ${chainId}`)
  }
  for (const each of fake.nodes)
    Object.assign(each, { isHonest: true, ask: async (use: (running: unknown) => Promise<unknown>) => await use(node) })
  const ledger = { acknowledged: (_: unknown, id: string) => void acknowledged.push(id) }
  startWorkloads({ ...fake.simulation, ledger } as unknown as Simulation, [])
  await fake.runTo(100)
  return Object.assign(fake, { batches, acknowledged })
}

test('batches are announced by all in turn by lot, each with a name of its own', async () => {
  const { batches } = await asked('by: all', () => 'id')
  expect(batches.length).toBeGreaterThan(90)
  expect(batches.length).toBeLessThan(110)
  expect(new Set(batches).size).toBe(batches.length)
  expect(new Set(batches.map((batch) => batch.split('-')[2])).size).toBe(4)
})

test('contended batches have the same names on every node', async () => {
  const { batches } = await asked('contended: true', () => 'id')
  expect(new Set(batches).size).toBeLessThan(batches.length / 2)
})

const refusing =
  (...[code, detail]: readonly [FailureCode, Readonly<Record<string, string>>?]) =>
  (): never => {
    throw new AnchormeshError(code, 'no', detail === undefined ? {} : { detail })
  }

test.each([
  ['STORE_FULL', undefined, 'kind: disk-full, nodes: all'],
  ['NODE_NOT_RUNNING', undefined, 'kind: stop, nodes: all'],
  ['OWN_CHAIN_BEHIND', undefined, 'kind: lose-disk, nodes: all, for: 1s'],
  ['PUBLISH_REFUSED', { code: 'KEY_CUT_OFF' }, 'kind: revoke, node: 1'],
  ['PUBLISH_REFUSED', { code: 'FUTURE_TIMESTAMP' }, 'kind: clock, nodes: all'],
  ['PUBLISH_REFUSED', { code: 'OVERLOADED' }, 'kind: slow-disk, nodes: all, syncMs: { constantMs: 1 }']
] as const)('%s %o is expected once there is a reason, and not before', async (code, detail, fault) => {
  const faults = (at: string): string => `faults: [{ ${fault}, at: ${at} }]\n`
  await expect(asked('by: all', refusing(code, detail), faults('0s'))).resolves.toBeDefined()
  await expect(asked('by: all', refusing(code, detail), faults('60s'))).rejects.toThrow('no')
  await expect(asked('by: all', refusing(code, detail))).rejects.toThrow('no')
})

test('a batch may be there where names are the same everywhere, a rate be over where there is one', async () => {
  await expect(asked('contended: true', refusing('BATCH_EXISTS'))).resolves.toBeDefined()
  await expect(asked('by: all', refusing('BATCH_EXISTS'))).rejects.toThrow('no')
  const limited = refusing('PUBLISH_REFUSED', { code: 'RATE_LIMITED' })
  await expect(asked('by: all', limited, 'node: { perSigner: 1 }\n')).resolves.toBeDefined()
  await expect(asked('by: all', limited)).rejects.toThrow('no')
})

test('what else is refused, or thrown, is a defect', async () => {
  const everything = 'faults: [{ kind: disk-full, nodes: all, at: 0s }, { kind: revoke, node: 1, at: 0s }]\n'
  for (const code of ['PREDECESSOR_MISSING', 'KEY_UNKNOWN', 'CHAIN_BROKEN'])
    await expect(asked('by: all', refusing('PUBLISH_REFUSED', { code }), everything)).rejects.toThrow('no')
  const defect = (): never => {
    throw new Error('a defect')
  }
  await expect(asked('by: all', defect, everything)).rejects.toThrow('a defect')
})

test('a workload of one’s own needs the module that has it', () => {
  const fake = new FakeSimulation(`${HEAD}workload: [{ kind: own, name: mine, options: { rate: 3 } }]\n`)
  const started: unknown[] = []
  startWorkloads(fake.simulation, [{ workloads: { mine: (_, options) => void started.push(options) } }])
  expect(started).toEqual([{ rate: 3 }])
  expect(() => startWorkloads(fake.simulation, [])).toThrow('no extension has a workload named mine')
})

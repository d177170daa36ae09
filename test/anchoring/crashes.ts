import fc from 'fast-check'
import { expect } from 'vitest'
import { BlobStore } from '../../src/log/blob-store.ts'
import type { CheckpointKeeper } from '../../src/log/checkpoint-file.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import type { ReceiptRow } from '../../src/projections/receipts.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { collect } from '../support/collect.ts'
import { CrashStore } from '../support/crash-store.ts'
import { NAMESPACE } from '../support/identities.ts'
import { WrappedStore } from '../support/stores.ts'
import type { AnchoringNode, World } from './support.ts'
import { BTC, TSA, announces, chainsIn, failed, newClock, newWorld, openAnchoring, payments, turns } from './support.ts'

const EVERY_MS = 600_000
const START_MS = 1_750_000_000_000

/** A process: it ends with the write that is counted down to. */
interface Life {
  alive: boolean
  writesLeft: number
  /** Whether that write still reaches the disk. */
  readonly keepsLast: boolean
}

/** A disk that a process writes to while it lives; afterwards no write is answered. */
class MortalStore extends WrappedStore {
  readonly #life: Life

  constructor(disk: CrashStore, life: Life) {
    super(disk)
    this.#life = life
  }

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    const life = this.#life
    if (life.alive) life.writesLeft -= 1
    const isLast = life.alive && life.writesLeft === 0
    if (isLast) life.alive = false
    if (life.alive || (isLast && life.keepsLast)) await super.write(operations, options)
    if (!life.alive) await new Promise<never>(() => {})
  }
}

type Step =
  | { readonly do: 'hand-in'; readonly receipts: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'forget'; readonly pick: number }
  | { readonly do: 'trouble'; readonly with: 'tsa' | 'btc' | 'tsa-verifier' | 'btc-verifier'; readonly kind: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('hand-in' as const), receipts: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 30_000, EVERY_MS) }),
  fc.record({ do: fc.constant('forget' as const), pick: fc.nat(20) }),
  fc.record({
    do: fc.constant('trouble' as const),
    with: fc.constantFrom('tsa', 'btc', 'tsa-verifier', 'btc-verifier' as const),
    kind: fc.integer({ min: 0, max: 2 })
  })
)

const run = fc.record({
  rails: fc.constantFrom<('tsa' | 'btc')[][]>([], ['tsa'], ['btc'], ['btc', 'tsa']),
  /** Steps of one process after another; each ends at its write number `writes`, or when its steps are done. */
  lives: fc.array(
    fc.record({
      writes: fc.integer({ min: 1, max: 40 }),
      keepsLast: fc.boolean(),
      /** How much of what was not synced is left. */
      left: fc.double({ min: 0, max: 1, noNaN: true }),
      steps: fc.array(step, { minLength: 1, maxLength: 8 })
    }),
    { minLength: 1, maxLength: 6 }
  )
})

type Run = typeof run extends fc.Arbitrary<infer Drawn> ? Drawn : never

/**
 * Whatever fails outside, and wherever the process ends: no receipt that was taken is lost or sealed twice, none that was
 * forgotten is there, nothing is
 * paid for twice, and each batch is announced exactly once, with evidence of every rail.
 */
export async function checkCrashes(numRuns: number): Promise<void> {
  await fc.assert(fc.asyncProperty(run, checkRun), { numRuns, examples: [[FORGOTTEN_BETWEEN], [INVALID_AFTERWARDS]] })
}

/** The process ends when a batch is sealed and nothing else of it is, and the next one forgets its only receipt. */
const FORGOTTEN_BETWEEN: Run = {
  rails: ['btc', 'tsa'],
  lives: [
    { writes: 3, keepsLast: false, left: 0, steps: [{ do: 'trouble', with: 'tsa', kind: 0 }] },
    {
      writes: 20,
      keepsLast: false,
      left: 0,
      steps: [
        { do: 'hand-in', receipts: 5 },
        { do: 'forget', pick: 0 },
        { do: 'wait', ms: EVERY_MS }
      ]
    },
    {
      writes: 15,
      keepsLast: false,
      left: 0,
      steps: [
        { do: 'forget', pick: 0 },
        { do: 'forget', pick: 14 },
        { do: 'hand-in', receipts: 1 }
      ]
    }
  ]
}

/** The process ends when a batch is announced and its job not marked; the next one finds its evidence invalid. */
const INVALID_AFTERWARDS: Run = {
  rails: ['tsa'],
  lives: [
    {
      writes: 29,
      keepsLast: true,
      left: 0,
      steps: [
        { do: 'hand-in', receipts: 5 },
        { do: 'hand-in', receipts: 1 },
        { do: 'hand-in', receipts: 2 },
        { do: 'wait', ms: 1_000 }
      ]
    },
    {
      writes: 11,
      keepsLast: true,
      left: 0,
      steps: [
        { do: 'hand-in', receipts: 1 },
        { do: 'trouble', with: 'tsa-verifier', kind: 2 },
        { do: 'hand-in', receipts: 1 },
        { do: 'hand-in', receipts: 1 }
      ]
    },
    { writes: 3, keepsLast: true, left: 0, steps: [{ do: 'forget', pick: 0 }] }
  ]
}

async function checkRun({ rails, lives }: Run): Promise<void> {
  const world = newWorld()
  const told: Told = { acknowledged: [], asked: new Set(), forgotten: new Set() }
  let disks: Disks = { store: await CrashStore.open(), blobs: await CrashStore.open() }
  let checkpoint: CheckpointKeeper = disks.store.checkpoint
  let now = START_MS
  const last = { writes: Number.POSITIVE_INFINITY, keepsLast: true, left: 1, steps: [] }
  for (const [index, { writes, keepsLast, left, steps }] of [...lives, last].entries()) {
    const life: Life = { alive: true, writesLeft: writes, keepsLast }
    const clock = newClock(now)
    const place = {
      store: new MortalStore(disks.store, life),
      blobs: new MortalStore(disks.blobs, life),
      checkpoint,
      clock
    }
    const sealing = { [NAMESPACE]: { everyMs: EVERY_MS, maxReceipts: 4, rails } }
    const isAlive = (): boolean => life.alive
    const opening = openAnchoring({ world, place, sealing, isAlive, seed: `life ${index}` })
    // A process that ends before the node is open never opens it.
    const anchoring = await Promise.race([opening, whenDead(life)])
    if (anchoring !== null) {
      await anchoring.node.start()
      for (const one of steps) if (life.alive) await take(one, anchoring, world, told)
      if (index === lives.length) {
        await heal(anchoring, world)
        await checkEnd(anchoring, rails, told)
        await anchoring.node.close()
        return
      }
    }
    life.alive = false
    now = clock.now()
    const store = await afterCrash(disks.store, left)
    disks = { store, blobs: await afterCrash(disks.blobs, left) }
    checkpoint = store.checkpoint
  }
}

/** What those who handed receipts in were told. */
interface Told {
  readonly acknowledged: string[]
  /** Those that somebody asked to be forgotten, and of these those that were. */
  readonly asked: Set<string>
  readonly forgotten: Set<string>
}

interface Disks {
  readonly store: CrashStore
  readonly blobs: CrashStore
}

async function afterCrash(disk: CrashStore, left: number): Promise<CrashStore> {
  const writes = disk.durable + Math.floor(left * (disk.writes - disk.durable))
  return (await disk.afterCrash(writes)).store as CrashStore
}

async function whenDead(life: Life): Promise<null> {
  while (life.alive) await turns()
  return null
}

async function take(one: Step, { node, pass }: AnchoringNode, world: World, told: Told): Promise<void> {
  switch (one.do) {
    case 'hand-in': {
      const receipts = Array.from({ length: one.receipts }, (_, index) => `receipt ${index}`)
      const handed = node.handIn({ namespace: NAMESPACE, receipts })
      // A process that ends meanwhile answers nobody.
      const taken = handed.then(({ receiptHashes }) => void told.acknowledged.push(...receiptHashes))
      await Promise.race([taken, turns()])
      return
    }
    case 'forget': {
      const receipt = told.acknowledged[one.pick % Math.max(1, told.acknowledged.length)]
      if (receipt === undefined) return
      told.asked.add(receipt)
      const forgotten = node.forget({ receipt, reason: 'asked for' }).then(() => void told.forgotten.add(receipt))
      await Promise.race([forgotten, turns()])
      return
    }
    case 'wait':
      await pass(one.ms)
      return
    case 'trouble': {
      const { kind } = one
      const verdict = TROUBLE[kind] ?? TROUBLE[0]
      if (one.with === 'tsa') queueUp(world.steps, TSA, kind === 0 ? failed('TSA_REQUEST_FAILED') : 'throw')
      else if (one.with === 'btc') queueUp(world.steps, BTC, kind === 0 ? 'hang' : 'throw')
      else if (verdict !== undefined) queueUp(world.verdicts, one.with === 'tsa-verifier' ? TSA : BTC, verdict)
    }
  }
}

const TROUBLE: readonly VerifierResult[] = [
  { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 0 },
  { outcome: 'notYetFinal', depth: 0, needed: 6, retryAfterMs: 0 },
  { outcome: 'invalid', code: 'BTC_NOT_BEST_CHAIN', detail: 'gone' }
]

function queueUp<Value>(queues: Map<string, Value[]>, chainId: string, value: Value): void {
  queues.set(chainId, [...(queues.get(chainId) ?? []), value])
}

/** Nothing fails any more, for as long as everything can take. */
async function heal({ pass }: AnchoringNode, world: World): Promise<void> {
  world.steps.clear()
  world.verdicts.clear()
  for (let hour = 0; hour < 4; hour += 1) await pass(3_600_000)
}

async function checkEnd(
  { node, world, blobs }: AnchoringNode,
  rails: readonly ('tsa' | 'btc')[],
  { acknowledged, asked, forgotten }: Told
): Promise<void> {
  const { log, anchoring } = await node.status()
  expect(anchoring).toMatchObject({ underWay: 0, failed: 0, sealing: [{ receipts: 0, problem: null }] })
  const { rows } = await node.query('receipts', { waitFor: log.logSeq, limit: 500 })
  const sealed = (rows as ReceiptRow[]).map(({ leafHash }) => leafHash)
  expect(new Set(sealed).size).toBe(sealed.length)
  const rowsHeld = (rows as ReceiptRow[]).filter(({ status }) => status === 'held').map(({ leafHash }) => leafHash)
  expect(await new BlobStore(blobs).getMany(rowsHeld)).not.toContain(undefined)
  for (const hash of acknowledged) if (!asked.has(hash)) expect(sealed).toContain(hash)
  const kept = await new BlobStore(blobs).getMany(acknowledged)
  for (const [index, hash] of acknowledged.entries()) if (forgotten.has(hash)) expect(kept[index]).toBeUndefined()
  const batches = [...new Set((rows as ReceiptRow[]).map(({ batchId }) => batchId))].sort()
  const seals = await collect(node.events({ scope: 'local', type: 'batch-sealed' }))
  expect(seals.map(({ event }) => (event['body'] as { batchId: string }).batchId).sort()).toEqual(batches)
  for (const batchId of batches)
    for await (const { record, leafHash } of node.proofs(NAMESPACE, batchId)) {
      if (record === null) expect(asked).toContain(leafHash)
      else expect(record).toContain('receipt')
    }
  const announced = await announces(node)
  expect((announced as { batchId: string }[]).map(({ batchId }) => batchId).sort()).toEqual(batches)
  const chains = rails.map((rail) => (rail === 'tsa' ? TSA : BTC)).sort()
  for (const announce of announced) expect(chainsIn(announce)).toEqual(chains)
  expect(payments(world).every((count) => count === 1)).toBe(true)
  expect(payments(world)).toHaveLength(rails.includes('btc') ? batches.length : 0)
}

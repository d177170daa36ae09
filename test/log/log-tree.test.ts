import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { inclusionProof, merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { recordLeaf, verifyConsistency } from '../../protocols/checkpoint/v1/tree.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { LogTree } from '../../src/log/log-tree.ts'
import type { LogRecord } from '../../src/log/record.ts'
import type { Store } from '../../src/log/store.ts'
import { prefixRange } from '../../src/log/store.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { CountedStore, WrappedStore } from '../support/stores.ts'

/** A log of nothing but hashes; appended to as the log does it. */
class HashLog {
  readonly store: Store
  readonly hashes: Uint8Array[] = []
  failures: string[] = []
  recordsRead = 0
  tree: LogTree

  constructor(store: Store) {
    this.store = store
    this.tree = new LogTree({ store, logger: silentLogger }, this)
  }

  get head(): { logSeq: number; hash: Uint8Array } {
    return { logSeq: this.hashes.length, hash: this.hashes.at(-1) ?? new Uint8Array(32) }
  }

  async *records(after: number, upTo: number): AsyncGenerator<LogRecord> {
    for (let logSeq = after + 1; logSeq <= upTo; logSeq += 1) {
      this.recordsRead += 1
      const hash = this.hashes[logSeq - 1] as Uint8Array
      yield { logSeq, scope: 'local', recordedAt: 0, hash, payload: new Uint8Array() }
    }
  }

  writeFailed(reason: string): void {
    this.failures.push(reason)
    this.tree.reset()
  }

  /** A group of records whose write takes a moment, in which `meanwhile` happens. */
  async append(count: number, meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    const added = Array.from({ length: count }, (_, index) => sha256(`record ${this.hashes.length + index}`))
    const growth = this.tree.grow(added)
    await this.store.write(growth.operations, { sync: true })
    await meanwhile()
    this.hashes.push(...added)
    growth.commit()
  }

  /** As after a restart. */
  reopen(): void {
    this.tree = new LogTree({ store: this.store, logger: silentLogger }, this)
  }

  leaves(size = this.hashes.length): Uint8Array[] {
    return this.hashes.slice(0, size).map(recordLeaf)
  }
}

async function hashLog(records = 0): Promise<HashLog> {
  const store = await openMemoryStore()
  onTestFinished(() => store.close())
  const log = new HashLog(store)
  for (let index = 0; index < records; index += 1) log.hashes.push(sha256(`record ${index}`))
  return log
}

async function entries(store: Store): Promise<[string, string][]> {
  const found: [string, string][] = []
  for await (const [key, bytes] of store.range(prefixRange('x!'))) found.push([key, Buffer.from(bytes).toString('hex')])
  return found
}

async function expectTree(log: HashLog, size: number, index: number, from: number): Promise<void> {
  const tree = await log.tree.ready()
  expect(tree.size).toBe(log.hashes.length)
  const leaves = log.leaves(size)
  const root = merkleRoot(leaves)
  expect(toHex(await tree.root(size))).toBe(toHex(root))
  if (size === 0) return
  expect((await tree.inclusion(index + 1, size)).map(toHex)).toEqual(inclusionProof(leaves, index).map(toHex))
  expect(toHex(await tree.leaf(index + 1))).toBe(toHex(leaves[index] as Uint8Array))
  const proof = await tree.consistency(from, size)
  const claim = { from, fromRoot: merkleRoot(log.leaves(from)), to: size, toRoot: root, proof }
  expect(verifyConsistency(claim)).toBe(true)
}

describe('the tree over the log', () => {
  test('groups of any size, restarts and builds at any moment: roots and proofs are those of RFC 9162', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 600 }) }),
      fc.record({ kind: fc.constant('restart' as const), count: fc.constant(0) }),
      fc.record({ kind: fc.constant('build' as const), count: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ kind: fc.constant('reset' as const), count: fc.integer({ min: 1, max: 300 }) })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.nat(), fc.nat(), fc.nat(), async (steps, a, b, c) => {
        const log = await hashLog()
        for (const { kind, count } of steps) {
          if (kind === 'restart') log.reopen()
          else if (kind === 'append') await log.append(count)
          // A group is being written while the tree is built, or looked at anew.
          else if (kind === 'build') await log.append(count, () => log.tree.ready())
          else await log.append(count, async () => log.tree.reset())
        }
        await log.tree.ready()
        // What is complete stands in the store as soon as the next group has been written.
        await log.append(1)
        const size = 1 + (a % log.hashes.length)
        await expectTree(log, size, b % size, 1 + (c % size))
        const stored = await entries(log.store)
        expect(stored.filter(([key]) => key.startsWith('x!0!'))).toHaveLength(Math.floor(log.hashes.length / 256))
        // Whatever the history, the entries are those of a tree that is built at once.
        const anew = await hashLog(log.hashes.length)
        await anew.tree.ready()
        expect(await entries(anew.store)).toEqual(stored)
      }),
      { numRuns: 40 }
    )
  })

  test('three levels: 65,536 records and more, with proofs across them', async () => {
    const log = await hashLog(65_536 - 100)
    await log.tree.ready()
    await log.append(300)
    await log.append(500)
    for (const [size, index, from] of [
      [66_236, 65_535, 65_536],
      [65_536, 0, 1],
      [66_000, 300, 65_537],
      [65_537, 65_536, 40_000]
    ] as const)
      await expectTree(log, size, index, from)
    expect((await entries(log.store)).filter(([key]) => key.startsWith('x!2!'))).toHaveLength(1)
    log.reopen()
    await expectTree(log, 66_236, 12_345, 300)
  })

  test('a store that has its tree is opened by reading less than a tile of records, whatever its length', async () => {
    const log = await hashLog(20_000)
    await log.tree.ready()
    log.recordsRead = 0
    const counted = new CountedStore(log.store)
    log.tree = new LogTree({ store: counted, logger: silentLogger }, log)
    await log.tree.ready()
    expect(log.recordsRead).toBe(20_000 % 256)
    expect(counted.entries).toBeLessThanOrEqual(1)
  })

  test('records cost next to no puts: three for every 256', async () => {
    const log = await hashLog()
    await log.tree.ready()
    let puts = 0
    for (let index = 0; index < 1_024; index += 1) {
      const growth = log.tree.grow([sha256(`record ${index}`)])
      puts += growth.operations.length
      log.hashes.push(sha256(`record ${index}`))
      growth.commit()
    }
    expect(puts).toBe(8)
  })

  test('appends do not wait for a build, and records that come meanwhile are in it', async () => {
    const log = await hashLog(3_000)
    const ready = log.tree.ready()
    expect(log.tree.view).toBeNull()
    for (let index = 0; index < 20; index += 1) await log.append(7)
    await ready
    await expectTree(log, 3_140, 3_100, 2_999)
  })

  test('a build whose write fails tells the log, and goes on when it is asked again', async () => {
    const log = await hashLog(1_000)
    const failing = new (class extends WrappedStore {
      broken = true
      override async write(...given: Parameters<Store['write']>): Promise<void> {
        if (this.broken) throw Object.assign(new Error('no room'), { code: 'STORE_FULL' })
        await super.write(...given)
      }
    })(log.store)
    log.tree = new LogTree({ store: failing, logger: silentLogger }, log)
    await expect(log.tree.ready()).rejects.toThrow('no room')
    expect(log.failures).toEqual(['no room'])
    failing.broken = false
    await expectTree(log, 1_000, 0, 1)
  })

  test('a tree that is longer than the log is built anew', async () => {
    const log = await hashLog(1_000)
    await log.tree.ready()
    log.hashes.length = 600
    log.reopen()
    await expectTree(log, 600, 599, 100)
    expect(await entries(log.store)).toHaveLength(4)
  })

  test('no proof beyond the end, none backwards', async () => {
    const tree = await (async () => await (await hashLog(10)).tree.ready())()
    await expect(tree.root(11)).rejects.toThrow(RangeError)
    await expect(tree.inclusion(1, 11)).rejects.toThrow(RangeError)
    await expect(tree.inclusion(0, 10)).rejects.toThrow(RangeError)
    await expect(tree.consistency(5, 4)).rejects.toThrow(RangeError)
    await expect(tree.consistency(0, 4)).rejects.toThrow(RangeError)
  })
})

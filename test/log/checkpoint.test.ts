import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { CheckpointKeeper, StoreCheckpoint } from '../../src/log/checkpoint-file.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { CHECKPOINT_EVERY_MS } from '../../src/log/limits.ts'
import { temporaryFolder } from '../support/folders.ts'
import { until } from '../support/until.ts'
import { appendAll, openTestLog, unsignedChain } from './support.ts'

/** Keeps nothing until it is told to; then in the order in which it was asked. */
class SlowKeeper implements CheckpointKeeper {
  readonly asked: { readonly checkpoint: StoreCheckpoint; readonly done: PromiseWithResolvers<void> }[] = []
  underWay = 0
  underWayMax = 0
  fails = false

  read(): Promise<StoreCheckpoint | null> {
    return Promise.resolve(null)
  }

  async write(checkpoint: StoreCheckpoint): Promise<void> {
    this.underWay += 1
    this.underWayMax = Math.max(this.underWayMax, this.underWay)
    const done = Promise.withResolvers<void>()
    this.asked.push({ checkpoint, done })
    if (this.asked.length > 1) await done.promise
    this.underWay -= 1
    if (this.fails) throw new Error('ENOSPC: no space left on device, write')
  }
}

test('store.json follows the log within a second', async () => {
  const path = join(temporaryFolder(), 'store.json')
  const { log, clock } = await openTestLog({ checkpoint: checkpointFile(path) })
  await appendAll(log, unsignedChain(5))
  const head = (): number => (JSON.parse(readFileSync(path, 'utf8')) as StoreCheckpoint).head.logSeq
  expect(head()).toBe(0)
  await clock.advance(CHECKPOINT_EVERY_MS)
  await until('store.json is written', () => head() === 5)
  expect(clock.pendingTimers()).toBe(0)
  await log.close()
})

test('a checkpoint that is still being written when the log closes neither fails nor comes out last', async () => {
  const folder = temporaryFolder()
  for (let round = 0; round < 20; round += 1) {
    const path = join(folder, `store-${round}.json`)
    const { log, clock } = await openTestLog({ checkpoint: checkpointFile(path) })
    const events = unsignedChain(4)
    await appendAll(log, events.slice(0, 2))
    const advanced = clock.advance(CHECKPOINT_EVERY_MS)
    const appended = appendAll(log, events.slice(2))
    await log.close()
    await Promise.all([advanced, appended])
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ head: { logSeq: 4 } })
  }
  expect(readdirSync(folder)).toHaveLength(20)
})

test('one checkpoint is written at a time, with the head of its moment', async () => {
  const keeper = new SlowKeeper()
  const { log, clock } = await openTestLog({ checkpoint: keeper })
  const events = unsignedChain(6)
  await appendAll(log, events.slice(0, 2))
  await clock.advance(CHECKPOINT_EVERY_MS)
  await appendAll(log, events.slice(2, 4))
  await clock.advance(CHECKPOINT_EVERY_MS)
  await appendAll(log, events.slice(4))
  const closed = log.close()
  for (let index = 1; index < 4; index += 1) {
    await until(`checkpoint ${index} is asked for`, () => keeper.asked.length > index)
    keeper.asked[index]?.done.resolve()
  }
  await closed
  expect(keeper.underWayMax).toBe(1)
  expect(keeper.asked.map(({ checkpoint }) => checkpoint.head.logSeq)).toEqual([0, 2, 6, 6])
})

test('a log opens although store.json can not be written, with a warning: what it says is still true', async () => {
  const { log, store } = await openTestLog()
  await appendAll(log, unsignedChain(2))
  await log.close()
  const full: CheckpointKeeper = {
    read: () => Promise.resolve(null),
    write: () => Promise.reject(new Error('ENOSPC: no space left on device'))
  }
  const again = await openTestLog({ store, checkpoint: full })
  expect(again.log.head.logSeq).toBe(2)
  expect(again.lines).toMatchObject([
    { message: expect.stringContaining('missing') as string },
    { level: 'warn', message: expect.stringContaining('could not be written') as string }
  ])
})

test('a store.json that can not be written is told in the log, tried again after the next append, and keeps no log from closing', async () => {
  const keeper = new SlowKeeper()
  const { log, clock, lines } = await openTestLog({ checkpoint: keeper })
  keeper.fails = true
  await appendAll(log, unsignedChain(1))
  await clock.advance(CHECKPOINT_EVERY_MS)
  keeper.asked.at(-1)?.done.resolve()
  await until('it is told', () =>
    lines.some(({ level, message }) => level === 'warn' && message.includes('store.json'))
  )
  await appendAll(log, unsignedChain(1, { author: 'bob' }))
  await clock.advance(CHECKPOINT_EVERY_MS)
  await until('it is tried again', () => keeper.asked.length === 3)
  keeper.asked.at(-1)?.done.resolve()
  const closed = log.close()
  await until('it is tried once more', () => keeper.asked.length === 4)
  keeper.asked.at(-1)?.done.resolve()
  await closed
})

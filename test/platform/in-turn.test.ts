import { expect, test } from 'vitest'
import { InTurn } from '../../src/platform/in-turn.ts'
import { pause } from '../../src/platform/pause.ts'
import { createHandClock } from '../support/hand-clock.ts'

test('work is done in the order in which it was asked for, whatever fails; idle waits for all of it', async () => {
  const line = new InTurn()
  const gate = Promise.withResolvers<void>()
  const done: string[] = []
  const first = line.run(async () => {
    await gate.promise
    done.push('first')
    return 1
  })
  const second = line.run(() => Promise.reject(new Error('second')))
  const third = line.run(async () => void done.push('third'))
  const idle = line.idle().then(() => done.push('idle'))
  expect(done).toEqual([])
  gate.resolve()
  expect(await first).toBe(1)
  await expect(second).rejects.toThrow('second')
  await third
  await idle
  expect(done).toEqual(['first', 'third', 'idle'])
})

test('a pause ends when its time is over, when the signal aborts, and at once when it has', async () => {
  const clock = createHandClock()
  const stop = new AbortController()
  let ended = 0
  const over = pause(clock, 1_000, stop.signal).then(() => (ended += 1))
  await clock.advance(999)
  expect(ended).toBe(0)
  await clock.advance(1)
  await over
  const called = pause(clock, 1_000, stop.signal)
  stop.abort()
  await called
  await pause(clock, 1_000, stop.signal)
})

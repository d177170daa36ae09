import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { settled } from '../support/settled.ts'

const createClock = (startMs?: number) =>
  createVirtualClock({ settle: settled, ...(startMs === undefined ? {} : { startMs }) })

test('time stands still until it is told to go on', async () => {
  const clock = createClock(5_000)
  expect(clock.now()).toBe(5_000)
  await clock.advance(250.5)
  expect(clock.monotonicMs()).toBe(5_250.5)
  expect(clock.now()).toBe(5_250)
})

test('timers run at their own time, in order of due time and then of setting', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(50), { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }),
      async (delays, steps) => {
        const clock = createClock(1_000)
        const ran: [index: number, atMs: number][] = []
        delays.forEach((delayMs, index) => clock.after(delayMs, () => ran.push([index, clock.now()])))
        let advancedMs = 0
        for (const step of steps) {
          await clock.advance(step)
          advancedMs += step
        }
        const due = delays
          .map((delayMs, index): [number, number] => [index, delayMs])
          .filter(([, delayMs]) => delayMs <= advancedMs && steps.length > 0)
          .sort(([left, leftMs], [right, rightMs]) => leftMs - rightMs || left - right)
        expect(ran).toEqual(due.map(([index, delayMs]) => [index, 1_000 + delayMs]))
        expect(clock.timersSet).toBe(delays.length - due.length)
      }
    ),
    { numRuns: 50 }
  )
})

test('what a timer starts settles before the next one runs, and may set timers that come due on the way', async () => {
  const clock = createClock(0)
  const at: number[] = []
  const beat = async (): Promise<void> => {
    for (let count = 0; count < 4; count += 1) {
      await clock.sleep(10)
      at.push(clock.now())
    }
  }
  const beating = beat()
  await clock.advance(35)
  expect(at).toEqual([10, 20, 30])
  await clock.advance(5)
  await beating
  expect(at).toEqual([10, 20, 30, 40])
})

test('a timer that is cancelled never runs, and cancelling twice is harmless', async () => {
  const clock = createClock()
  const ran: string[] = []
  const cancel = clock.after(10, () => ran.push('cancelled'))
  clock.after(10, () => ran.push('kept'))
  cancel()
  cancel()
  await clock.advance(20)
  cancel()
  expect(ran).toEqual(['kept'])
  expect(clock.timersSet).toBe(0)
})

test('an aborted sleep rejects with the reason and leaves no timer', async () => {
  const clock = createClock()
  const controller = new AbortController()
  const sleeping = clock.sleep(1_000, controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(sleeping).rejects.toBe(reason)
  await expect(clock.sleep(1_000, controller.signal)).rejects.toBe(reason)
  expect(clock.timersSet).toBe(0)
})

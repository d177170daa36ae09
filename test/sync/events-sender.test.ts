import { expect, test } from 'vitest'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { EVENTS_FRAME_BYTES_MAX, EVENTS_IN_FRAME_MAX } from '../../protocols/range-sync/v1/frames.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { SessionChannel } from '../../src/sync/channel.ts'
import { sendEvents } from '../../src/sync/events-sender.ts'
import type { TransferPlan } from '../../src/sync/transfer-plan.ts'

/** Frames that were written, each of which took `tookMs`. */
async function sent(events: readonly Uint8Array[], tookMs: (frame: number) => number): Promise<Uint8Array[][]> {
  const frames: Uint8Array[][] = []
  const channel: Pick<SessionChannel, 'write'> = {
    write: (frame: Frame) => {
      if (frame.type !== 'events') throw new Error(frame.type)
      expect(encodeFrame(frame).length).toBeLessThanOrEqual(EVENTS_FRAME_BYTES_MAX)
      frames.push([...frame.events])
      return Promise.resolve(tookMs(frames.length))
    }
  }
  const plan: Pick<TransferPlan, 'events'> = {
    async *events() {
      for (let from = 0; from < events.length; from += 100) yield events.slice(from, from + 100)
      await Promise.resolve()
    }
  }
  const told: number[] = []
  const signal = new AbortController().signal
  const count = await sendEvents(plan as TransferPlan, channel as SessionChannel, (done) => told.push(done), signal)
  expect(count).toBe(events.length)
  expect(told.at(-1)).toBe(events.length)
  expect(frames.flat()).toEqual(events)
  return frames
}

const events = (count: number, bytes: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => new Uint8Array(bytes).fill(index))

test('a frame has at most 256 events', async () => {
  const frames = await sent(events(1_000, 10), () => 0)
  expect(frames.map(({ length }) => length)).toEqual([EVENTS_IN_FRAME_MAX, 256, 256, 232])
})

test('a frame has at most 256 KiB, also of the largest events', async () => {
  const frames = await sent(events(50, 49_152), () => 0)
  expect(frames.every(({ length }) => length === 5)).toBe(true)
})

test('frames get smaller while the link is slow, and grow again', async () => {
  const frames = await sent(events(2_000, 2_000), (frame) => (frame <= 6 ? 1_500 : 10))
  const bytes = frames.map((frame) => frame.length * 2_000)
  const least = Math.min(...bytes.slice(0, -1))
  expect(bytes[0]).toBeGreaterThan(250_000)
  expect(least).toBeLessThanOrEqual(16_384)
  expect(Math.max(...bytes.slice(bytes.indexOf(least)))).toBeGreaterThan(250_000)
})

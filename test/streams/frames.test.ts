import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createStreamPair } from '../../simulations/ports/memory-stream.ts'
import { frameStream } from '../../src/streams/frames.ts'
import type { FrameReading, FrameStream } from '../../src/streams/frames.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { collect } from '../support/collect.ts'
import { settled } from '../support/settled.ts'

const LIMIT = 100_000
const options = { frameBytesMax: LIMIT }

/** A stream that gives these chunks, and then ends or throws; what is written to it is lost. */
function streamOf(chunks: Iterable<Uint8Array>, end?: Error): PeerStream {
  return {
    peerId: 'peer',
    source: (async function* () {
      yield* chunks
      if (end !== undefined) throw end
    })(),
    async sink(source) {
      await collect(source)
    },
    abort: () => undefined
  }
}

async function readAll(frames: FrameStream): Promise<FrameReading[]> {
  const readings: FrameReading[] = []
  for (;;) {
    const reading = await frames.read()
    readings.push(reading)
    if (reading === null || !reading.ok) return readings
  }
}

const readingsOf = (chunks: Iterable<Uint8Array>, end?: Error): Promise<FrameReading[]> =>
  readAll(frameStream(streamOf(chunks, end), options))

/** The length as the specification has it, written down once more by hand. */
function encoded(frame: Uint8Array): Uint8Array {
  const length: number[] = []
  for (let rest = frame.length; ; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) | (rest < 128 ? 0 : 128))
    if (rest < 128) return Buffer.concat([Uint8Array.from(length), frame])
  }
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const frame = (...values: number[]): FrameReading => ({ ok: true, frame: Uint8Array.from(values) })

test('frames come out as they went in, however the link splits them', async () => {
  const sizes = fc.oneof(
    fc.constantFrom(1, 2, 127, 128, 129, 16_383, 16_384, 16_385, 40_000, LIMIT),
    fc.integer({ min: 1, max: 300 })
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(sizes, { maxLength: 6 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 30_000 })), { minLength: 1 }),
      async (lengths, cuts) => {
        const sent = lengths.map((length, index) => new Uint8Array(length).fill(index + 1))
        const wire = Buffer.concat(sent.map(encoded))
        const chunks = function* (): Generator<Uint8Array> {
          // Many small chunks, then as few as it takes.
          for (let at = 0, next = 0; at < wire.length; next += 1) {
            const size = next < 500 ? (cuts[next % cuts.length] ?? 1) : 30_000
            yield new Uint8Array(wire.subarray(at, at + size))
            at += size
          }
        }
        const reader = frameStream(streamOf(chunks()), options)
        const readings = await readAll(reader)
        expect(readings.pop()).toBeNull()
        expect(readings.length).toBe(sent.length)
        for (const [index, reading] of readings.entries())
          expect(reading?.ok === true && Buffer.compare(reading.frame, sent[index] ?? bytes()) === 0).toBe(true)
        expect(reader.bytesRead).toBe(wire.length)
      }
    ),
    { numRuns: 100 }
  )
})

test('the writer writes what the specification says, one chunk a frame', async () => {
  for (const length of [1, 127, 128, 16_383, 16_384, LIMIT]) {
    const { near, far } = createStreamPair('a', 'b', () => undefined)
    const sent = new Uint8Array(length).fill(7)
    const writer = frameStream(near, options)
    const written = writer.write(sent).then(() => writer.end())
    const received = await collect(far.source)
    await written
    expect(received).toHaveLength(1)
    expect(Buffer.compare(received[0] ?? bytes(), encoded(sent))).toBe(0)
    expect(writer.bytesWritten).toBe(received[0]?.length)
  }
})

test('any bytes give frames or a failure, and the same ones again afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), async (chunks) => {
      const whole = await readingsOf([Buffer.concat(chunks)])
      expect(await readingsOf(chunks)).toEqual(whole)
    })
  )
})

test.each<[what: string, chunks: Uint8Array[], code: string, detail: string]>([
  ['an empty frame', [bytes(0)], 'bad-frame', 'a frame is empty'],
  ['zero in two bytes', [bytes(0x80, 0)], 'bad-frame', 'a length is not in its shortest form'],
  ['one in two bytes', [bytes(0x81, 0, 9)], 'bad-frame', 'a length is not in its shortest form'],
  ['one in five bytes', [bytes(0x81, 0x80, 0x80, 0x80, 0, 9)], 'bad-frame', 'a length is not in its shortest form'],
  ['six bytes', [bytes(0x80, 0x80, 0x80, 0x80, 0x80, 1)], 'bad-frame', 'a length of more than 5 bytes'],
  ['five bytes of nothing', [bytes(0xff), bytes(0xff, 0xff, 0xff, 0xff)], 'bad-frame', 'a length of more than 5 bytes'],
  ['one byte too big', [encoded(new Uint8Array(LIMIT + 1)).subarray(0, 3)], 'too-big', 'a frame of 100001 bytes'],
  ['2^35 - 1', [bytes(0xff, 0xff, 0xff, 0xff, 0x7f)], 'too-big', 'a frame of 34359738367 bytes, above 100000'],
  ['an end within a length', [bytes(0x80)], 'broken', ''],
  ['an end right after a length', [bytes(5)], 'broken', 'within a frame'],
  ['an end within a frame', [bytes(5, 1), bytes(2)], 'broken', ''],
  ['an end within a large frame', [encoded(new Uint8Array(90_000)).subarray(0, 70_000)], 'broken', '']
])('%s, after a frame that is good', async (_what, chunks, code, detail) => {
  const readings = await readingsOf([bytes(2, 1, 2), ...chunks])
  expect(readings).toEqual([frame(1, 2), { ok: false, code, detail: expect.stringContaining(detail) as unknown }])
})

test('a stream that breaks is broken, and stays so; one without a byte has no frames', async () => {
  const reader = frameStream(streamOf([bytes(1, 7, 3, 1)], new Error('reset')), options)
  const broken = { ok: false, code: 'broken', detail: 'reset' }
  expect(await readAll(reader)).toEqual([frame(7), broken])
  expect(await reader.read()).toEqual(broken)
  expect(await readingsOf([])).toEqual([null])
})

test('a length that is too big is refused before the frame comes, whatever it announces', async () => {
  const { near, far } = createStreamPair('a', 'b', () => undefined)
  void near.sink(
    (async function* () {
      yield bytes(0xff, 0xff, 0xff, 0x7f)
      await new Promise(() => undefined)
    })()
  )
  expect(await frameStream(far, options).read()).toMatchObject({ ok: false, code: 'too-big' })
})

test('a frame is bytes of its own', async () => {
  const chunk = bytes(1, 7)
  const reader = frameStream(streamOf([chunk]), options)
  const reading = await reader.read()
  chunk.fill(9)
  expect(reading).toEqual(frame(7))
  expect(reading?.ok === true && reading.frame.buffer.byteLength).toBe(1)
})

test('frames in both directions over one stream, each side closed by itself', async () => {
  const { near, far } = createStreamPair('a', 'b', () => undefined)
  const [left, right] = [frameStream(near, options), frameStream(far, options)]
  expect([left.peerId, right.peerId]).toEqual(['b', 'a'])
  await left.write(bytes(1))
  await left.end()
  expect(await right.read()).toEqual(frame(1))
  expect(await right.read()).toBeNull()
  await right.write(bytes(2))
  expect(await left.read()).toEqual(frame(2))
  await right.end()
  expect(await left.read()).toBeNull()
  expect([left.bytesRead, left.bytesWritten, right.bytesRead, right.bytesWritten]).toEqual([2, 2, 2, 2])
  await left.end()
  await expect(left.write(bytes(1))).rejects.toThrow('this side is closed')
})

test('a writer is held back by a reader that does not read', async () => {
  const { near, far } = createStreamPair('a', 'b', () => undefined)
  const [writer, reader] = [frameStream(near, options), frameStream(far, options)]
  let written = 0
  const writing = (async () => {
    for (; written < 50; written += 1) await writer.write(new Uint8Array(1_000))
    await writer.end()
  })()
  await settled()
  expect(written).toBeLessThan(3)
  await reader.read()
  await settled()
  expect(written).toBeLessThan(6)
  expect((await readAll(reader)).length).toBe(50)
  await writing
})

test('what cannot be written is refused at once', async () => {
  const { near, far } = createStreamPair('a', 'b', () => undefined)
  const writer = frameStream(near, options)
  await expect(writer.write(bytes())).rejects.toThrow(RangeError)
  await expect(writer.write(new Uint8Array(LIMIT + 1))).rejects.toThrow(RangeError)
  const first = writer.write(bytes(1))
  await expect(writer.write(bytes(2))).rejects.toThrow('written already')
  const reading = writer.read()
  await expect(writer.read()).rejects.toThrow('read already')
  await first
  far.abort(new Error('enough'))
  expect(await reading).toMatchObject({ ok: false, code: 'broken' })
  await expect(writer.write(bytes(3))).rejects.toMatchObject({ name: 'FrameError', code: 'broken' })
  await expect(writer.end()).rejects.toMatchObject({ name: 'FrameError', code: 'broken' })
})

test('an abort ends a write that waits', async () => {
  const { near } = createStreamPair('a', 'b', () => undefined)
  const writer = frameStream(near, options)
  const outcomes = Promise.allSettled([writer.write(bytes(1)).then(() => writer.write(bytes(2)))])
  await settled()
  writer.abort(new Error('enough'))
  expect(await outcomes).toMatchObject([{ reason: { code: 'broken', message: 'enough' } }])
})

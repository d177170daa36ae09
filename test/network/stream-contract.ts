import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Network, NetworkHandlers } from '../../src/network/network.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { until } from '../support/until.ts'

/** A node of which the contract uses the network. */
export interface ContractNode {
  readonly peerId: string
  readonly network: Network
}

type Handlers = Omit<NetworkHandlers, 'judge'>

/** What the contract is run against. */
export interface StreamRig {
  /** Starts two nodes and resolves when they are connected. */
  pair(handlers: { readonly a?: Handlers; readonly b?: Handlers }): Promise<{ a: ContractNode; b: ContractNode }>
  stop(): Promise<void>
  /** A PeerId that is known or could be, to which no connection stands. */
  absentPeerId(): Promise<string>
  /** The most bytes that may be under way between a writer and its reader. */
  readonly underWayMax: number
}

const PROTOCOL = '/test/1'
const never = new AbortController().signal
const chunk = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** A source that is written to by hand. */
interface Tap extends AsyncIterable<Uint8Array> {
  push(bytes: Uint8Array): void
  end(): void
}

/** What every implementation of streams between nodes has to do. */
export function streamContract(rig: StreamRig): void {
  afterEach(() => rig.stop())

  const serving = (serve: (stream: PeerStream) => Promise<void>): Handlers => ({ protocols: { [PROTOCOL]: serve } })

  const opened = async ({ a, b }: { a: ContractNode; b: ContractNode }): Promise<PeerStream> => {
    const opening = await a.network.open(b.peerId, PROTOCOL, never)
    if (!opening.ok) throw new Error(`${opening.reason}: ${opening.detail}`)
    expect(opening.stream.peerId).toBe(b.peerId)
    return opening.stream
  }

  /** A stream whose other end the test holds too; the handler runs until the test calls `done`. */
  const bothEnds = async (): Promise<{
    a: ContractNode
    b: ContractNode
    near: PeerStream
    far: PeerStream
    done: () => void
  }> => {
    const arrived = Promise.withResolvers<PeerStream>()
    const done = Promise.withResolvers<void>()
    const nodes = await rig.pair({
      b: serving((stream) => {
        arrived.resolve(stream)
        return done.promise
      })
    })
    const near = await opened(nodes)
    return { ...nodes, near, far: await arrived.promise, done: done.resolve }
  }

  test('bytes go both ways at the same time', async () => {
    const nodes = await rig.pair({ b: serving((stream) => stream.sink(stream.source)) })
    const stream = await opened(nodes)
    const sent = createHash('sha256')
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 300; index += 1) {
        const bytes = new Uint8Array(1 + ((index * 977) % 20_000)).fill(index)
        sent.update(bytes)
        yield bytes
      }
    }
    const [back] = await Promise.all([digestOf(stream.source), stream.sink(source())])
    expect(back.digest).toBe(sent.digest('hex'))
  })

  test('the handler knows who opened the stream', async () => {
    const { a, near, far, done } = await bothEnds()
    expect(far.peerId).toBe(a.peerId)
    near.abort(new Error('seen enough'))
    done()
  })

  test.each(['opener', 'handler'])('the %s closes its side and still reads', async (closer) => {
    const { near, far, done } = await bothEnds()
    const [first, second] = closer === 'opener' ? [near, far] : [far, near]
    await first.sink(chunksOf(chunk('question')))
    expect(await textOf(second.source)).toBe('question')
    const answer = tap()
    const answering = second.sink(answer)
    const reading = first.source[Symbol.asyncIterator]()
    for (const text of ['an', 'swer']) {
      answer.push(chunk(text))
      expect(Buffer.from((await reading.next()).value ?? []).toString()).toBe(text)
    }
    answer.end()
    await answering
    expect((await reading.next()).done).toBe(true)
    done()
  })

  test('20 MB to a reader that pauses: the writer is held back each time, and nothing is lost', async () => {
    const { near, far, done } = await bothEnds()
    const total = 20 * 1_048_576
    let written = 0
    let read = 0
    let underWay = 0
    const sent = createHash('sha256')
    const source = async function* (): AsyncGenerator<Uint8Array> {
      while (written < total) {
        const bytes = new Uint8Array(65_536).fill(written / 65_536)
        sent.update(bytes)
        written += bytes.length
        underWay = Math.max(underWay, written - read)
        yield bytes
      }
    }
    const sinking = near.sink(source())
    const heldBack = async (): Promise<void> => {
      let at = -1
      let looks = 0
      await until('the writer is held back', () => {
        looks = written === at ? looks + 1 : 0
        at = written
        return looks >= 20
      })
    }

    await heldBack()
    expect(written).toBeLessThan(total / 2)
    const received = createHash('sha256')
    // At once after what lay there already, and then again and again.
    let pauseAt = 1
    for await (const bytes of far.source) {
      received.update(bytes)
      read += bytes.length
      if (read < pauseAt) continue
      pauseAt += 2_000_000
      if (pauseAt < 12_000_000) await heldBack()
      else await turn()
    }
    await sinking
    done()
    expect(received.digest('hex')).toBe(sent.digest('hex'))
    expect(underWay).toBeLessThanOrEqual(rig.underWayMax)
  })

  test.each(['opener', 'handler'])('what the %s aborts breaks for both, reading and writing', async (aborter) => {
    const { near, far, done } = await bothEnds()
    const [first, second] = aborter === 'opener' ? [near, far] : [far, near]
    const writes = [near, far].map((stream) => stream.sink(tap()))
    const reads = [near, far].map((stream) => digestOf(stream.source))
    first.abort(new Error('enough'))
    const outcomes = await Promise.allSettled([...writes, ...reads])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
    second.abort(new Error('again'))
    done()
  })

  test('a source that throws breaks the stream', async () => {
    const { near, far, done } = await bothEnds()
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield chunk('one')
      throw new Error('no more')
    }
    const reading = digestOf(far.source)
    await expect(near.sink(failing())).rejects.toThrow('no more')
    await expect(reading).rejects.toThrow()
    done()
  })

  test('a stream is written to once', async () => {
    const { near, done } = await bothEnds()
    await near.sink(chunksOf())
    await expect(near.sink(chunksOf())).rejects.toThrow('written to already')
    done()
  })

  test('a reader that leaves does not hold up the writer', async () => {
    const { near, far, done } = await bothEnds()
    const sinking = near.sink(chunksOf(...Array.from({ length: 64 }, () => new Uint8Array(65_536))))
    for await (const bytes of far.source) if (bytes.length > 0) break
    await sinking
    done()
  })

  test('a protocol that the peer does not have', async () => {
    const { a, b } = await rig.pair({ b: serving(() => Promise.resolve()) })
    expect(await a.network.open(b.peerId, '/test/2', never)).toMatchObject({ ok: false, reason: 'unsupported' })
    expect(await b.network.open(a.peerId, PROTOCOL, never)).toMatchObject({ ok: false, reason: 'unsupported' })
  })

  test('a peer that is not there, and an opening that is given up', async () => {
    const { a, b } = await rig.pair({ b: serving(() => Promise.resolve()) })
    expect(await a.network.open(await rig.absentPeerId(), PROTOCOL, never)).toMatchObject({ reason: 'offline' })
    expect(await a.network.open('nobody', PROTOCOL, never)).toMatchObject({ reason: 'offline' })
    expect(await a.network.open(b.peerId, PROTOCOL, AbortSignal.abort())).toMatchObject({ reason: 'failed' })
  })

  test('a handler that throws breaks its own stream and no other', async () => {
    let calls = 0
    const nodes = await rig.pair({
      b: serving((stream) => {
        calls += 1
        if (calls === 1) throw new Error('at once')
        if (calls === 2) return Promise.reject(new Error('later'))
        return stream.sink(stream.source)
      })
    })
    for (let call = 1; call <= 2; call += 1) await expect(digestOf((await opened(nodes)).source)).rejects.toThrow()
    const third = await opened(nodes)
    await third.sink(chunksOf(chunk('still here')))
    expect(await textOf(third.source)).toBe('still here')
  })

  test('a handler that is done without a word closes the stream; one that stops in the middle breaks it', async () => {
    let calls = 0
    const nodes = await rig.pair({
      b: serving((stream) => {
        calls += 1
        if (calls === 2) void stream.sink(tap()).catch(() => undefined)
        return Promise.resolve()
      })
    })
    const first = await opened(nodes)
    expect(await textOf(first.source)).toBe('')
    await first.sink(chunksOf(chunk('unread')))
    await expect(digestOf((await opened(nodes)).source)).rejects.toThrow()
  })

  test.each(['opener', 'handler'])(
    'the stop of the %s breaks open streams and ends their handlers',
    async (stopper) => {
      const { a, b, near, far, done } = await bothEnds()
      const reads = [near, far].map((stream) => digestOf(stream.source))
      const writes = [near, far].map((stream) => stream.sink(tap()))
      const outcomes = (async () => {
        const settled = await Promise.allSettled([...reads, ...writes])
        done()
        return settled.map(({ status }) => status)
      })()
      await (stopper === 'opener' ? a : b).network.stop()
      expect(await outcomes).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
      await until('the other one has noticed', () => (stopper === 'opener' ? b : a).network.connected().length === 0)
      expect(await a.network.open(b.peerId, PROTOCOL, never)).toMatchObject({ ok: false, reason: 'offline' })
      expect([a.network.connected(), b.network.connected()]).toEqual([[], []])
    }
  )

  test('who is connected is told once, and listed', async () => {
    const told: string[] = []
    const tell = (who: string): Handlers => ({
      connected: () => void told.push(`${who} connected`),
      disconnected: () => void told.push(`${who} disconnected`)
    })
    const { a, b } = await rig.pair({ a: tell('a'), b: tell('b') })
    expect([a.network.connected(), b.network.connected()]).toEqual([[b.peerId], [a.peerId]])
    expect(told.toSorted()).toEqual(['a connected', 'b connected'])
    await b.network.stop()
    await until('a is told', () => told.length === 3)
    expect(told[2]).toBe('a disconnected')
    expect([a.network.connected(), b.network.connected()]).toEqual([[], []])
  })

  test('a penalty costs what a reject does', async () => {
    const { a, b } = await rig.pair({})
    const score = (): number => a.network.status().peers.find(({ peerId }) => peerId === b.peerId)?.score ?? 0
    a.network.penalise(b.peerId)
    a.network.penalise('nobody')
    await until('the first costs 10', () => score() < -9 && score() > -11)
    a.network.penalise(b.peerId)
    await until('two cost 40', () => score() < -38 && score() > -41)
    expect(b.network.status().peers.find(({ peerId }) => peerId === a.peerId)?.score ?? 0).toBeGreaterThanOrEqual(0)
  })
}

async function* chunksOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

async function digestOf(source: AsyncIterable<Uint8Array>): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const received of source) {
    hash.update(received)
    bytes += received.length
  }
  return { bytes, digest: hash.digest('hex') }
}

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const received of source) text += Buffer.from(received).toString()
  return text
}

function tap(): Tap {
  const waiting: Uint8Array[] = []
  let ended = false
  let wake: (() => void) | null = null
  return {
    push(bytes) {
      waiting.push(bytes)
      wake?.()
    },
    end() {
      ended = true
      wake?.()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = waiting.shift()
        if (next !== undefined) yield next
        else if (ended) return
        else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    }
  }
}

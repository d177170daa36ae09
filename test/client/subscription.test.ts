import { describe, expect, test } from 'vitest'
import { memoryCursorStore } from '../../src/client/index.ts'
import type { CursorStore, SubscriptionState } from '../../src/client/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import {
  caughtUp,
  change,
  clientOf,
  failureOf,
  hurriedClock,
  json,
  problem,
  scriptedNode,
  stream,
  take
} from './support.ts'

const seqOf = ({ logSeq }: { readonly logSeq: number | null }): number | null => logSeq
const cursorsOf = (paths: readonly string[]): (string | null)[] =>
  paths.map((path) => new URL(path, 'http://node').searchParams.get('cursor'))

/** A store that writes down what is saved. */
function recordingStore(first: string | null = null): CursorStore & { readonly saved: string[] } {
  const store = memoryCursorStore(first)
  const saved: string[] = []
  return {
    saved,
    load: () => store.load(),
    save: async (cursor) => {
      saved.push(cursor)
      await store.save(cursor)
    }
  }
}

describe('a subscription', () => {
  test.each(['end', 'break'] as const)('goes on by its last cursor when the stream comes to an %s', async (then) => {
    const server = await scriptedNode(
      stream([change(1), change(2)], then),
      stream([{ frame: 'keep-alive', logSeq: 2, cursor: 'c2' }], then),
      stream([change(3), caughtUp(3)], 'stay')
    )
    const updates = await take(clientOf(server).subscribe('sequences', { namespace: 'dao:test' }), 4)
    expect(updates.map(seqOf)).toEqual([1, 2, 3, 3])
    expect(cursorsOf(server.paths)).toEqual([null, 'c2', 'c2'])
    expect(server.paths[0]).toBe('/v1/subscribe?projection=sequences&namespace=dao%3Atest')
  })

  test('saves a cursor only when the next update is asked for', async () => {
    const store = recordingStore('c0')
    const server = await scriptedNode(
      stream([caughtUp(1), { frame: 'checkpoint', logSeq: 5, cursor: 'c5' }, change(6), change(7)], 'stay')
    )
    const updates = clientOf(server).subscribe('sequences', { cursorStore: store })
    await updates.next()
    expect(store.saved).toEqual([])
    await updates.next()
    expect(store.saved).toEqual(['c1', 'c5'])
    await updates.return(undefined as never)
    // Nobody knows whether the handler was done with what it left in the middle of.
    expect(store.saved).toEqual(['c1', 'c5'])
    expect(cursorsOf(server.paths)).toEqual(['c0'])
  })

  test('comes again after a handler that failed', async () => {
    const store = recordingStore()
    const server = await scriptedNode(stream([change(1), change(2), change(3)], 'stay'))
    const client = clientOf(server, { cursorStore: () => store })
    const handled: (number | null)[] = []
    const failing = client.handle('sequences', {}, ({ logSeq }) => {
      if (logSeq === 2) throw new Error('the app is broken')
      handled.push(logSeq)
    })
    await expect(failing).rejects.toThrow('the app is broken')
    expect(handled).toEqual([1])
    expect(store.saved).toEqual(['c1'])
  })

  test('keeps a cursor for each projection and namespace', async () => {
    const names: string[] = []
    const server = await scriptedNode(stream([caughtUp(1)], 'stay'))
    const client = clientOf(server, {
      cursorStore: (name) => {
        names.push(name)
        return memoryCursorStore()
      }
    })
    await take(client.subscribe('sequences'), 1)
    await take(client.subscribe('winners', { namespace: 'dao:test' }), 1)
    expect(names).toEqual(['sequences', 'winners!dao:test'])
  })

  test('does not repeat a save for frames in the middle of a position', async () => {
    const store = recordingStore()
    const middle = { ...change(4), cursor: 'c3' }
    const server = await scriptedNode(stream([change(3), middle, middle, change(4), change(4)]))
    await take(clientOf(server).subscribe('sequences', { cursorStore: store }), 6)
    expect(store.saved).toEqual(['c3', 'c4'])
  })

  test('waits longer after each failure, as long as the node says, and tells', async () => {
    const clock = hurriedClock()
    const states: SubscriptionState['state'][] = []
    const server = await scriptedNode(
      problem(503, 'OVERLOADED'),
      problem(429, 'RATE_LIMITED', { 'retry-after': '7' }),
      problem(503, 'NOT_YET', { 'retry-after': '999999' }),
      json('a proxy', 502),
      stream([change(1)]),
      stream([change(2)], 'stay')
    )
    const onState = ({ state }: SubscriptionState): void => void states.push(state)
    await take(clientOf(server, { clock }).subscribe('sequences', { onState }), 2)
    expect(clock.pauses).toEqual([250, 7_000 + 250, 300_000 + 500, 2_000, 250])
    expect(states.join(' ')).toBe(`${'connecting waiting '.repeat(4)}connecting open waiting connecting open`)
  })

  test('ends after as many failures in a row as it may have', async () => {
    const server = await scriptedNode(problem(503, 'OVERLOADED'))
    const updates = clientOf(server).subscribe('sequences', { retry: { attemptsMax: 3 } })
    expect(await failureOf(updates.next())).toMatchObject({ code: 'OVERLOADED', status: 503, isRetryable: true })
    expect(server.paths).toHaveLength(4)
  })

  test.each([
    [401, 'TOKEN_INVALID'],
    [403, 'ACCESS_DENIED'],
    [404, 'UNKNOWN_PROJECTION'],
    [400, 'QUERY_INVALID']
  ])('does not ask again where that does not help: %i %s', async (status, code) => {
    const server = await scriptedNode(problem(status, code, {}, { hint: 'do something' }))
    const failure = await failureOf(clientOf(server).subscribe('sequences').next())
    expect(failure).toMatchObject({ code, status, requestId: 'r-1', hint: 'do something' })
    expect(server.paths).toHaveLength(1)
  })

  test('takes terminal frames for what they are', async () => {
    const server = await scriptedNode(
      stream([change(1), { frame: 'consumer-too-slow', logSeq: 1, cursor: 'c1', detail: 'slow' }], 'stay'),
      stream([{ frame: 'error', logSeq: 1, cursor: 'c1', code: 'STOPPING', detail: 'stops', retryable: true }], 'stay'),
      stream(
        [{ frame: 'error', logSeq: 1, cursor: 'c1', code: 'TOKEN_EXPIRED', detail: 'old', retryable: false }],
        'stay'
      )
    )
    const updates = clientOf(server).subscribe('sequences')
    await updates.next()
    expect(await failureOf(updates.next())).toMatchObject({ code: 'TOKEN_EXPIRED', message: 'old' })
    expect(cursorsOf(server.paths)).toEqual([null, 'c1', 'c1'])
  })
})

describe('a gap', () => {
  const gaps = [
    ['by status', problem(410, 'CURSOR_TOO_OLD', {}, { oldest: 40 }), 'CURSOR_TOO_OLD', 40],
    ['of another epoch', problem(400, 'CURSOR_FOREIGN'), 'CURSOR_FOREIGN', null],
    [
      'by frame',
      stream([{ frame: 'cursor-too-old', logSeq: 9, cursor: null, detail: 'old', oldest: 5 }]),
      'CURSOR_TOO_OLD',
      5
    ],
    [
      'of a log that lost',
      stream([{ frame: 'cursor-future', logSeq: 9, cursor: null, detail: 'x' }]),
      'CURSOR_FUTURE',
      null
    ]
  ] as const

  test.each(gaps)('%s is an error by its code', async (_name, answer, code, oldest) => {
    const server = await scriptedNode(answer)
    const updates = clientOf(server).subscribe('sequences', { cursor: 'c1' })
    expect(await failureOf(updates.next())).toMatchObject({ code, oldest, isRetryable: false })
  })

  test.each(gaps)('%s begins again where it may', async (_name, answer, code) => {
    const server = await scriptedNode(answer, stream([change(3)], 'stay'))
    const store = recordingStore('c1')
    const options = { cursorStore: store, onGap: 'snapshot' } as const
    const updates = await take(clientOf(server).subscribe('sequences', options), 2)
    expect(updates).toEqual([{ frame: 'reset', code, cursor: null, logSeq: null }, change(3)])
    expect(cursorsOf(server.paths)).toEqual(['c1', null])
    // Only once there is something newer; before that a restart finds the gap again.
    expect(store.saved).toEqual([])
  })

  test('without a cursor it can only be an error', async () => {
    const server = await scriptedNode(problem(400, 'CURSOR_FOREIGN'))
    const updates = clientOf(server).subscribe('sequences', { onGap: 'snapshot' })
    expect(await failureOf(updates.next())).toMatchObject({ code: 'CURSOR_FOREIGN' })
  })
})

describe('a connection that can be trusted with nothing', () => {
  test('nothing for too long: another is made', async () => {
    const silence: number[] = []
    const clock = {
      ...hurriedClock(),
      after: (delayMs: number, run: () => void) => {
        if (delayMs !== 45_000) return systemClock.after(delayMs, run)
        silence.push(delayMs)
        // The third wait of all is the one in which nothing comes.
        if (silence.length === 2) queueMicrotask(run)
        return () => undefined
      }
    }
    const server = await scriptedNode(stream([change(1)], 'stay'), stream([change(2)], 'stay'))
    const updates = await take(clientOf(server, { clock }).subscribe('sequences'), 2)
    expect(updates.map(seqOf)).toEqual([1, 2])
    expect(cursorsOf(server.paths)).toEqual([null, 'c1'])
  })

  test.each([
    ['no JSON', '{', 'ANSWER_MALFORMED'],
    ['an unknown frame', '{"frame":"surprise","logSeq":1,"cursor":null}', 'ANSWER_MALFORMED'],
    ['a row of another form', JSON.stringify({ ...change(1), row: { namespace: 'dao:test' } }), 'ANSWER_MALFORMED'],
    ['a row of another namespace', JSON.stringify(change(1, 'dao:other')), 'ANSWER_MALFORMED'],
    ['a frame without end', 'x'.repeat(5_000_000), 'ANSWER_TOO_LARGE']
  ])('%s', async (_name, data, code) => {
    const server = await scriptedNode((_url, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: ${data}\n\n`)
    })
    const store = recordingStore()
    const updates = clientOf(server).subscribe('sequences', { namespace: 'dao:test', cursorStore: store })
    expect(await failureOf(updates.next())).toMatchObject({ code })
    expect(store.saved).toEqual([])
  })

  test('frames out of their order', async () => {
    for (const frames of [
      [change(2), change(1)],
      [caughtUp(1), caughtUp(2)],
      [change(1), { ...change(2), cursor: null }]
    ]) {
      const updates = clientOf(await scriptedNode(stream(frames))).subscribe('sequences')
      await updates.next()
      expect(await failureOf(updates.next())).toMatchObject({ code: 'ANSWER_MALFORMED', isRetryable: false })
    }
  })

  test('another media type', async () => {
    const server = await scriptedNode(json({}))
    expect(await failureOf(clientOf(server).subscribe('sequences').next())).toMatchObject({ code: 'ANSWER_MALFORMED' })
  })

  test('the signal ends it, while it waits, while it reads, and before', async () => {
    const reason = new Error('enough')
    const reading = await scriptedNode(stream([change(1)], 'stay'))
    const ending = new AbortController()
    const updates = clientOf(reading).subscribe('sequences', { signal: ending.signal })
    await updates.next()
    const next = updates.next()
    ending.abort(reason)
    await expect(next).rejects.toBe(reason)

    const waiting = new AbortController()
    const away = await scriptedNode(problem(503, 'OVERLOADED'))
    const tries = clientOf(away, { clock: systemClock }).subscribe('sequences', {
      signal: waiting.signal,
      onState: ({ state }) => {
        if (state === 'waiting') queueMicrotask(() => waiting.abort(reason))
      }
    })
    await expect(tries.next()).rejects.toBe(reason)
    await expect(clientOf(away).subscribe('sequences', { signal: waiting.signal }).next()).rejects.toBe(reason)
  })

  test('a cursor that can not be saved ends it', async () => {
    const full = { load: () => Promise.resolve(null), save: () => Promise.reject(new Error('disk full')) }
    const server = await scriptedNode(stream([change(1), change(2)], 'stay'))
    const updates = clientOf(server).subscribe('sequences', { cursorStore: full })
    await updates.next()
    await expect(updates.next()).rejects.toThrow('disk full')
  })
})

import fc from 'fast-check'
import { expect } from 'vitest'
import { problemSchema } from '../../../src/api/problem.ts'
import { PROJECTION_NAMES } from '../../../src/api/rows.ts'
import { TRUST_NAMESPACE } from '../../../src/policy/names.ts'
import { eventsOf } from '../../access/events.ts'
import { LANDS, MEMBERS, bearer, tokenFor } from '../../access/world.ts'
import type { LogLine } from '../../support/recording-logger.ts'
import { recordingLogger } from '../../support/recording-logger.ts'
import { until } from '../../support/until.ts'
import type { Deed } from './client-frames.ts'
import { lastPing, someDeed } from './client-frames.ts'
import { RawSubscriber } from './raw-subscriber.ts'
import { subscribe } from './subscribers.ts'
import type { WholeGateway } from './whole-gateway.ts'
import { startWholeGateway } from './whole-gateway.ts'

/** One request for a subscription, and what its reader does with what it gets. */
interface Attempt {
  readonly request: string
  readonly deeds: readonly Deed[]
  /** Leaves without having read the answer. */
  readonly isHasty: boolean
  readonly leaves: 'end' | 'destroy'
}

/** What a node has that a request can name. */
interface Known {
  readonly host: string
  readonly cursors: readonly string[]
  readonly tokens: readonly string[]
}

/** What a node may answer: all but a defect. */
const ANSWERS: ReadonlySet<number> = new Set([
  101, 200, 204, 400, 401, 403, 404, 405, 408, 410, 413, 415, 426, 431, 503
])

// More than the listener of a laptop sees, and less than what its caps let in.
const AT_ONCE = 60
// How many rows change while the corpus is sent.
const EVENTS = 120

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())
/** Header values without what ends a line, which would be another header. */
const inHeader = (text: string): string => text.replaceAll(/[\r\n\0]/g, ' ').replaceAll(/[^ -~\u00a0-\u00ff]/g, '?')

const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('', '0', '-1', 'null', '[]', '{}', '%', '__proto__', '\ufffd', '../..'),
  fc.integer({ min: 1, max: 30_000 }).map((length) => 'W'.repeat(length))
)

/** A cursor as it was given, of somebody else, changed in a field, cut, stretched, or none at all. */
function someCursor(known: Known): fc.Arbitrary<string> {
  const own = fc.constantFrom(...known.cursors)
  const value = fc.oneof(
    fc.constantFrom<unknown[]>(
      -1,
      0,
      1,
      5,
      1.5,
      2 ** 53,
      1e300,
      null,
      '',
      '0',
      'dao:',
      '\uffff',
      '\ud800',
      [],
      {},
      true
    ),
    fc.nat(400),
    fc.string({ maxLength: 40 })
  )
  const forged = fc.tuple(own, fc.nat(7), value).map(([cursor, field, put]) => {
    const fields = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[]
    return Buffer.from(JSON.stringify(Object.assign([...fields], { [field]: put }))).toString('base64url')
  })
  return fc.oneof(
    { weight: 6, arbitrary: own },
    { weight: 6, arbitrary: forged },
    { weight: 2, arbitrary: fc.tuple(own, fc.nat(200)).map(([cursor, end]) => cursor.slice(0, end)) },
    { weight: 1, arbitrary: fc.tuple(own, fc.nat(6_000)).map(([cursor, more]) => cursor + 'A'.repeat(more)) },
    { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text).toString('base64url')) },
    { weight: 1, arbitrary: oddText }
  )
}

const KEY = `sec-websocket-key: ${Buffer.alloc(16, 7).toString('base64')}`

const maybe = <Value>(arbitrary: fc.Arbitrary<Value>, freq: number): fc.Arbitrary<Value | null> =>
  fc.option(arbitrary, { nil: null, freq })

/** What asks for an upgrade, mostly as it should. */
const upgradeHeaders = fc.oneof(
  { weight: 8, arbitrary: fc.constant<readonly string[]>([]) },
  {
    weight: 12,
    arbitrary: fc
      .tuple(
        fc.constant(['upgrade: websocket', 'connection: upgrade', 'sec-websocket-version: 13']),
        fc.subarray(['sec-websocket-protocol: a, b', 'sec-websocket-extensions: permessage-deflate', 'origin: null'], {
          maxLength: 1
        })
      )
      .map(([good, more]) => [...good, KEY, ...more])
  },
  {
    weight: 6,
    arbitrary: fc.subarray([
      'upgrade: websocket',
      'upgrade: h2c',
      'connection: upgrade',
      'connection: keep-alive, Upgrade',
      KEY,
      'sec-websocket-key: short',
      'sec-websocket-version: 13',
      'sec-websocket-version: 8',
      'sec-websocket-version: x',
      'sec-websocket-protocol: a, a',
      'sec-websocket-protocol: ,',
      'sec-websocket-extensions: permessage-deflate; server_max_window_bits=99',
      'sec-websocket-extensions: ;;;',
      'origin: https://elsewhere.example',
      'content-length: 5',
      'transfer-encoding: chunked',
      'expect: 100-continue'
    ])
  }
)

function someAttempt(known: Known): fc.Arbitrary<Attempt> {
  const query = fc.record({
    projection: fc.oneof({ weight: 12, arbitrary: fc.constantFrom<string[]>(...PROJECTION_NAMES) }, oddText),
    namespace: maybe(
      fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...Object.keys(LANDS), TRUST_NAMESPACE, 'no:body') }, oddText),
      1
    ),
    cursor: maybe(someCursor(known), 1),
    ticket: fc.oneof({ weight: 15, arbitrary: fc.constant(null) }, oddText)
  })
  const extra = fc.oneof(
    { weight: 15, arbitrary: fc.constant('') },
    fc.constantFrom('&limit=5', '&at=1', '&projection=batches', '&cursor=a&cursor=b', '&cursor[]=a', '&%zz=1', '&')
  )
  const lastEventId = fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, someCursor(known))
  const authorization = fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: fc.constantFrom(...known.tokens).map((token) => `Bearer ${token}`) },
    { weight: 1, arbitrary: fc.constantFrom('Bearer', 'Bearer x', 'Basic eDp5', '') }
  )
  const line = fc.record({
    method: fc.oneof({ weight: 20, arbitrary: fc.constant('GET') }, fc.constantFrom('HEAD', 'POST', 'PUT', 'OPTIONS')),
    version: fc.oneof({ weight: 20, arbitrary: fc.constant('1.1') }, fc.constant('1.0'))
  })
  return fc
    .record({
      line,
      query,
      extra,
      lastEventId,
      authorization,
      upgrade: upgradeHeaders,
      deeds: fc.array(someDeed, { maxLength: 6 }),
      isHasty: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
      leaves: fc.constantFrom('end', 'destroy')
    })
    .map(({ line: { method, version }, query: asked, extra: more, lastEventId: id, authorization: shown, ...rest }) => {
      const parameters = Object.entries(asked).flatMap(([name, value]) =>
        value === null ? [] : `${name}=${encoded(value)}`
      )
      const headers = [
        `host: ${known.host}`,
        ...rest.upgrade,
        ...(id === null ? [] : [`last-event-id: ${inHeader(id)}`]),
        ...(shown === null ? [] : [`authorization: ${shown}`])
      ]
      const first = `${method} /v1/subscribe?${parameters.join('&')}${more} HTTP/${version}`
      return { ...rest, request: `${[first, ...headers].join('\r\n')}\r\n\r\n` }
    })
}

/**
 * Sends so many requests for subscriptions, over both forms and many at once, most of them broken in some way, to a node
 * whose rows change meanwhile: no 500, no frame that breaks the SPEC, and nobody is left in the end. Gives how often each
 * status came.
 */
export async function fuzzSubscriptions(attempts: number, seed: number): Promise<ReadonlyMap<number, number>> {
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  const gateway = await startWholeGateway({ logger }, { logger })
  const { node, url } = gateway
  const deeds = Array.from({ length: EVENTS }, (_, index) => {
    const names = Object.keys(LANDS)
    const namespace = names[index % names.length] ?? ''
    const members = LANDS[namespace]?.members ?? MEMBERS
    return {
      author: members[index % members.length] ?? MEMBERS[0],
      namespace,
      kind: index % 9 === 8 ? 'fork' : 'announce'
    }
  })
  const events = await eventsOf(deeds as Parameters<typeof eventsOf>[0])
  for (const { wire } of events.slice(0, EVENTS / 2)) await node.submit(wire)
  const tokens = [await tokenFor(node, ['a:one', 'a:two']), await tokenFor(node, ['b:two'])]
  const known = { host: new URL(url).host, tokens, cursors: await cursorsOf(gateway, tokens) }
  const statuses = new Map<number, number>()
  const next = fc.sample(someAttempt(known), { numRuns: attempts, seed }).values()
  const work = async (): Promise<void> => {
    for (const attempt of next) {
      const status = await made(url, attempt)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  let isOver = false
  const workers = Promise.all(Array.from({ length: AT_ONCE }, work)).finally(() => (isOver = true))
  for (const { wire } of events.slice(EVENTS / 2)) {
    if (isOver) break
    await node.submit(wire)
    await gateway.clock.advance(400)
  }
  await workers
  const { subscriptions } = node.gateway
  await until('the last subscriber is gone', () => subscriptions.stats().subscribers === 0)
  await gateway.clock.advance(2_000)
  expect(subscriptions.stats().channels).toBe(0)
  expect(subscriptions.stats().opened).toBeGreaterThan(attempts / 10)
  expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  const reader = await subscribe(`${url}/v1/subscribe?projection=batches`, 'messages')
  await reader.until('all rows', ({ frame }) => frame === 'caught-up')
  expect(reader.rows.size).toBeGreaterThan(0)
  return statuses
}

/** Cursors of every frame of every projection, of several views, and of another node. */
async function cursorsOf({ url }: WholeGateway, tokens: readonly string[]): Promise<readonly string[]> {
  const cursors = new Set<string>()
  const gather = async (from: string, headers: Readonly<Record<string, string>>): Promise<void> => {
    for (const name of PROJECTION_NAMES) {
      const reader = await subscribe(`${from}/v1/subscribe?projection=${name}`, 'events', { headers })
      await reader.until('all rows', ({ frame }) => frame === 'caught-up')
      reader.close()
      for (const { cursor } of reader.frames.slice(-4)) if (cursor !== null) cursors.add(cursor)
    }
  }
  for (const headers of [{}, ...tokens.map(bearer)]) await gather(url, headers)
  const other = await startWholeGateway({ seed: 'another' })
  await gather(other.url, {})
  return [...cursors]
}

/** Makes one attempt and holds the node to what it may do. Gives the status that came; 0 where none was waited for. */
async function made(url: string, { request, deeds, isHasty, leaves }: Attempt): Promise<number> {
  const reader = new RawSubscriber(url, request)
  const about = (): string =>
    `${request.slice(0, 600)} → ${reader.status} ${reader.body.slice(0, 300)} ${JSON.stringify(reader.frames.at(-1))}`
  if (isHasty) {
    reader.leave(leaves)
    return 0
  }
  await until(`an answer to ${request.slice(0, 600)}`, () => reader.isAnswered || isBodiless(request, reader))
  const { status } = reader
  if (status !== null) expect(ANSWERS.has(status), about()).toBe(true)
  if (status !== null && status >= 400 && reader.body !== '') {
    const told = problemSchema.parse(JSON.parse(reader.body))
    expect([told.status, told.code], about()).not.toContain('INTERNAL')
    expect(told.status, about()).toBe(status)
  }
  if (reader.isTerminated) await until(`the end of ${about()}`, () => reader.closeCode !== null || reader.isClosed)
  else if (status === 101) await act(reader, deeds)
  reader.leave(leaves)
  await until('the connection is gone', () => reader.isClosed)
  expect(reader.failures, about()).toEqual([])
  return status ?? 0
}

/** Answers to HEAD and to some others have no body, whatever they say of its length. */
function isBodiless(request: string, { status, isStream }: RawSubscriber): boolean {
  return status !== null && !isStream && (request.startsWith('HEAD') || status === 204)
}

/** Does to an open WebSocket what the reader has in mind, and sees that the node goes on, or ends it, as it has to. */
async function act(reader: RawSubscriber, deeds: readonly Deed[]): Promise<void> {
  const names = deeds.map(({ name }) => name).join(', ')
  for (const { bytes } of deeds) reader.send(bytes)
  reader.send(lastPing('still there'))
  const decisive = deeds.find(({ outcome }) => outcome !== 'heeded')
  const isOver = (): boolean => reader.closeCode !== null || reader.isClosed
  if (decisive?.outcome === 'unknown') return
  if (decisive?.outcome === 'ended') await until(`the node ends after ${names}`, isOver)
  else {
    await until(`the node goes on after ${names}`, () => reader.pongs.includes('still there') || isOver())
    expect([reader.closeCode, isOver()], names).toEqual([null, false])
  }
}

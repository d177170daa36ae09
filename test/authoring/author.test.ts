import { expect, test } from 'vitest'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import type { AuthoredEvent } from '../../src/authoring/author.ts'
import { Author } from '../../src/authoring/author.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { announceBody, next } from '../support/events.ts'
import { temporaryFolder } from '../support/folders.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'

const self = member('self')
const ada = member('ada')
const everybody = [self, ada]

function envelopeOf({ wire }: AuthoredEvent): Envelope {
  const decoded = decodeEvent(wire)
  if (!decoded.ok) throw new Error(decoded.detail)
  return decoded.event.envelope
}

const announce = async ({ author }: Ingest, batchId: string, namespace: string = NAMESPACE): Promise<AuthoredEvent> =>
  await author.author('announce', namespace, announceBody(batchId))

/** Each event follows the one before it. */
function expectChain(events: readonly AuthoredEvent[]): void {
  const envelopes = events.map(envelopeOf)
  expect(envelopes.map(({ authorSeq }) => authorSeq)).toEqual(events.map((_, index) => index + 1))
  expect(envelopes.map(({ prev }) => prev)).toEqual([null, ...events.slice(0, -1).map(({ id }) => id)])
}

test('events follow one another, and are in the log when they are given out', async () => {
  const ingest = await openIngest(self, everybody)
  const events: AuthoredEvent[] = []
  for (const batchId of ['batch-1', 'batch-2', 'batch-3']) {
    const event = await announce(ingest, batchId)
    expect(await ingest.log.find(event.id)).toMatchObject({ logSeq: event.logSeq })
    expect(envelopeOf(event)).toMatchObject({
      signer: self.signer.did,
      kid: self.signer.kid,
      type: 'announce',
      namespace: NAMESPACE,
      ts: ingest.clock.now()
    })
    events.push(event)
    await ingest.clock.advance(10)
  }
  expectChain(events)
})

test('events that are asked for at the same moment follow one another as well; each namespace has a chain of its own', async () => {
  const ingest = await openIngest(self, everybody, {
    policy: policyOf(self, everybody, { namespaces: [NAMESPACE, 'dao:second'] })
  })
  const names = Array.from({ length: 30 }, (_, index) => `batch-${index}`)
  const [first, second] = await Promise.all([
    Promise.all(names.map((name) => announce(ingest, name))),
    Promise.all(names.map((name) => announce(ingest, name, 'dao:second')))
  ])
  expectChain(first)
  expectChain(second)
  expect(await ingest.rows('equivocations')).toEqual([])
})

test('a refused event takes no place, and the next in line goes on', async () => {
  const ingest = await openIngest(self, everybody)
  const [first, tooLarge, foreign, last] = await Promise.allSettled([
    announce(ingest, 'batch-1'),
    ingest.author.author('announce', NAMESPACE, { pad: 'x'.repeat(EVENT_BYTES_MAX) }),
    announce(ingest, 'batch-2', 'dao:other'),
    announce(ingest, 'batch-3')
  ])
  expect(tooLarge).toMatchObject({
    status: 'rejected',
    reason: { code: 'PUBLISH_REFUSED', detail: { code: 'EVENT_TOO_LARGE' } }
  })
  expect(foreign).toMatchObject({
    status: 'rejected',
    reason: { code: 'PUBLISH_REFUSED', detail: { code: 'NAMESPACE_NOT_CARRIED' } }
  })
  if (first?.status !== 'fulfilled' || last?.status !== 'fulfilled') throw new Error('refused')
  expectChain([first.value, last.value])
})

test('a body that is no I-JSON is refused, and the next in line goes on', async () => {
  const ingest = await openIngest(self, everybody)
  await expect(ingest.author.author('announce', NAMESPACE, { number: 2 ** 60 })).rejects.toThrow(TypeError)
  expectChain([await announce(ingest, 'batch-1')])
})

test('a signer that can not sign just now takes no place', async () => {
  const ingest = await openIngest(self, everybody)
  let works = false
  const signer = {
    ...self.signer,
    sign: async (message: Uint8Array) =>
      works ? await self.signer.sign(message) : Promise.reject(new Error('the HSM is locked'))
  }
  const author = new Author({ signer: () => signer, log: ingest.log, door: ingest.door, clock: ingest.clock })
  await expect(author.author('announce', NAMESPACE, announceBody('batch-1'))).rejects.toThrow('the HSM is locked')
  works = true
  expectChain([await author.author('announce', NAMESPACE, announceBody('batch-1'))])
})

test('a chain goes on after a restart', async () => {
  const location = `${temporaryFolder()}/store`
  const checkpoint = memoryCheckpoint()
  const before = await openIngest(self, everybody, {
    store: await openLevelStore(location, { create: true }),
    checkpoint
  })
  const events = [await announce(before, 'batch-1'), await announce(before, 'batch-2')]
  await before.close()
  const after = await openIngest(self, everybody, {
    store: await openLevelStore(location, { create: false }),
    checkpoint
  })
  expectChain([...events, await announce(after, 'batch-3')])
})

test('a chain that came back from peers goes on where it stands there', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await next(self, null, announceBody('batch-1'))
  const second = await next(self, first, announceBody('batch-2'))
  for (const { wire } of [first, second]) await ingest.door.submit(wire, { via: 'sync', peer: 'peer-1' })
  expect(envelopeOf(await announce(ingest, 'batch-3'))).toMatchObject({ authorSeq: 3, prev: second.id })
})

test('of a forked chain the longer side goes on', async () => {
  const ingest = await openIngest(self, everybody)
  const root = await next(self, null, announceBody('root'))
  const short = await next(self, root, announceBody('short'))
  const long = await next(self, root, announceBody('long'))
  const longer = await next(self, long, announceBody('longer'))
  for (const { wire } of [root, long, longer, short]) await ingest.door.submit(wire, { via: 'sync', peer: 'peer-1' })
  expect(envelopeOf(await announce(ingest, 'mine'))).toMatchObject({ authorSeq: 4, prev: longer.id })
})

test('another key of the same node begins a chain of its own', async () => {
  const ingest = await openIngest(self, everybody)
  await announce(ingest, 'batch-1')
  const signer = localSigner(new Uint8Array(32).fill(5), { did: self.signer.did, kid: 'machine-2' })
  ingest.keyring.bind(self.signer.did, 'machine-2', Buffer.from(signer.publicKey).toString('base64url'))
  const author = new Author({ signer: () => signer, log: ingest.log, door: ingest.door, clock: ingest.clock })
  expectChain([await author.author('announce', NAMESPACE, announceBody('batch-2'))])
})

test('a clock that was set back a little breaks no chain', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await announce(ingest, 'batch-1')
  const { ts } = envelopeOf(first)
  ingest.clock.setNow(ts - 60_000)
  const second = await announce(ingest, 'batch-2')
  expect(envelopeOf(second).ts).toBe(ts)
  ingest.clock.setNow(ts + 5)
  expect(envelopeOf(await announce(ingest, 'batch-3')).ts).toBe(ts + 5)
  expectChain([first, second, await announce(ingest, 'batch-4')].toSpliced(2, 1))
})

test('a clock that was set back far: the node says that it can not publish, until the time of its last event comes near', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await announce(ingest, 'batch-1')
  const { ts } = envelopeOf(first)
  ingest.clock.setNow(ts - 3_600_000)
  const before = await ingest.fingerprint()
  await expect(announce(ingest, 'batch-2')).rejects.toMatchObject({
    code: 'PUBLISH_REFUSED',
    detail: { code: 'FUTURE_TIMESTAMP' }
  })
  expect(await ingest.fingerprint()).toEqual(before)
  ingest.clock.setNow(ts - 100_000)
  expectChain([first, await announce(ingest, 'batch-2')])
})

test('while work holds the author nothing else is signed, in whatever namespace; then all of it is', async () => {
  const ingest = await openIngest(self, everybody, {
    policy: policyOf(self, everybody, { namespaces: [NAMESPACE, 'dao:second'] })
  })
  const { author, log } = ingest
  const early = announce(ingest, 'early')
  const { promise, resolve } = Promise.withResolvers<void>()
  const heads: number[] = []
  const holding = author.holding('dao:second', async (pen) => {
    heads.push(log.head.logSeq)
    await promise
    heads.push(log.head.logSeq)
    const written = await pen.write('announce', 'dao:second', announceBody('held'), [])
    heads.push(log.head.logSeq)
    return written
  })
  await early
  const late = [announce(ingest, 'late'), announce(ingest, 'late', 'dao:second')]
  resolve()
  const held = await holding
  expect(heads[1]).toBe(heads[0])
  expect(heads[2]).toBe((heads[0] ?? 0) + 1)
  expectChain([await early, await (late[0] as Promise<AuthoredEvent>)])
  expectChain([held, await (late[1] as Promise<AuthoredEvent>)])
})

test('work that fails while it holds the author lets the others go on', async () => {
  const ingest = await openIngest(self, everybody)
  const failing = ingest.author.holding(NAMESPACE, () => Promise.reject(new Error('no')))
  const event = announce(ingest, 'batch')
  await expect(failing).rejects.toThrow('no')
  expectChain([await event])
})

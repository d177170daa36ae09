import { beforeAll, describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import { concat, utf8 } from '../../protocols/primitives/bytes.ts'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import type { Outcome } from '../../src/events/outcome.ts'
import { outcomeName } from '../../src/events/outcome.ts'
import type { EventSource } from '../../src/ingest/source.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { announceBody, next, signed } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { eventText, frame, garbageSignature, signedFor, signedText } from './wires.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const stranger = member('stranger')
const everybody = [self, ada, bob]
const peer: EventSource = { via: 'gossip', peer: 'peer-1', namespace: NAMESPACE }

interface BadInput {
  readonly what: string
  readonly expected: string
  readonly wire: () => Promise<Uint8Array> | Uint8Array
  readonly source?: EventSource
}

/** A key of small order, as a did:key: a signature under it fits any message. */
const weak: TestMember = { ...ada, signer: { ...ada.signer, ...weakIdentity(Uint8Array.of(1, ...new Uint8Array(31))) } }
/** Bytes that are no point of the curve. */
const offCurve: TestMember = {
  ...ada,
  signer: { ...ada.signer, ...weakIdentity(Uint8Array.of(2, ...new Uint8Array(31))) }
}

function weakIdentity(publicKey: Uint8Array): { did: string; kid: string } {
  const did = didKeyOf(publicKey)
  return { did, kid: did.slice('did:key:'.length) }
}

const SIGNATURES = encodeCanonical({ signatures: [{ protected: 'e30', signature: 'A'.repeat(86) }] })

const BYTES: readonly BadInput[] = [
  { what: 'nothing', expected: 'rejected(MALFORMED)', wire: () => new Uint8Array() },
  { what: 'three bytes', expected: 'rejected(MALFORMED)', wire: () => new Uint8Array(3) },
  { what: 'a length and nothing', expected: 'rejected(MALFORMED)', wire: () => Uint8Array.of(0, 0, 0, 5) },
  { what: 'an event of no bytes', expected: 'rejected(MALFORMED)', wire: () => frame('', SIGNATURES) },
  { what: 'a length up to the end', expected: 'rejected(MALFORMED)', wire: () => frame(eventText(ada), '') },
  {
    what: 'a length of 4 GiB',
    expected: 'rejected(MALFORMED)',
    wire: () => concat(Uint8Array.of(255, 255, 255, 255), utf8('{}'))
  },
  {
    what: 'random bytes',
    expected: 'rejected(MALFORMED)',
    wire: () => Uint8Array.from({ length: 500 }, (_, index) => (index * 197) & 0xff)
  },
  { what: 'oversize', expected: 'rejected(EVENT_TOO_LARGE)', wire: () => new Uint8Array(EVENT_BYTES_MAX + 1) },
  {
    what: 'an event one byte too large, well signed',
    expected: 'rejected(EVENT_TOO_LARGE)',
    wire: async () => await padded(EVENT_BYTES_MAX + 1)
  },
  {
    what: 'truncated',
    expected: 'rejected(MALFORMED)',
    wire: async () => (await signedText(ada, eventText(ada))).subarray(0, -1)
  },
  {
    what: 'truncated within the event',
    expected: 'rejected(MALFORMED)',
    wire: async () => (await signedText(ada, eventText(ada))).subarray(0, 60)
  },
  {
    what: 'a byte after the end',
    expected: 'rejected(MALFORMED)',
    wire: async () => concat(await signedText(ada, eventText(ada)), utf8('}'))
  },
  {
    what: 'a space after the end',
    expected: 'rejected(NOT_CANONICAL)',
    wire: async () => concat(await signedText(ada, eventText(ada)), utf8(' '))
  },
  {
    what: 'not UTF-8',
    expected: 'rejected(MALFORMED)',
    wire: () => frame(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), SIGNATURES)
  },
  {
    what: 'a byte order mark',
    expected: 'rejected(MALFORMED)',
    wire: async () => await signedText(ada, `\ufeff${eventText(ada)}`)
  },
  {
    what: 'white space',
    expected: 'rejected(NOT_CANONICAL)',
    wire: async () => await signedText(ada, eventText(ada).replace('"v":1', '"v": 1'))
  },
  {
    what: 'keys out of order',
    expected: 'rejected(NOT_CANONICAL)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', '"body":{"b":1,"a":2}'))
  },
  {
    what: 'a needless escape',
    expected: 'rejected(NOT_CANONICAL)',
    wire: async () => await signedText(ada, eventText(ada).replace('"announce"', String.raw`"\u0061nnounce"`))
  },
  {
    what: 'a number with a fraction of nothing',
    expected: 'rejected(NOT_CANONICAL)',
    wire: async () => await signedText(ada, eventText(ada).replace('"v":1', '"v":1.0'))
  },
  {
    what: 'a duplicate key',
    expected: 'rejected(DUPLICATE_KEY)',
    wire: async () => await signedText(ada, eventText(ada).replace('"v":1', '"v":1,"v":1'))
  },
  {
    what: 'a duplicate key in the body',
    expected: 'rejected(DUPLICATE_KEY)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', '"body":{"a":1,"a":2}'))
  },
  {
    what: 'a duplicate key, escaped differently',
    expected: 'rejected(DUPLICATE_KEY)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', String.raw`"body":{"a":1,"\u0061":2}`))
  },
  {
    what: 'a number beyond 2^53 − 1',
    expected: 'rejected(NUMBER_NOT_IJSON)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', '"body":{"n":9007199254740993}'))
  },
  {
    what: 'a number beyond a double',
    expected: 'rejected(NUMBER_NOT_IJSON)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', '"body":{"n":1e400}'))
  },
  {
    what: 'a lone surrogate',
    expected: 'rejected(LONE_SURROGATE)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', String.raw`"body":{"s":"\ud800"}`))
  },
  {
    what: 'a lone surrogate as a key',
    expected: 'rejected(LONE_SURROGATE)',
    wire: async () => await signedText(ada, eventText(ada).replace('"body":{}', String.raw`"body":{"\udc00":1}`))
  },
  {
    what: '33 levels',
    expected: 'rejected(MALFORMED)',
    wire: async () =>
      await signedText(ada, eventText(ada).replace('"body":{}', `"body":{"a":${'['.repeat(31)}${']'.repeat(31)}}`))
  },
  {
    what: 'twenty thousand levels',
    expected: 'rejected(MALFORMED)',
    wire: async () =>
      await signedText(
        ada,
        eventText(ada).replace('"body":{}', `"body":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)
      )
  }
]

const ENVELOPES: readonly BadInput[] = [
  { what: 'version 2', expected: 'rejected(UNKNOWN_VERSION)', wire: async () => await withMembers({ v: 2 }) },
  {
    what: 'version 2 with other members',
    expected: 'rejected(UNKNOWN_VERSION)',
    wire: async () => await signedText(ada, '{"hello":"future","v":2}')
  },
  { what: 'version 0', expected: 'rejected(SCHEMA_INVALID)', wire: async () => await withMembers({ v: 0 }) },
  { what: 'version "1"', expected: 'rejected(SCHEMA_INVALID)', wire: async () => await withMembers({ v: '1' }) },
  { what: 'a list', expected: 'rejected(SCHEMA_INVALID)', wire: async () => await signedText(ada, '[]') },
  {
    what: 'one member too many',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ nonce: 'x' })
  },
  {
    what: '__proto__ as a member',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await signedText(ada, `{"__proto__":{},${eventText(ada).slice(1)}`)
  },
  {
    what: 'a member too few',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await signedText(ada, eventText(ada).replace('"prev":null,', ''))
  },
  { what: 'authorSeq 0', expected: 'rejected(SCHEMA_INVALID)', wire: async () => await withMembers({ authorSeq: 0 }) },
  {
    what: 'authorSeq 1.5',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ authorSeq: 1.5 })
  },
  {
    what: 'no predecessor at authorSeq 2',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ authorSeq: 2 })
  },
  {
    what: 'a predecessor at authorSeq 1',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ prev: 'a'.repeat(64) })
  },
  {
    what: 'a predecessor in upper case',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ authorSeq: 2, prev: 'A'.repeat(64) })
  },
  { what: 'a negative ts', expected: 'rejected(SCHEMA_INVALID)', wire: async () => await withMembers({ ts: -1 }) },
  {
    what: 'a namespace with a slash',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ namespace: 'dao/test' })
  },
  {
    what: 'a namespace with a newline',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ namespace: 'dao:test\n' })
  },
  {
    what: 'a reserved namespace',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ namespace: '_other' })
  },
  {
    what: 'a type in upper case',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ type: 'Announce' })
  },
  {
    what: 'a body that is a list',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ body: [] })
  },
  {
    what: 'a signer that is no DID',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ signer: 'ada' })
  },
  {
    what: 'a kid with a separator of store keys',
    expected: 'rejected(SCHEMA_INVALID)',
    wire: async () => await withMembers({ kid: 'a!b' })
  }
]

const SIGNERS: readonly BadInput[] = [
  {
    what: 'signatures of another form',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: () => frame(eventText(ada), '{"signatures":[]}')
  },
  {
    what: 'an unprotected header',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => await withSignatureMember('"header":{},')
  },
  {
    what: 'another protected header',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: () => frame(eventText(ada), SIGNATURES)
  },
  {
    what: 'a signature for another type',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => await signedText(ada, eventText(ada), { type: 'anchor-pack' })
  },
  {
    what: 'a signature for another purpose',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => await signedFor(ada, eventText(ada), 'anchormesh.request.v1+jws')
  },
  {
    what: 'a signature of 63 bytes',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => await withShortSignature()
  },
  {
    what: 'the wrong signer: signed under another kid than the event names',
    expected: 'rejected(SIGNER_MISMATCH)',
    wire: async () => await signedText(bob, eventText(ada))
  },
  {
    what: 'two signatures where one is named',
    expected: 'rejected(SIGNER_MISMATCH)',
    wire: async () => await withTwoSignatures()
  },
  {
    what: "the wrong signer: another member's key under this signer's kid",
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => await signedText(bob, eventText(ada), { kid: ada.signer.kid })
  },
  {
    what: "another member's kid under this signer's name",
    expected: 'pending(KEY_UNKNOWN)',
    wire: async () => await signedText(bob, eventText(ada, { kid: bob.signer.kid }))
  },
  {
    what: 'an unknown key',
    expected: 'pending(KEY_UNKNOWN)',
    wire: async () => await signedText(bob, eventText(ada, { kid: 'machine-2' }), { kid: 'machine-2' })
  },
  {
    what: 'a bad signature',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => garbageSignature(await signedText(ada, eventText(ada)))
  },
  {
    what: 'one bit of the signature',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () => await withFlippedSignature()
  },
  {
    what: 'a member changed after signing',
    expected: 'rejected(SIGNATURE_INVALID)',
    wire: async () =>
      Buffer.from(
        Buffer.from(await signedText(ada, eventText(ada)))
          .toString('latin1')
          .replace('1700000000000', '1700000000001'),
        'latin1'
      )
  },
  {
    what: "a member's key of small order",
    expected: 'rejected(KEY_WEAK)',
    wire: async () => await signedText(weak, eventText(weak))
  },
  {
    what: "a member's key that is no point",
    expected: 'rejected(KEY_WEAK)',
    wire: async () => await signedText(offCurve, eventText(offCurve))
  },
  {
    what: 'a signer that is no member',
    expected: 'ignored(SIGNER_NOT_MEMBER)',
    wire: async () => await signedText(stranger, eventText(stranger))
  },
  {
    what: 'a namespace that is not carried',
    expected: 'ignored(NAMESPACE_NOT_CARRIED)',
    wire: async () => await withMembers({ namespace: 'dao:other' }),
    source: { via: 'http', peer: 'client' }
  },
  {
    what: 'a carried namespace on the topic of another',
    expected: 'ignored(NAMESPACE_NOT_CARRIED)',
    wire: async () => await withMembers({}),
    source: { ...peer, namespace: 'dao:second' }
  },
  {
    what: '_trust on the topic of another',
    expected: 'ignored(NAMESPACE_NOT_CARRIED)',
    wire: async () => await withMembers({ namespace: '_trust' })
  }
]

const CHAINS: readonly BadInput[] = [
  {
    what: 'a far-future ts',
    expected: 'ignored(FUTURE_TIMESTAMP)',
    wire: async () => await withMembers({ ts: 1_700_000_100_000 + 120_001 })
  },
  {
    what: 'the greatest ts',
    expected: 'ignored(FUTURE_TIMESTAMP)',
    wire: async () => await withMembers({ ts: Number.MAX_SAFE_INTEGER })
  },
  {
    what: 'a gap',
    expected: 'pending(PREDECESSOR_MISSING)',
    wire: async () => await withMembers({ authorSeq: 2, prev: 'a'.repeat(64) })
  },
  {
    what: "a ts before the predecessor's",
    expected: 'rejected(CHAIN_BROKEN)',
    wire: async () => (await next(bob, first, {}, { ts: first.envelope.ts - 1 })).wire
  },
  {
    what: 'a predecessor at another position',
    expected: 'rejected(CHAIN_BROKEN)',
    wire: async () => (await signed(bob, { ...first.envelope, authorSeq: 3, prev: first.id })).wire
  },
  {
    what: 'a predecessor in the chain of another signer',
    expected: 'rejected(CHAIN_BROKEN)',
    wire: async () => (await next(ada, first, {})).wire
  },
  {
    what: 'a predecessor in another namespace',
    expected: 'rejected(CHAIN_BROKEN)',
    wire: async () => (await next(bob, first, {}, { namespace: 'dao:second' })).wire,
    source: { ...peer, namespace: 'dao:second' }
  }
]

let first: Awaited<ReturnType<typeof next>>

beforeAll(async () => {
  first = await next(bob, null, announceBody('batch-1'))
})

/** Configuration refuses weak keys; the door does not rely on that. */
function policyWithWeakMembers(): EffectivePolicy {
  const policy = policyOf(self, everybody, { namespaces: [NAMESPACE, 'dao:second'] })
  const settings = policy.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('no namespace')
  const weakMembers = [weak, offCurve].map(({ orgId, signer }) => ({
    did: signer.did,
    orgId,
    roles: ['announce' as const],
    keys: []
  }))
  const announce = [...settings.members.announce, ...weakMembers.map(({ did }) => did)]
  return {
    ...policy,
    peers: [...policy.peers, ...weakMembers],
    namespaces: { ...policy.namespaces, [NAMESPACE]: { ...settings, members: { ...settings.members, announce } } }
  }
}

async function open(): Promise<Ingest> {
  const ingest = await openIngest(self, everybody, { policy: policyWithWeakMembers() })
  expect(await ingest.door.submit(first.wire, peer)).toMatchObject({ outcome: 'accepted' })
  return ingest
}

describe.each([
  ['bytes', BYTES],
  ['envelope', ENVELOPES],
  ['signer', SIGNERS],
  ['chain', CHAINS]
])('bad %s', (_, inputs) => {
  test.each(inputs)('$what: $expected', async ({ expected, wire, source = peer }) => {
    const ingest = await open()
    const bytes = await wire()
    const before = await ingest.fingerprint()
    ingest.lines.length = 0
    let validated = false

    const outcome = await ingest.door.submit(bytes, source, () => {
      validated = true
    })

    expect(outcomeName(outcome)).toBe(expected)
    expectToldOf(ingest, outcome, source)
    expect(validated).toBe(false)
    expect(await ingest.fingerprint()).toEqual(before)

    // Once more: the same answer, another count, and still nothing has changed.
    expect(outcomeName(await ingest.door.submit(bytes, source))).toBe(expected)
    expect(ingest.door.status().outcomes[expected]).toBe(2)
    expect(await ingest.fingerprint()).toEqual(before)
  })
})

/** One more on the counter of that outcome, one line that names it, and nothing else. */
function expectToldOf(ingest: Ingest, outcome: Outcome, source: EventSource): void {
  const name = outcomeName(outcome)
  expect(ingest.door.status().outcomes).toEqual({ accepted: 1, [name]: 1 })
  expect(ingest.lines).toMatchObject([
    {
      level: outcome.outcome === 'rejected' ? 'warn' : 'info',
      fields: { outcome: name, via: source.via, peer: source.peer, id: outcome.id }
    }
  ])
  expect(ingest.lines[0]?.fields['detail']).toEqual(expect.stringMatching(/./u))
}

test('an unknown type is admitted without effect, listed, and counts for the digest of events', async () => {
  const ingest = await open()
  const event = await next(ada, null, { some: 'thing' }, { type: 'weather-report' })
  expect(await ingest.door.submit(event.wire, peer)).toMatchObject({ outcome: 'accepted', id: event.id })
  expect(await ingest.rows('effects')).toMatchObject([
    { eventId: event.id, effect: 'TYPE_UNKNOWN', signer: ada.signer.did, namespace: NAMESPACE }
  ])
  const second = await next(ada, event, announceBody('batch-2'))
  expect(await ingest.door.submit(second.wire, peer)).toMatchObject({ outcome: 'accepted' })
})

test.each([
  ['a body that is no announce', 'BODY_INVALID', async () => await next(ada, null, { hello: 'there' })],
  [
    'an announce in _trust',
    'TYPE_UNKNOWN',
    async () => await next(ada, null, announceBody('batch-2'), { namespace: '_trust' })
  ]
])('%s is admitted without effect: %s', async (_, effect, make) => {
  const ingest = await open()
  const event = await make()
  expect(await ingest.door.submit(event.wire, { via: 'sync', peer: 'peer-1' })).toMatchObject({ outcome: 'accepted' })
  expect(await ingest.rows('effects')).toMatchObject([{ eventId: event.id, effect }])
})

test('an event of the greatest size is taken', async () => {
  const ingest = await open()
  expect(await ingest.door.submit(await padded(EVENT_BYTES_MAX), peer)).toMatchObject({ outcome: 'accepted' })
})

test('ts zero, and a ts equal to the bound, are taken: nothing is too old', async () => {
  const ingest = await open()
  const old = await next(ada, null, {}, { ts: 0 })
  const bound = await next(ada, old, {}, { ts: ingest.clock.now() + 120_000 })
  expect(await ingest.door.submit(old.wire, peer)).toMatchObject({ outcome: 'accepted' })
  expect(await ingest.door.submit(bound.wire, peer)).toMatchObject({ outcome: 'accepted' })
})

test('a peer that floods with garbage gets twenty lines a minute, and every one of them is counted', async () => {
  const ingest = await open()
  ingest.lines.length = 0
  for (let index = 0; index < 100; index += 1) await ingest.door.submit(Uint8Array.of(0, 0, 0, 1, index), peer)
  expect(ingest.lines).toHaveLength(20)
  expect(ingest.lines.at(-1)?.fields).toMatchObject({ more: 'not logged this minute' })
  expect(ingest.door.status().outcomes).toMatchObject({ 'rejected(MALFORMED)': 100 })
  await ingest.clock.advance(60_000)
  await ingest.door.submit(Uint8Array.of(0, 0, 0, 1, 0), peer)
  expect(ingest.lines).toHaveLength(21)
})

test('of a flood of events every rejection has its line: beyond twenty a minute at debug', async () => {
  const ingest = await open()
  ingest.lines.length = 0
  for (let index = 0; index < 30; index += 1) {
    const { wire } = await next(ada, null, { index })
    await ingest.door.submit(garbageSignature(wire), peer)
  }
  const rejected = ingest.lines.filter(({ fields }) => fields['outcome'] === 'rejected(SIGNATURE_INVALID)')
  expect(new Set(rejected.map(({ fields }) => fields['id'])).size).toBe(30)
  expect(rejected.map(({ level }) => level)).toEqual(rejected.map((_, at) => (at < 20 ? 'warn' : 'debug')))
})

async function withMembers(changed: JsonObject): Promise<Uint8Array> {
  const type = typeof changed['type'] === 'string' ? changed['type'] : 'announce'
  return await signedText(ada, eventText(ada, changed), { type })
}

async function withSignatureMember(text: string): Promise<Uint8Array> {
  return Buffer.from(
    Buffer.from(await signedText(ada, eventText(ada)))
      .toString('latin1')
      .replace('[{"protected"', `[{${text}"protected"`),
    'latin1'
  )
}

async function withTwoSignatures(): Promise<Uint8Array> {
  const text = eventText(ada)
  const signatures = [await signatureEntry(ada, text), await signatureEntry(bob, text)]
  return frame(text, `{"signatures":[${signatures.sort().join(',')}]}`)
}

async function signatureEntry(author: TestMember, text: string): Promise<string> {
  const wire = await signedText(author, text)
  const signatures = Buffer.from(wire.subarray(4 + utf8(text).length)).toString('utf8')
  return signatures.slice('{"signatures":['.length, -']}'.length)
}

async function withShortSignature(): Promise<Uint8Array> {
  return Buffer.from(
    Buffer.from(await signedText(ada, eventText(ada)))
      .toString('latin1')
      .replace(/"signature":"..../, '"signature":"'),
    'latin1'
  )
}

async function withFlippedSignature(): Promise<Uint8Array> {
  const wire = await signedText(ada, eventText(ada))
  const at = wire.length - 40
  wire[at] = wire[at] === 0x41 ? 0x42 : 0x41
  return wire
}

/** A well signed event of exactly so many bytes. */
async function padded(bytes: number): Promise<Uint8Array> {
  const empty = await next(ada, null, { pad: '' })
  return (await next(ada, null, { pad: 'x'.repeat(bytes - empty.wire.length) })).wire
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { canonicalEvent, decodeEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { Variety, assertVaried } from '../support/variety.ts'
import { jsonObject } from './json-arbitrary.ts'
import { ada } from './vectors/event-parts.ts'
import { packOf } from './vectors/pack-parts.ts'

const position = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const envelopes: fc.Arbitrary<Envelope> = fc
  .record({
    authorSeq: fc.oneof(fc.constant(1), position),
    body: jsonObject,
    kid: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}$/),
    namespace: fc.oneof(fc.constant('_trust'), fc.stringMatching(/^[a-z0-9][a-z0-9._:-]{0,63}$/)),
    signer: fc.oneof(
      fc.constant(ada.did),
      fc.stringMatching(/^did:[a-z0-9]{1,9}:([A-Za-z0-9._-]|%[0-9A-Fa-f]{2}){1,70}$/)
    ),
    ts: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    type: fc.stringMatching(/^[a-z][a-z0-9-]{0,63}$/).filter((type) => type !== 'anchor-pack'),
    prev: fc.stringMatching(/^[0-9a-f]{64}$/)
  })
  .map((parts) => ({ ...parts, v: 1, prev: parts.authorSeq === 1 ? null : parts.prev }))

function signed(envelope: Envelope): Uint8Array {
  const signature = ada.sign(eventSigningInput(envelope.type, envelope.kid, canonicalEvent(envelope)))
  return encodeEvent(envelope, [{ kid: envelope.kid, signature: Uint8Array.from(signature) }])
}

function announceOfSize(room: number): Envelope {
  return {
    authorSeq: 1,
    body: { padding: 'a'.repeat(room) },
    kid: ada.kid,
    namespace: 'a',
    prev: null,
    signer: ada.did,
    ts: 0,
    type: 'note',
    v: 1
  }
}

describe('events', () => {
  const check = checkPublicKey(ada.publicKey)
  if (!check.ok) throw new Error(check.detail)

  test('what is written is read back, and its signature is good', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const wire = signed(envelope)
        const decoded = decodeEvent(wire)
        if (!decoded.ok) throw new Error(`${decoded.code} ${decoded.detail}`)
        const { event } = decoded
        expect(event.id).toBe(eventId(canonicalEvent(envelope)))
        expect(event.canonical).toEqual(canonicalEvent(event.envelope))
        const input = eventSigningInput(envelope.type, envelope.kid, event.canonical)
        expect(event.signatures.map(({ kid, signature }) => [kid, verifyEd25519(check.key, input, signature)])).toEqual(
          [[envelope.kid, true]]
        )
      }),
      { numRuns: 300 }
    )
  })

  test('one event has one encoding: whatever is read is what would be written', async () => {
    const change = fc.oneof(
      fc.record({ at: fc.nat(), to: fc.constantFrom(0x30, 0x31, 0x61, 0x62), drop: fc.constant(1) }),
      fc.record({ at: fc.nat(), to: fc.nat({ max: 255 }), drop: fc.nat({ max: 3 }) })
    )
    // Changes within values and signatures give other events of good form; else this would show nothing.
    const variety = new Variety({ accepted: 21 })
    await assertVaried(
      fc.property(envelopes, fc.array(change, { minLength: 1, maxLength: 2 }), (envelope, changes) => {
        const bytes = [...signed(envelope)]
        for (const { at, to, drop } of changes) bytes.splice(at % bytes.length, drop, to)
        const wire = Uint8Array.from(bytes)
        const decoded = decodeEvent(wire)
        if (!decoded.ok) return
        variety.saw('accepted')
        expect(encodeEvent(decoded.event.envelope, decoded.event.signatures)).toEqual(wire)
      }),
      variety,
      // A tenth of the cases.
      { numRuns: 3000, portions: 2 }
    )
  })

  test('any bytes get a verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (wire) => {
        expect(decodeEvent(wire).ok).toBe(false)
      })
    )
  })

  test('the size limit is exact', () => {
    const room = EVENT_BYTES_MAX - signed(announceOfSize(0)).length
    const largest = signed(announceOfSize(room))
    expect(largest.length).toBe(EVENT_BYTES_MAX)
    expect(decodeEvent(largest).ok).toBe(true)
    expect(decodeEvent(signed(announceOfSize(room + 1)))).toMatchObject({ ok: false, code: 'EVENT_TOO_LARGE' })
  })

  test('a view into a larger buffer is read as its own bytes', () => {
    const wire = signed(announceOfSize(3))
    const frame = Buffer.concat([Buffer.from('before'), wire, Buffer.from('after')])
    const decoded = decodeEvent(frame.subarray(6, 6 + wire.length))
    expect(decoded.ok && decoded.event.id).toBe(eventId(canonicalEvent(announceOfSize(3))))
  })

  test('a message names members of others in a readable and bounded way', () => {
    const parsed = parseAnnounce({ [`\ud800${'x'.repeat(500)}`]: 1 })
    expect(parsed.ok).toBe(false)
    if (!parsed.ok) expect(parsed.detail.length).toBeLessThan(100)
    if (!parsed.ok) expect(parsed.detail.isWellFormed()).toBe(true)
  })

  test('the most keys and signers fit the form', () => {
    const kids = Array.from({ length: 256 }, (_, index) => `k${String(index).padStart(3, '0')}`)
    const [key] = packOf()['keys'] as readonly JsonObject[]
    const pack = packOf({ keys: kids.map((kid) => ({ ...key, kid })), signingKids: kids, threshold: 256 }) as JsonObject
    expect(parseAnchorPack(pack)).toEqual({ ok: true, pack })
  })
})

import fc from 'fast-check'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { leafHash, merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { decodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { decodeCanonical, encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { packHash, packRoot, parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { decodeEvent, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { kidOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { json, jsonObject } from './json-arbitrary.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'
import { envelopeOf, signedWire } from './vectors/event-parts.ts'

interface Made {
  readonly id: string
  readonly wire: string
  readonly publicKeys: Readonly<Record<string, string>>
}

interface Answer {
  readonly wires: readonly string[]
  readonly canonical: readonly string[]
  readonly keys: readonly boolean[]
  readonly signatures: readonly boolean[]
  readonly made: {
    readonly records: readonly string[]
    readonly announces: readonly Made[]
    readonly pack: Made
    readonly packHash: string
  }
}

type Vector = { readonly description: string } & Readonly<Record<string, string | number | boolean>>

const bytesOf = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

function vectorsOf(...path: readonly string[]): readonly Vector[] {
  return (readJson(PROTOCOLS, ...path) as { vectors: readonly Vector[] }).vectors
}

function wireOf({ wire, repeat, count }: Vector): string {
  return wire === undefined ? String(repeat).repeat(Number(count)) : String(wire)
}

/** The event that the other implementation made, once its signatures were found good. */
function verified({ id, wire, publicKeys }: Made): DecodedEvent {
  const decoded = decodeEvent(bytesOf(wire))
  if (!decoded.ok) throw new Error(`${decoded.code} ${decoded.detail}`)
  const { event } = decoded
  expect(event.id).toBe(id)
  for (const { kid, signature } of event.signatures) {
    const check = checkPublicKey(bytesOf(publicKeys[kid] ?? ''))
    if (!check.ok) throw new Error(check.detail)
    expect(verifyEd25519(check.key, eventSigningInput(event.envelope.type, kid, event.canonical), signature)).toBe(true)
  }
  return event
}

/** Pieces that break canonical JSON in one way or another where they are put. */
const PIECES = [
  '0',
  '1',
  'e',
  '.',
  '-',
  '"',
  '\\',
  '\\ud83d',
  '\\u0061',
  '\\udc00',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  ' ',
  '\n',
  'a',
  'é',
  '😀'
]
const damage = fc.array(
  fc.record({ at: fc.nat(), put: fc.constantFrom(...PIECES, '"a":1,', '9007199254740993'), drop: fc.nat({ max: 2 }) }),
  { maxLength: 2 }
)

function damaged(bytes: Uint8Array, damages: readonly { at: number; put: string; drop: number }[]): string {
  const result = [...bytes]
  for (const { at, put, drop } of damages) result.splice(at % result.length, drop, ...Buffer.from(put))
  return toHex(Uint8Array.from(result))
}

// The samples are the same each time: the other side is asked once, for all of them.
const SAMPLES = { numRuns: 1000, seed: 20_260_101 }

const damagedTexts = fc.sample(
  fc.tuple(json, damage).map(([value, damages]) => damaged(utf8(encodeCanonical(value)), damages)),
  SAMPLES
)
const damagedWires = fc.sample(
  fc
    .tuple(jsonObject, damage)
    .map(([body, damages]) => damaged(signedWire(envelopeOf({ body, type: 'note' })), damages)),
  SAMPLES
)

const codeOf = (outcome: { readonly ok: true } | { readonly ok: false; readonly code: string }): string =>
  outcome.ok ? 'ok' : outcome.code

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.log('skipped: the second implementation needs python3')

describe.skipIf(!hasPython)('an implementation that was written from the SPECs, in Python', () => {
  const valid = vectorsOf('event', 'v1', 'vectors', 'valid.json')
  const invalid = vectorsOf('event', 'v1', 'vectors', 'invalid.json')
  const canonicalValid = vectorsOf('canonical-json', 'v1', 'vectors', 'valid.json')
  const canonicalInvalid = vectorsOf('canonical-json', 'v1', 'vectors', 'invalid.json')
  const keys = vectorsOf('signature', 'v1', 'vectors', 'keys.json')
  const signatures = vectorsOf('signature', 'v1', 'vectors', 'signatures.json')

  let answer: Answer

  beforeAll(() => {
    const request = {
      wires: [...[...valid, ...invalid].map(wireOf), ...damagedWires],
      canonical: [...[...canonicalValid, ...canonicalInvalid].map(({ bytes }) => bytes), ...damagedTexts],
      keys: keys.map(({ publicKey }) => publicKey),
      signatures: signatures.map(({ publicKey, message, signature }) => [publicKey, message, signature])
    }
    const program = join(import.meta.dirname, 'second_implementation.py')
    const run = spawnSync('python3', [program], {
      input: JSON.stringify(request),
      encoding: 'utf8',
      maxBuffer: 2 ** 24
    })
    if (run.status !== 0) throw new Error(run.stderr)
    answer = JSON.parse(run.stdout) as Answer
  })

  const described = (vectors: readonly Vector[], verdicts: readonly unknown[]): readonly string[] =>
    vectors.map(({ description }, index) => `${description}: ${String(verdicts[index])}`)

  test('gives every vector the same verdict', () => {
    const expectedEvents = [...valid.map(() => 'ok'), ...invalid.map(({ code }) => code)]
    expect(described([...valid, ...invalid], answer.wires)).toEqual(described([...valid, ...invalid], expectedEvents))
    const texts = [...canonicalValid, ...canonicalInvalid]
    const expectedTexts = [...canonicalValid.map(() => 'ok'), ...canonicalInvalid.map(({ code }) => code)]
    expect(described(texts, answer.canonical)).toEqual(described(texts, expectedTexts))
    expect(described(keys, answer.keys)).toEqual(
      described(
        keys,
        keys.map(({ ok }) => ok)
      )
    )
    expect(described(signatures, answer.signatures)).toEqual(
      described(
        signatures,
        signatures.map((vector) => vector['valid'])
      )
    )
  })

  test('gives damaged texts and events the same verdict', () => {
    const texts = damagedTexts.map((text) => `${text}: ${codeOf(decodeCanonical(bytesOf(text)))}`)
    const theirTexts = answer.canonical.slice(-damagedTexts.length)
    expect(damagedTexts.map((text, index) => `${text}: ${theirTexts[index]}`)).toEqual(texts)
    const wires = damagedWires.map((wire) => `${wire}: ${codeOf(decodeEvent(bytesOf(wire)))}`)
    const theirWires = answer.wires.slice(-damagedWires.length)
    expect(damagedWires.map((wire, index) => `${wire}: ${theirWires[index]}`)).toEqual(wires)
    expect(new Set([...theirTexts, ...theirWires]).size).toBeGreaterThan(6)
  })

  test('makes announces that are read, verified and linked here', () => {
    const [first, second] = answer.made.announces.map(verified) as [DecodedEvent, DecodedEvent]
    expect(second.envelope.prev).toBe(first.id)
    expect(kidOfDidKey(first.envelope.signer)).toBe(first.envelope.kid)
    const records = answer.made.records.map(bytesOf)
    for (const record of records) expect(decodeReceipt(record).ok).toBe(true)
    for (const { envelope } of [first, second]) {
      const reading = parseAnnounce(envelope.body)
      expect(reading.ok && reading.announce.batchRoot).toBe(toHex(merkleRoot(records.map(leafHash))))
    }
  })

  test('makes a pack that two keys signed and whose root is right', () => {
    const { envelope, signatures: signed } = verified(answer.made.pack)
    const reading = parseAnchorPack(envelope.body)
    if (!reading.ok) throw new Error(reading.detail)
    expect(signed.map(({ kid }) => kid)).toEqual(reading.pack.signingKids)
    expect(packRoot(reading.pack)).toBe(reading.pack.root)
    expect(packHash(envelope.body)).toBe(answer.made.packHash)
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { leafHash, merkleRoot, MerkleTree, verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { decodeReceipt, encodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { decodeCanonical, encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { packHash, packRoot, parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { PackKeyProof } from '../../protocols/event/v1/pack-proof.ts'
import { provePackKey, verifyPackKeyProof } from '../../protocols/event/v1/pack-proof.ts'
import { evidenceHashOf, evidenceIdOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import type { AttestationPlace } from '../../protocols/event/v1/attestation.ts'
import { countsBefore, parseAttestation } from '../../protocols/event/v1/attestation.ts'
import { canonicalEvent, decodeEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { fromBase64url, fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { didKeyOf, kidOfDidKey, publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { verifyWithPoints } from '../../protocols/signature/v1/ed25519-points.ts'
import {
  decodeDetached,
  encodeDetached,
  kidOfProtectedHeader,
  protectedHeader,
  signingInput
} from '../../protocols/signature/v1/jws.ts'
import { allVectors, PROTOCOLS } from './make-vectors.ts'
import { jsonFiles, readJson } from './third-party.ts'
import { textOf } from './vectors/vector-file.ts'

/** The vectors of a file below `protocols/`. */
function vectorsOf(path: string): readonly unknown[] {
  return (readJson(PROTOCOLS, path) as { vectors: readonly unknown[] }).vectors
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`not hex: ${hex}`)
  return bytes
}

/** Bytes in hex, or one byte many times. */
type Bytes =
  { readonly wire: string } | { readonly record: string } | { readonly repeat: string; readonly count: number }

function inputOf(vector: Bytes): Uint8Array {
  if ('wire' in vector) return bytesOf(vector.wire)
  return bytesOf('record' in vector ? vector.record : vector.repeat.repeat(vector.count))
}

function keyOf(publicKey: string): CheckedPublicKey {
  const checked = checkPublicKey(bytesOf(publicKey))
  if (!checked.ok) throw new Error(checked.detail)
  return checked.key
}

function decoded(wire: string): DecodedEvent {
  const decoding = decodeEvent(bytesOf(wire))
  if (!decoding.ok) throw new Error(`${decoding.code} ${decoding.detail}`)
  return decoding.event
}

function codesOf(path: string): Set<string> {
  return new Set((vectorsOf(path) as readonly { code: string }[]).map(({ code }) => code))
}

const CANONICAL_CODES = ['MALFORMED', 'NOT_CANONICAL', 'DUPLICATE_KEY', 'NUMBER_NOT_IJSON', 'LONE_SURROGATE']

const files = await allVectors()

describe('the files', () => {
  test.each(files.map((file) => [file.path, file] as const))('%s is what its generator writes', (path, file) => {
    expect(readFileSync(join(PROTOCOLS, path), 'utf8')).toBe(textOf(file))
  })

  test('there are no others', () => {
    const paths = files.map(({ path }) => join(PROTOCOLS, path)).toSorted()
    expect(jsonFiles(PROTOCOLS)).toEqual(paths)
  })

  test('no two vectors of a file have one description and one content', () => {
    for (const { path, vectors } of files) {
      const texts = vectors.map((vector) => JSON.stringify(vector))
      expect(new Set(texts).size, path).toBe(texts.length)
    }
  })

  test('every code has a vector', () => {
    expect([...codesOf('canonical-json/v1/vectors/invalid.json')].toSorted()).toEqual(CANONICAL_CODES.toSorted())
    expect([...codesOf('event/v1/vectors/invalid.json')].toSorted()).toEqual(
      [
        ...CANONICAL_CODES,
        'EVENT_TOO_LARGE',
        'SCHEMA_INVALID',
        'SIGNATURE_INVALID',
        'SIGNER_MISMATCH',
        'UNKNOWN_VERSION'
      ].toSorted()
    )
    expect([...codesOf('batch/v1/vectors/receipts-invalid.json')].toSorted()).toEqual(
      [...CANONICAL_CODES, 'RECEIPT_INVALID', 'RECEIPT_TOO_LARGE'].toSorted()
    )
  })
})

describe('canonical-json/v1', () => {
  const valid = vectorsOf('canonical-json/v1/vectors/valid.json') as readonly { bytes: string; value: JsonValue }[]
  const invalid = vectorsOf('canonical-json/v1/vectors/invalid.json') as readonly { bytes: string; code: string }[]

  test.each(valid)('$description', ({ bytes, value }) => {
    expect(decodeCanonical(bytesOf(bytes))).toEqual({ ok: true, value })
    expect(toHex(utf8(encodeCanonical(value)))).toBe(bytes)
  })

  test.each(invalid)('$code: $description', ({ bytes, code }) => {
    expect(decodeCanonical(bytesOf(bytes))).toMatchObject({ ok: false, code })
  })
})

describe('signature/v1', () => {
  const keys = vectorsOf('signature/v1/vectors/keys.json') as readonly { publicKey: string; ok: boolean }[]

  test.each(keys)('key: $description', ({ publicKey, ok }) => {
    expect(checkPublicKey(bytesOf(publicKey))).toMatchObject(ok ? { ok } : { ok, code: 'KEY_WEAK' })
  })

  type Signed = { publicKey: string; message: string; signature: string; valid: boolean }
  test.each(vectorsOf('signature/v1/vectors/signatures.json') as readonly Signed[])(
    'signature: $description',
    (vector) => {
      const parts = [keyOf(vector.publicKey), bytesOf(vector.message), bytesOf(vector.signature)] as const
      expect(verifyEd25519(...parts)).toBe(vector.valid)
      expect(verifyWithPoints(...parts)).toBe(vector.valid)
    }
  )

  type Header = { kid: string; typ: string; protected: string }
  type Jws = Header & Record<'payload' | 'signingInput' | 'publicKey' | 'signature' | 'serialization', string>
  test.each(vectorsOf('signature/v1/vectors/jws.json') as readonly Jws[])('JWS: $description', (vector) => {
    const header = protectedHeader(vector.kid, vector.typ)
    expect(header).toBe(vector.protected)
    expect(kidOfProtectedHeader(header, vector.typ)).toBe(vector.kid)
    const input = signingInput(header, bytesOf(vector.payload))
    expect(toHex(input)).toBe(vector.signingInput)
    const signature = bytesOf(vector.signature)
    expect(verifyEd25519(keyOf(vector.publicKey), input, signature)).toBe(true)
    const signatures = [{ protected: header, signature }]
    expect(toHex(encodeDetached(signatures))).toBe(vector.serialization)
    expect(decodeDetached(bytesOf(vector.serialization))).toEqual({ ok: true, signatures })
  })

  const invalidJws = vectorsOf('signature/v1/vectors/jws-invalid.json') as readonly {
    serialization: string
    code: string
  }[]
  test.each(invalidJws)('JWS, $code: $description', ({ serialization, code }) => {
    expect(decodeDetached(bytesOf(serialization))).toMatchObject({ ok: false, code })
  })

  const invalidHeaders = vectorsOf('signature/v1/vectors/headers-invalid.json') as readonly Header[]
  test.each(invalidHeaders)('header: $description', ({ protected: header, typ }) => {
    expect(kidOfProtectedHeader(header, typ)).toBeNull()
  })

  type DidKey = { did: string; publicKey: string | null; kid: string | null }
  test.each(vectorsOf('signature/v1/vectors/did-key.json') as readonly DidKey[])('did:key: $description', (vector) => {
    const publicKey = publicKeyOfDidKey(vector.did)
    expect(publicKey === null ? null : toHex(publicKey)).toBe(vector.publicKey)
    expect(kidOfDidKey(vector.did)).toBe(vector.kid)
    if (publicKey !== null) expect(didKeyOf(publicKey)).toBe(vector.did)
  })
})

describe('batch/v1', () => {
  const trees = vectorsOf('batch/v1/vectors/trees.json') as readonly {
    leaves: string[]
    root: string
    paths: string[][]
  }[]

  test.each(trees)('tree: $description', ({ leaves, root, paths }) => {
    const hashes = leaves.map((leaf) => leafHash(bytesOf(leaf)))
    expect(toHex(merkleRoot(hashes))).toBe(root)
    const tree = new MerkleTree(hashes)
    expect(toHex(tree.root())).toBe(root)
    hashes.forEach((hash, index) => {
      const path = tree.inclusionProof(index)
      expect(path.map(toHex)).toEqual(paths[index])
      const claim = { leafHash: hash, index, treeSize: hashes.length, path, root: bytesOf(root) }
      expect(verifyInclusion(claim)).toBe(true)
    })
  })

  type Proof = { leafHash: string; index: number; treeSize: number; path: string[]; root: string }
  test.each(vectorsOf('batch/v1/vectors/proofs-invalid.json') as readonly Proof[])('proof: $description', (vector) => {
    const { index, treeSize } = vector
    const hashes = { leafHash: bytesOf(vector.leafHash), path: vector.path.map(bytesOf), root: bytesOf(vector.root) }
    expect(verifyInclusion({ index, treeSize, ...hashes })).toBe(false)
  })

  type Receipt = { receipt: JsonValue; salt: string; record: string; leafHash: string }
  test.each(vectorsOf('batch/v1/vectors/receipts.json') as readonly Receipt[])('receipt: $description', (vector) => {
    const { receipt } = vector
    const salt = bytesOf(vector.salt)
    const record = bytesOf(vector.record)
    expect(encodeReceipt({ receipt, salt })).toEqual({ ok: true, record })
    expect(decodeReceipt(record)).toEqual({ ok: true, receipt, salt })
    expect(toHex(leafHash(record))).toBe(vector.leafHash)
  })

  const invalidReceipts = vectorsOf('batch/v1/vectors/receipts-invalid.json') as readonly (Bytes & { code: string })[]
  test.each(invalidReceipts)('receipt, $code: $description', (vector) => {
    expect(decodeReceipt(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })
})

describe('event/v1', () => {
  type Signature = { protected: string; signature: string; publicKey: string }
  type Valid = { id: string; envelope: Envelope; canonical: string; wire: string; signatures: Signature[] }
  test.each(vectorsOf('event/v1/vectors/valid.json') as readonly Valid[])('valid: $description', (vector) => {
    const event = decoded(vector.wire)
    expect(event).toMatchObject({ id: vector.id, envelope: vector.envelope, wire: bytesOf(vector.wire) })
    expect(toHex(event.canonical)).toBe(vector.canonical)
    event.signatures.forEach(({ kid, signature }, index) => {
      const expected = vector.signatures[index]
      expect(signature).toEqual(fromBase64url(expected?.signature ?? ''))
      const input = eventSigningInput(event.envelope.type, kid, event.canonical)
      expect(verifyEd25519(keyOf(expected?.publicKey ?? ''), input, signature)).toBe(true)
    })
    expect(event.signatures.length).toBe(vector.signatures.length)
    expect(eventId(canonicalEvent(vector.envelope))).toBe(vector.id)
    expect(toHex(encodeEvent(vector.envelope, event.signatures.toReversed()))).toBe(vector.wire)
  })

  const invalid = vectorsOf('event/v1/vectors/invalid.json') as readonly (Bytes & { code: string })[]
  test.each(invalid)('$rule $code: $description', (vector) => {
    expect(decodeEvent(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })

  type BadSignature = { id: string; wire: string; publicKey: string }
  test.each(vectorsOf('event/v1/vectors/bad-signatures.json') as readonly BadSignature[])('$description', (vector) => {
    const { id, envelope, canonical, signatures } = decoded(vector.wire)
    expect(id).toBe(vector.id)
    for (const { kid, signature } of signatures) {
      const input = eventSigningInput(envelope.type, kid, canonical)
      expect(verifyEd25519(keyOf(vector.publicKey), input, signature)).toBe(false)
    }
  })

  type Announced = { body: JsonObject; evidence: { evidenceId: string; evidenceHash: string }[] }
  test.each(vectorsOf('event/v1/vectors/announce.json') as readonly Announced[])('announce: $description', (vector) => {
    const reading = parseAnnounce(vector.body)
    if (!reading.ok) throw new Error(reading.detail)
    const found = reading.announce.timestampAnchors.map((timestampAnchor) => ({
      evidenceId: evidenceIdOf(timestampAnchor),
      evidenceHash: evidenceHashOf(timestampAnchor)
    }))
    expect(found).toEqual(vector.evidence)
  })

  const invalidAnnounces = vectorsOf('event/v1/vectors/announce-invalid.json') as readonly { body: JsonObject }[]
  test.each(invalidAnnounces)('announce, $rule: $description', ({ body }) => {
    expect(parseAnnounce(body)).toMatchObject({ ok: false, code: 'BODY_INVALID' })
  })

  const attestations = vectorsOf('event/v1/vectors/attestation.json') as readonly { body: JsonObject }[]
  test.each(attestations)('attestation: $description', ({ body }) => {
    expect(parseAttestation(body)).toEqual({ ok: true, attestation: body })
  })

  const invalidAttestations = vectorsOf('event/v1/vectors/attestation-invalid.json') as readonly { body: JsonObject }[]
  test.each(invalidAttestations)('attestation, $rule: $description', ({ body }) => {
    expect(parseAttestation(body)).toMatchObject({ ok: false, code: 'BODY_INVALID' })
  })

  type Counting = { attestations: AttestationPlace[]; counts: number }
  const countings = vectorsOf('event/v1/vectors/attestation-counting.json') as readonly Counting[]
  test.each(countings)('attestation that counts: $description', ({ attestations: places, counts }) => {
    for (const order of [places, places.toReversed()]) {
      const first = order.reduce((best, place) => (countsBefore(place, best) ? place : best))
      expect(first).toBe(places[counts])
    }
  })

  type Pack = { body: JsonObject; packHash: string; resulting: AnchorPack['keys'] }
  test.each(vectorsOf('event/v1/vectors/anchor-pack.json') as readonly Pack[])('pack: $description', (vector) => {
    const reading = parseAnchorPack(vector.body)
    if (!reading.ok) throw new Error(reading.detail)
    const { orgId, threshold, root } = reading.pack
    expect(packHash(vector.body)).toBe(vector.packHash)
    expect(packRoot({ orgId, threshold, keys: vector.resulting.toReversed() })).toBe(root)
  })

  const invalidPacks = vectorsOf('event/v1/vectors/anchor-pack-invalid.json') as readonly { body: JsonObject }[]
  test.each(invalidPacks)('pack, $rule: $description', ({ body }) => {
    expect(parseAnchorPack(body)).toMatchObject({ ok: false, code: 'BODY_INVALID' })
  })

  type Proven = Pick<AnchorPack, 'orgId' | 'threshold' | 'keys' | 'root'> & { proof: PackKeyProof }
  test.each(vectorsOf('event/v1/vectors/pack-proof.json') as readonly Proven[])('key proof: $description', (vector) => {
    expect(provePackKey(vector, vector.proof.key.kid)).toEqual(vector.proof)
    expect(verifyPackKeyProof(vector.proof, vector.root)).toBe(true)
  })

  const invalidProofs = vectorsOf('event/v1/vectors/pack-proof-invalid.json') as readonly Proven[]
  test.each(invalidProofs)('key proof that does not hold: $description', ({ proof, root }) => {
    expect(verifyPackKeyProof(proof, root)).toBe(false)
  })
})

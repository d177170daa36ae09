import { bodyVectors } from './bodies.ts'
import {
  ada,
  authorOf,
  bob,
  canonicalOf,
  entryOf,
  envelopeOf,
  hashOf,
  signaturesOf,
  TS,
  wireOf
} from './event-parts.ts'
import type { Author, EnvelopeParts } from './event-parts.ts'
import { invalidEvents } from './event-invalid.ts'
import { packOf, packSigners, secondPack } from './pack-parts.ts'
import { packProofVectors } from './pack-proof.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const MAX = Number.MAX_SAFE_INTEGER

/** The vectors of event/v1. */
export function eventVectors(): readonly VectorFile[] {
  return [
    {
      path: 'event/v1/vectors/valid.json',
      description:
        'Events: the wire bytes (hex), what they hold, and the public keys (hex) under which all signatures are good.',
      vectors: valid()
    },
    {
      path: 'event/v1/vectors/invalid.json',
      description:
        'Wire bytes (hex; or `repeat` of a byte `count` times) that are no event: the code, and the rule that gives it.',
      vectors: invalidEvents()
    },
    {
      path: 'event/v1/vectors/bad-signatures.json',
      description:
        'Events (hex) whose form is right and whose signatures are not: SIGNATURE_INVALID once the keys are known.',
      vectors: badSignatures()
    },
    ...bodyVectors(),
    ...packProofVectors()
  ]
}

function valid(): Vector[] {
  const event = (description: string, changes: EnvelopeParts = {}, ...authors: readonly Author[]): Vector => {
    const envelope = envelopeOf(changes)
    const signers = authors.length === 0 ? [ada] : authors
    const canonical = canonicalOf(envelope)
    const entries = signers.map((author) =>
      entryOf(author, String(envelope['type']), canonical, authors.length === 1 ? String(envelope['kid']) : author.kid)
    )
    return {
      description,
      id: hex(sha256(canonical)),
      envelope,
      canonical: hex(canonical),
      signatures: entries.map((entry, index) => ({ ...entry, publicKey: hex((signers[index] as Author).publicKey) })),
      wire: hex(wireOf(canonical, signaturesOf(...entries)))
    }
  }
  return [
    event('the worked example of the SPEC: the first announce of a chain, without timestamp anchors'),
    event('a later event of a chain', { authorSeq: 2, prev: hashOf('the event before'), ts: TS + 1 }),
    event('the greatest position and time', { authorSeq: MAX, prev: hashOf('the event before'), ts: MAX }),
    event('time zero', { ts: 0 }),
    event('an unknown type with an empty body', { type: 'a', body: {} }),
    event('the longest type', { type: `a${'-0'.repeat(31)}z`, body: {} }),
    event('the longest namespace, every kind of character', { namespace: `0a.b_c-d:${'z'.repeat(55)}` }),
    event('a namespace of one character', { namespace: 'a' }),
    event(
      'a DID of another method with a key of another name',
      { signer: 'did:web:example.org:a:%C3%A9', kid: 'key.1_a:B#c-D' },
      ada
    ),
    event('the longest signer', { signer: `did:web:${'a'.repeat(248)}` }, ada),
    event('the longest kid', { kid: 'K'.repeat(128) }, ada),
    event('a body with characters beyond ASCII, in UTF-16 order', {
      type: 'note',
      body: { text: 'é€😀\n', '😀': 1, '\ufb33': 2 }
    }),
    event('a body with names that look like numbers', { type: 'note', body: { 1: 'a', 10: 'b', 9: 'c' } }),
    event('a body whose lists reach level 32', {
      type: 'note',
      body: { a: JSON.parse(`${'['.repeat(30)}${']'.repeat(30)}`) as unknown }
    }),
    event('the first anchor pack of an organisation', { type: 'anchor-pack', namespace: '_trust', body: packOf() }),
    event(
      'an anchor pack that two keys signed',
      { type: 'anchor-pack', namespace: '_trust', body: secondPack },
      ...packSigners
    ),
    event('an anchor pack with a body that is none but for its signers: admitted without effect', {
      type: 'anchor-pack',
      body: { signingKids: [ada.kid] }
    })
  ]
}

function badSignatures(): Vector[] {
  const canonical = canonicalOf(envelopeOf())
  const own = entryOf(ada, 'announce', canonical)
  const bad = (description: string, entry: unknown, publicKey = ada.publicKey): Vector => ({
    description,
    id: hex(sha256(canonical)),
    publicKey: hex(publicKey),
    wire: hex(wireOf(canonical, signaturesOf(entry)))
  })
  const unencoded = ada.sign(Buffer.from(`${own.protected}.${canonical.toString('base64url')}`))
  return [
    bad('a signature of zeros', { ...own, signature: Buffer.alloc(64).toString('base64url') }),
    bad('the signature of another key', { ...entryOf(bob, 'announce', canonical, ada.kid) }),
    bad('the signature over another event', {
      ...own,
      signature: entryOf(ada, 'announce', canonicalOf(envelopeOf({ ts: 0 }))).signature
    }),
    bad('the signature for another type', { ...own, signature: entryOf(ada, 'attestation', canonical).signature }),
    bad('over the canonical bytes alone', { ...own, signature: ada.sign(canonical).toString('base64url') }),
    bad('over the payload as base64url, as with b64 true', { ...own, signature: unencoded.toString('base64url') }),
    bad('good, but checked under another key', own, authorOf('carol').publicKey)
  ]
}

import {
  ada,
  bob,
  canonicalOf,
  entryOf,
  envelopeOf,
  hashOf,
  headerOf,
  signaturesOf,
  signedWire,
  TS,
  wireOf
} from './event-parts.ts'
import type { Author, EnvelopeParts } from './event-parts.ts'
import { packOf, packSigners } from './pack-parts.ts'
import { hex } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

/** Wire bytes that break a rule of EV-1 to EV-12. */
export function invalidEvents(): Vector[] {
  return [...invalidFrames(), ...invalidCanonical(), ...invalidEnvelopes(), ...invalidSignatures()]
}

function invalidFrames(): Vector[] {
  const good = signedWire(envelopeOf())
  const canonicalLength = canonicalOf(envelopeOf()).length
  const framed = (description: string, wire: Uint8Array): Vector => ({
    description,
    code: 'MALFORMED',
    rule: 'EV-2',
    wire: hex(wire)
  })
  const withLength = (length: number): Buffer => {
    const wire = Buffer.from(good)
    wire.writeUInt32BE(length)
    return wire
  }
  return [
    {
      description: 'one byte too many, whatever they are',
      code: 'EVENT_TOO_LARGE',
      rule: 'EV-1',
      repeat: '00',
      count: 49_153
    },
    framed('no bytes', Buffer.alloc(0)),
    framed('three bytes', good.subarray(0, 3)),
    framed('only a length', good.subarray(0, 4)),
    framed('a length of zero', withLength(0)),
    framed('a length up to the end, so that no signatures are left', withLength(good.length - 4)),
    framed('a length beyond the end', withLength(good.length)),
    framed('the greatest length', withLength(0xffff_ffff)),
    framed('cut off within the canonical bytes', good.subarray(0, 100)),
    framed('cut off after the canonical bytes', good.subarray(0, 4 + canonicalLength)),
    {
      description: 'a length in the other byte order',
      code: 'MALFORMED',
      rule: 'EV-2',
      wire: hex(Buffer.concat([good.subarray(0, 4).reverse(), good.subarray(4)]))
    }
  ]
}

function invalidCanonical(): Vector[] {
  const text = canonicalOf(envelopeOf()).toString()
  const signed = (
    description: string,
    code: string,
    rule: string,
    canonicalText: string,
    signatures?: string
  ): Vector => {
    const canonical = Buffer.from(canonicalText)
    const part = signatures === undefined ? signaturesOf(entryOf(ada, 'announce', canonical)) : Buffer.from(signatures)
    return { description, code, rule, wire: hex(wireOf(canonical, part)) }
  }
  const part = signaturesOf(entryOf(ada, 'announce', Buffer.from(text))).toString()
  return [
    signed('the event is cut off', 'MALFORMED', 'EV-3', text.slice(0, -1)),
    signed('a byte order mark', 'MALFORMED', 'EV-3', `\ufeff${text}`),
    signed(
      '33 levels',
      'MALFORMED',
      'EV-3',
      text.replace('"timestampAnchors":[]', `"timestampAnchors":${'['.repeat(31)}${']'.repeat(31)}`)
    ),
    signed('white space at the end', 'NOT_CANONICAL', 'EV-3', `${text} `),
    signed('members not in order', 'NOT_CANONICAL', 'EV-3', text.replace('"v":1}', '"a":1}')),
    signed('a number with a fraction of zero', 'NOT_CANONICAL', 'EV-3', text.replace('"v":1', '"v":1.0')),
    signed('a member twice', 'DUPLICATE_KEY', 'EV-3', text.replace('"v":1', '"v":1,"v":1')),
    signed('a time beyond I-JSON', 'NUMBER_NOT_IJSON', 'EV-3', text.replace(String(TS), '9007199254740992')),
    signed('a lone surrogate', 'LONE_SURROGATE', 'EV-3', text.replace('batch-1', '\\ud800')),
    signed('the signatures are cut off', 'MALFORMED', 'EV-4', text, part.slice(0, -1)),
    signed('something after the signatures', 'MALFORMED', 'EV-4', text, `${part}{}`),
    signed('white space in the signatures', 'NOT_CANONICAL', 'EV-4', text, part.replace(':', ': ')),
    signed(
      'a member of a signature twice',
      'DUPLICATE_KEY',
      'EV-4',
      text,
      part.replace('{"protected"', '{"protected":"","protected"')
    ),
    signed('both parts are bad: the event comes first', 'NOT_CANONICAL', 'EV-3', `${text} `, '{'),
    signed(
      'signatures that are not canonical come before an unknown version',
      'NOT_CANONICAL',
      'EV-4',
      text.replace('"v":1', '"v":2'),
      `${part} `
    )
  ]
}

function invalidEnvelopes(): Vector[] {
  const invalid = (description: string, rule: string, changes: EnvelopeParts, code = 'SCHEMA_INVALID'): Vector => ({
    description,
    code,
    rule,
    wire: hex(signedWire(envelopeOf(changes)))
  })
  const root = (description: string, value: unknown): Vector => {
    const canonical = canonicalOf(value)
    return {
      description,
      code: 'SCHEMA_INVALID',
      rule: 'EV-6',
      wire: hex(wireOf(canonical, signaturesOf(entryOf(ada, 'announce', canonical))))
    }
  }
  const { body: _body, ...withoutBody } = envelopeOf()
  const { v: _v, ...withoutVersion } = envelopeOf()
  const later = { authorSeq: 2, prev: hashOf('the event before') }
  return [
    invalid('version 2', 'EV-5', { v: 2 }, 'UNKNOWN_VERSION'),
    invalid('version 2 with other members', 'EV-5', { v: 2, more: true, type: 'No Type' }, 'UNKNOWN_VERSION'),
    root('a list', []),
    root('null', null),
    root('no body', withoutBody),
    root('no version', withoutVersion),
    invalid('a further member', 'EV-6', { nonce: 'a' }),
    root(
      'a further member __proto__',
      JSON.parse(JSON.stringify(envelopeOf()).replace('{', '{"__proto__":{},')) as unknown
    ),
    ...[0, -1, 1.5, '1', true, null].map((v) => invalid(`version ${JSON.stringify(v)}`, 'EV-7', { v })),
    ...[0, -1, 1.5, '1', null].map((authorSeq) =>
      invalid(`authorSeq ${JSON.stringify(authorSeq)}`, 'EV-7', { authorSeq })
    ),
    ...[-1, 0.5, '0', null].map((ts) => invalid(`ts ${JSON.stringify(ts)}`, 'EV-7', { ts })),
    ...[[], null, 'text', 1].map((body) => invalid(`body ${JSON.stringify(body)}`, 'EV-7', { body })),
    ...['', 'A', '-a', 'a b', 'é', 'a/b', 'a'.repeat(65), '_trusty', '_', 1, null].map((namespace) =>
      invalid(`namespace ${JSON.stringify(namespace)}`, 'EV-7', { namespace })
    ),
    ...['', 'Announce', '1a', '-a', 'a.b', 'a_b', `a${'b'.repeat(64)}`, 1].map((type) =>
      invalid(`type ${JSON.stringify(type)}`, 'EV-7', { type })
    ),
    ...[
      '',
      'did:',
      'did:key',
      'did:key:',
      'did:Web:a',
      'DID:web:a',
      'did:web:a:',
      'did:web:a/b',
      'did:web:a#b',
      'did:web:a?b',
      'did:web:%zz',
      'did:web:é',
      ' did:web:a',
      `did:web:${'a'.repeat(249)}`,
      1
    ].map((signer) => invalid(`signer ${JSON.stringify(signer)}`, 'EV-7', { signer })),
    ...['', '.a', '#a', 'a b', 'a/b', 'é', 'a'.repeat(129), 1].map((kid) =>
      invalid(`kid ${JSON.stringify(kid)}`, 'EV-7', { kid })
    ),
    invalid('prev in upper case', 'EV-7', { ...later, prev: hashOf('a').toUpperCase() }),
    invalid('prev of 63 digits', 'EV-7', { ...later, prev: hashOf('a').slice(1) }),
    invalid('prev that is empty', 'EV-7', { ...later, prev: '' }),
    invalid('prev with a newline after it', 'EV-7', { ...later, prev: `${hashOf('a')}\n` }),
    invalid('position 1 with a predecessor', 'EV-8', { prev: hashOf('a') }),
    invalid('position 2 without a predecessor', 'EV-8', { authorSeq: 2 })
  ]
}

function invalidSignatures(): Vector[] {
  const canonical = canonicalOf(envelopeOf())
  const own = entryOf(ada, 'announce', canonical)
  const other = entryOf(bob, 'announce', canonical)
  const invalid = (
    description: string,
    rule: string,
    signatures: Uint8Array,
    code = 'SIGNATURE_INVALID',
    signed = canonical
  ): Vector => ({
    description,
    code,
    rule,
    wire: hex(wireOf(signed, signatures))
  })
  const pack = (description: string, signingKids: unknown, ...authors: readonly Author[]): Vector => {
    const body = { ...packOf(), signingKids }
    const wire = signedWire(envelopeOf({ type: 'anchor-pack', namespace: '_trust', body }), ...authors)
    return { description, code: 'SIGNER_MISMATCH', rule: 'EV-11', wire: hex(wire) }
  }
  const [low, high] = packSigners as [Author, Author]
  return [
    invalid('no signatures', 'EV-9', signaturesOf()),
    invalid('a list', 'EV-9', canonicalOf([own])),
    invalid('a further member beside the signatures', 'EV-9', canonicalOf({ payload: '', signatures: [own] })),
    invalid('an unprotected header', 'EV-9', signaturesOf({ ...own, header: {} })),
    invalid(
      'a signature of 63 bytes',
      'EV-9',
      signaturesOf({ ...own, signature: Buffer.alloc(63).toString('base64url') })
    ),
    invalid('a signature with padding', 'EV-9', signaturesOf({ ...own, signature: `${own.signature}==` })),
    invalid(
      'the header of another type',
      'EV-10',
      signaturesOf({ ...own, protected: headerOf(ada.kid, 'attestation') })
    ),
    invalid(
      'a header with alg EdDSA',
      'EV-10',
      signaturesOf({
        ...own,
        protected: Buffer.from(
          Buffer.from(own.protected, 'base64url').toString().replace('"Ed25519"', '"EdDSA"')
        ).toString('base64url')
      })
    ),
    invalid('a header with padding', 'EV-10', signaturesOf({ ...own, protected: `${own.protected}=` })),
    invalid('an empty header', 'EV-10', signaturesOf({ ...own, protected: '' })),
    invalid('a good and a bad header', 'EV-10', signaturesOf(own, { ...own, protected: '' })),
    invalid('signed by another kid', 'EV-11', signaturesOf(other), 'SIGNER_MISMATCH'),
    invalid(
      'signed by another kid as well',
      'EV-11',
      signaturesOf(...[own, other].toSorted((a, b) => (a.protected < b.protected ? -1 : 1))),
      'SIGNER_MISMATCH'
    ),
    invalid('signed twice', 'EV-11', signaturesOf(own, own), 'SIGNER_MISMATCH'),
    pack('a pack that one of its signers did not sign', [low.kid, high.kid], low),
    pack('a pack that somebody else signed as well', [low.kid], low, high),
    pack('a pack whose signatures are not in order', [low.kid, high.kid], high, low),
    { ...pack('a pack whose signers do not hold the kid of the envelope', [bob.kid], bob), rule: 'EV-12' },
    { ...pack('a pack whose signers are not in order', [high.kid, low.kid], high, low), rule: 'EV-12' },
    { ...pack('a pack that names a signer twice', [ada.kid, ada.kid], ada, ada), rule: 'EV-12' },
    { ...pack('a pack that names no signers', [], ada), rule: 'EV-12' },
    { ...pack('a pack with signers that are no list', ada.kid, ada), rule: 'EV-12' },
    { ...pack('a pack with a signer that is no kid', ['/', ada.kid], ada), rule: 'EV-12' }
  ]
}

import { ada, bob, canonicalOf, hashOf, TS } from './event-parts.ts'
import type { Author } from './event-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>
type Purpose = 'challenge' | 'delivery' | 'delivery-receipt'

const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')
const NONCE = base64url(sha256('a nonce').subarray(0, 16))
const TOKEN = base64url(sha256('a token'))

/** The vectors of delivery/v1. Bodies and receipts are put together here as the SPEC says, without the codec. */
export function deliveryVectors(): readonly VectorFile[] {
  const base = 'delivery/v1/vectors'
  const signedAre =
    'the body (text), the canonical form of its `signed` (text), the hash of that (hex), and the public key (hex) under which the signature is good.'
  return [
    { path: `${base}/challenges.json`, description: `Challenges: ${signedAre}`, vectors: challenges() },
    { path: `${base}/deliveries.json`, description: `Deliveries: ${signedAre}`, vectors: deliveries() },
    {
      path: `${base}/requests-invalid.json`,
      description:
        'Bodies (hex; or `repeat` of a byte `count` times) that are no delivery, with rule and code. Their signatures are good, except where they are what is wrong.',
      vectors: invalidRequests()
    },
    {
      path: `${base}/receipts.json`,
      description:
        'Receipts, the public key (hex) of the receiver, and the hashes (hex) of the record and of its leaf.',
      vectors: receipts()
    },
    {
      path: `${base}/receipts-invalid.json`,
      description:
        'Receipts that prove nothing, with rule and code, to a sender that holds them against `sender`, `receiver`, `deliveryHash` and the public key (hex).',
      vectors: invalidReceipts()
    }
  ]
}

const headerOf = (kid: string, purpose: Purpose): string =>
  base64url(`{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${kid}","typ":"anchormesh.${purpose}.v1+jws"}`)

function entryOf(value: Parts, purpose: Purpose, author: Author): { protected: string; signature: string } {
  const header = headerOf(author.kid, purpose)
  const signed = Buffer.concat([Buffer.from(`${header}.`), canonicalOf(value)])
  return { protected: header, signature: base64url(author.sign(signed)) }
}

function challengeOf(changes: Parts = {}): Parts {
  return { audience: bob.did, kid: ada.kid, nonce: NONCE, signer: ada.did, ts: TS, v: 1, ...changes }
}

function deliveryOf(changes: Parts = {}): Parts {
  return challengeOf({ namespace: 'dao:vaultmesh', payload: { report: 'r-1' }, token: TOKEN, ...changes })
}

function without(value: Parts, ...members: readonly string[]): Parts {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !members.includes(name)))
}

function bodyOf(signed: Parts, purpose: Purpose): Parts {
  return { signed, signatures: [entryOf(signed, purpose, ada)] }
}

function validOf(description: string, signed: Parts, purpose: Purpose, body?: string): Vector {
  return {
    description,
    body: body ?? JSON.stringify(bodyOf(signed, purpose)),
    canonical: canonicalOf(signed).toString(),
    hash: hex(sha256(canonicalOf(signed))),
    publicKey: hex(ada.publicKey)
  }
}

function challenges(): Vector[] {
  return [
    validOf('a challenge', challengeOf(), 'challenge'),
    validOf(
      'the same, indented, members in another order',
      challengeOf(),
      'challenge',
      JSON.stringify(
        {
          signatures: [entryOf(challengeOf(), 'challenge', ada)],
          signed: Object.fromEntries(Object.entries(challengeOf()).reverse())
        },
        null,
        2
      )
    )
  ]
}

function deliveries(): Vector[] {
  const payload = { '€': [1.5, 1e-7, 0], '10': null, nested: { b: true, a: 'line\nbreak' } }
  const text = JSON.stringify(bodyOf(deliveryOf({ payload }), 'delivery'))
  return [
    validOf('a delivery', deliveryOf(), 'delivery'),
    validOf('an empty payload', deliveryOf({ payload: {} }), 'delivery'),
    validOf('a payload with what canonical JSON writes in one way', deliveryOf({ payload }), 'delivery'),
    validOf(
      'the same, written in other ways',
      deliveryOf({ payload }),
      'delivery',
      text.replace('[1.5,1e-7,0]', '[15e-1, 0.0000001, -0]').replace('€', '\\u20ac').replace('line\\n', 'line\\u000a')
    )
  ]
}

function invalidRequests(): Vector[] {
  const bytes = (description: string, rule: string, code: string, body: string | Uint8Array): Vector => ({
    description,
    rule,
    code,
    body: hex(Buffer.from(body))
  })
  const json = (description: string, rule: string, code: string, body: unknown): Vector =>
    bytes(description, rule, code, JSON.stringify(body))
  const schema = (description: string, signed: Parts): Vector =>
    json(description, 'DE-3', 'SCHEMA_INVALID', bodyOf(signed, 'delivery'))
  const good = bodyOf(deliveryOf(), 'delivery')
  const text = JSON.stringify(good)
  const entry = entryOf(deliveryOf(), 'delivery', ada)
  const signature = (description: string, signatures: unknown): Vector =>
    json(description, 'DE-4', 'SIGNATURE_INVALID', { ...good, signatures })
  const deep = `${'['.repeat(30)}${']'.repeat(30)}`
  return [
    { description: 'a byte too many', rule: 'DE-1', code: 'BODY_TOO_LARGE', repeat: '20', count: 1_048_577 },
    bytes('nothing', 'DE-2', 'MALFORMED', ''),
    bytes('what is cut off', 'DE-2', 'MALFORMED', text.slice(0, -1)),
    bytes('a byte order mark', 'DE-2', 'MALFORMED', `\ufeff${text}`),
    bytes('no UTF-8', 'DE-2', 'MALFORMED', Buffer.concat([Buffer.from(text), Buffer.of(0xff)])),
    bytes('33 levels', 'DE-2', 'MALFORMED', text.replace('"r-1"', deep)),
    bytes('a member twice', 'DE-2', 'DUPLICATE_KEY', text.replace('"payload":{', '"payload":{"report":"r-2",')),
    bytes('a member twice, once with escapes', 'DE-2', 'DUPLICATE_KEY', text.replace('{', '{"sign\\u0065d":{},')),
    bytes('a number beyond 2^53 − 1', 'DE-2', 'NUMBER_NOT_IJSON', text.replace('"r-1"', '9007199254740992')),
    bytes('half of a pair of surrogates', 'DE-2', 'LONE_SURROGATE', text.replace('r-1', '\\ud800')),
    json('no object', 'DE-3', 'SCHEMA_INVALID', [good]),
    json('no signatures', 'DE-3', 'SCHEMA_INVALID', { signed: deliveryOf() }),
    json('nothing signed', 'DE-3', 'SCHEMA_INVALID', { signatures: [entry] }),
    json('a payload of JWS', 'DE-3', 'SCHEMA_INVALID', { ...good, payload: '' }),
    json('signed as a text', 'DE-3', 'SCHEMA_INVALID', { ...good, signed: JSON.stringify(deliveryOf()) }),
    ...['audience', 'kid', 'namespace', 'nonce', 'payload', 'signer', 'token', 'ts', 'v'].map((member) =>
      schema(`no ${member}`, without(deliveryOf(), member))
    ),
    schema('an unknown member', deliveryOf({ more: 1 })),
    schema('another version', deliveryOf({ v: 2 })),
    schema('a payload that is a list', deliveryOf({ payload: [] })),
    schema('the namespace of packs', deliveryOf({ namespace: '_trust' })),
    schema('a nonce of 15 bytes', deliveryOf({ nonce: base64url(sha256('a nonce').subarray(0, 15)) })),
    schema('a token of 31 bytes', deliveryOf({ token: base64url(sha256('a token').subarray(0, 31)) })),
    schema('a token with padding', deliveryOf({ token: `${TOKEN}=` })),
    schema('a time with a fraction', deliveryOf({ ts: TS + 0.5 })),
    schema('a time before 1970', deliveryOf({ ts: -1 })),
    schema('an audience that is no DID', deliveryOf({ audience: 'bob' })),
    schema('a DID with a fragment', deliveryOf({ signer: `${ada.did}#${ada.kid}` })),
    json('a challenge', 'DE-3', 'SCHEMA_INVALID', bodyOf(challengeOf(), 'challenge')),
    signature('no signature', []),
    signature('two signatures', [entry, entry]),
    signature('an unprotected header', [{ ...entry, header: {} }]),
    signature('a signature of 63 bytes', [{ ...entry, signature: base64url(Buffer.alloc(63)) }]),
    signature('signed as a challenge', [entryOf(deliveryOf(), 'challenge', ada)]),
    signature('the kid of another', [entryOf(deliveryOf(), 'delivery', bob)]),
    signature('a header with its members in another order', [
      { ...entry, protected: base64url(`{"b64":false,"alg":"Ed25519","crit":["b64"],"kid":"${ada.kid}"}`) }
    ])
  ]
}

const PREVIOUS = hashOf('the record before')
const DELIVERY_HASH = hex(sha256(canonicalOf(deliveryOf())))

function localRecord(deliveryHash: string, type = 'delivery'): Buffer {
  const body = { bytes: 400, deliveryHash, from: ada.did, kid: ada.kid, namespace: 'dao:vaultmesh', ts: TS }
  return canonicalOf({ body, ts: TS + 5, type, v: 1 })
}

function recordOf(bytes: Buffer = localRecord(DELIVERY_HASH)): Parts {
  return { bytes: base64url(bytes), previousHash: PREVIOUS, recordedAt: TS + 6 }
}

/** CHK-1 for a record of scope 2. */
function recordHash(logSeq: number, bytes: Buffer): Buffer {
  const numbers = Buffer.alloc(17)
  numbers.writeBigUInt64BE(BigInt(logSeq), 0)
  numbers.writeUInt8(2, 8)
  numbers.writeBigUInt64BE(BigInt(TS + 6), 9)
  return sha256(Buffer.concat([Buffer.from(PREVIOUS, 'hex'), numbers, bytes]))
}

/** A signed note by CHK-6 to CHK-12. */
function noteOf(size: number, author: Author = bob): string {
  const origin = `${author.did}#${author.kid}`
  const text = `${origin}\n${size}\n${sha256(`root over ${size}`).toString('base64')}\nepoch 9f8a1c52be07d3e4\n`
  const keyId = sha256(Buffer.concat([Buffer.from(`${origin}\n`), Buffer.of(1), author.publicKey])).subarray(0, 4)
  const signature = Buffer.concat([keyId, author.sign(Buffer.from(text))]).toString('base64')
  return `${text}\n— ${origin} ${signature}\n`
}

function receiptOf(changes: Parts = {}): Parts {
  return {
    audience: ada.did,
    checkpoint: noteOf(12),
    deliveryHash: DELIVERY_HASH,
    kid: bob.kid,
    logSeq: 12,
    record: recordOf(),
    signer: bob.did,
    ts: TS + 7,
    v: 1,
    ...changes
  }
}

const signedReceipt = (receipt: Parts, author: Author = bob): Parts => ({
  ...receipt,
  ...entryOf(receipt, 'delivery-receipt', author)
})

function receipts(): Vector[] {
  const valid = (description: string, receipt: Parts): Vector => {
    const hash = recordHash(Number(receipt['logSeq']), localRecord(DELIVERY_HASH))
    return {
      description,
      receipt: signedReceipt(receipt),
      sender: ada.did,
      receiver: bob.did,
      deliveryHash: DELIVERY_HASH,
      publicKey: hex(bob.publicKey),
      recordHash: hex(hash),
      leafHash: hex(sha256(Buffer.concat([Buffer.of(0), hash])))
    }
  }
  return [
    valid('a receipt', receiptOf()),
    valid('a checkpoint over more than the delivery', receiptOf({ checkpoint: noteOf(40) })),
    valid('the first record', receiptOf({ logSeq: 1 }))
  ]
}

function invalidReceipts(): Vector[] {
  const invalid = (description: string, rule: string, receipt: Parts): Vector => ({
    description,
    rule,
    code: 'RECEIPT_INVALID',
    receipt,
    sender: ada.did,
    receiver: bob.did,
    deliveryHash: DELIVERY_HASH,
    publicKey: hex(bob.publicKey)
  })
  const signed = (description: string, rule: string, changes: Parts): Vector =>
    invalid(description, rule, signedReceipt(receiptOf(changes)))
  const good = signedReceipt(receiptOf())
  return [
    ...['audience', 'checkpoint', 'deliveryHash', 'kid', 'logSeq', 'record', 'signer', 'ts', 'v'].map((member) =>
      invalid(`no ${member}`, 'DE-17', signedReceipt(without(receiptOf(), member)))
    ),
    invalid('no signature', 'DE-17', without(good, 'signature')),
    invalid('no protected header', 'DE-17', without(good, 'protected')),
    invalid('signed as a delivery', 'DE-17', { ...good, protected: headerOf(bob.kid, 'delivery') }),
    signed('an unknown member', 'DE-17', { more: 1 }),
    signed('position 0', 'DE-17', { logSeq: 0 }),
    signed('a checkpoint that is none', 'DE-17', { checkpoint: 'twelve' }),
    signed('a record without a time', 'DE-17', { record: without(recordOf(), 'recordedAt') }),
    signed('a record of no bytes', 'DE-17', { record: recordOf(Buffer.alloc(0)) }),
    invalid('another time than was signed', 'DE-18', { ...good, ts: TS + 8 }),
    invalid('another position than was signed', 'DE-18', { ...good, logSeq: 11 }),
    invalid('signed by another', 'DE-18', {
      ...receiptOf(),
      protected: headerOf(bob.kid, 'delivery-receipt'),
      signature: entryOf(receiptOf(), 'delivery-receipt', ada).signature
    }),
    signed('a receipt for another sender', 'DE-19', { audience: bob.did }),
    signed('a receipt of another receiver', 'DE-19', { signer: ada.did }),
    signed('a receipt for another delivery', 'DE-19', { deliveryHash: hashOf('another') }),
    signed('the checkpoint of another log', 'DE-20', { checkpoint: noteOf(12, ada) }),
    signed('a checkpoint with another size than was signed', 'DE-20', {
      checkpoint: noteOf(12).replace('\n12\n', '\n13\n')
    }),
    signed('a checkpoint that ends before the delivery', 'DE-20', { checkpoint: noteOf(11) }),
    signed('the record of another delivery', 'DE-21', { record: recordOf(localRecord(hashOf('another'))) }),
    signed('a record of another type', 'DE-21', { record: recordOf(localRecord(DELIVERY_HASH, 'verdict')) }),
    signed('a record that is not canonical', 'DE-21', {
      record: recordOf(Buffer.concat([localRecord(DELIVERY_HASH), Buffer.from(' ')]))
    })
  ]
}

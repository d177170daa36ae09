import { ada, bob, canonicalOf, hashOf, TS } from './event-parts.ts'
import type { Author } from './event-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>
type Purpose = 'bundle-request' | 'bundle-page'

const leafOf = (data: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.of(0), data]))
const nodeOf = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.of(1), left, right]))
const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')

/** The vectors of bundle/v1. Bytes and proofs are put together here as the SPEC says, without the codec. */
export function bundleVectors(): readonly VectorFile[] {
  const base = 'bundle/v1/vectors'
  return [
    {
      path: `${base}/requests.json`,
      description:
        'Requests: the value, its wire bytes, the hash that a page names (hex), and the public key (hex) under which the signature is good.',
      vectors: requests()
    },
    {
      path: `${base}/requests-invalid.json`,
      description: 'Bytes (hex; or `repeat` of a byte `count` times) that are no request, with rule and code.',
      vectors: invalidRequests()
    },
    {
      path: `${base}/pages.json`,
      description:
        'Pages: the value, its wire bytes (hex), the public key (hex) of the signature, and for each part the leaf hashes (hex) that it proves.',
      vectors: pages()
    },
    {
      path: `${base}/pages-invalid.json`,
      description: 'Bytes (hex; or `repeat` of a byte `count` times) that are no page, with rule and code.',
      vectors: invalidPages()
    },
    {
      path: `${base}/range-proofs.json`,
      description:
        'Trees of `size` leaves, whose data are the texts `leaf 0`, `leaf 1` and so on: the proof (hex) of the leaves `from` ≤ index < `to`, and the root (hex).',
      vectors: rangeProofs()
    },
    {
      path: `${base}/range-proofs-invalid.json`,
      description:
        'Leaf hashes from `from` on and proofs (hex) that do not give the root (hex) of a tree of `size` leaves.',
      vectors: invalidRangeProofs()
    }
  ]
}

function headerOf(kid: string, purpose: Purpose): string {
  return base64url(`{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${kid}","typ":"anchormesh.${purpose}.v1+jws"}`)
}

function framed(canonical: Uint8Array, signatures: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(canonical.length)
  return Buffer.concat([length, canonical, signatures])
}

function entryOf(canonical: Uint8Array, purpose: Purpose, author: Author): Parts {
  const header = headerOf(author.kid, purpose)
  return { protected: header, signature: base64url(author.sign(Buffer.concat([Buffer.from(`${header}.`), canonical]))) }
}

function signed(value: Parts, purpose: Purpose, author: Author): Buffer {
  const canonical = canonicalOf(value)
  return framed(canonical, canonicalOf({ signatures: [entryOf(canonical, purpose, author)] }))
}

const BATCH = { batchId: 'batch-1', batchRoot: hashOf('root'), owner: 'vaultmesh' }
const WANT = { ...BATCH, from: 0, to: 3 }

function requestOf(changes: Parts = {}): Parts {
  return {
    audience: bob.did,
    kid: ada.kid,
    namespace: 'dao:vaultmesh',
    nonce: base64url(sha256('a nonce').subarray(0, 16)),
    signer: ada.did,
    ts: TS,
    v: 1,
    want: [WANT],
    ...changes
  }
}

const withoutWant = (changes: Parts = {}): Parts => without(requestOf(changes), 'want')

function without(value: Parts, ...members: readonly string[]): Parts {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !members.includes(name)))
}

function requests(): Vector[] {
  const valid = (description: string, request: Parts): Vector => ({
    description,
    request,
    wire: hex(signed(request, 'bundle-request', ada)),
    hash: hex(sha256(canonicalOf(request))),
    publicKey: hex(ada.publicKey)
  })
  return [
    valid('leaves of one batch', requestOf()),
    valid('the gaps of a batch that was fetched by half', requestOf({ want: [WANT, { ...WANT, from: 7, to: 8 }] })),
    valid('64 wants', requestOf({ want: Array.from({ length: 64 }, (_, from) => ({ ...WANT, from, to: from + 1 })) })),
    valid('all batches', withoutWant()),
    valid('batches of a time', withoutWant({ fromTs: 0, toTs: TS })),
    valid('all batches, from a place on', withoutWant({ after: { ...BATCH, index: 256 } }))
  ]
}

function invalidRequests(): Vector[] {
  const invalid = (description: string, rule: string, request: Parts): Vector => ({
    description,
    rule,
    code: 'bad-request',
    wire: hex(signed(request, 'bundle-request', ada))
  })
  const bytes = (description: string, rule: string, wire: Uint8Array): Vector => ({
    description,
    rule,
    code: 'bad-request',
    wire: hex(wire)
  })
  const canonical = canonicalOf(requestOf())
  const entry = entryOf(canonical, 'bundle-request', ada)
  const want = (changes: Parts): Parts => requestOf({ want: [{ ...WANT, ...changes }] })
  return [
    { description: 'a byte too many', rule: 'BU-1', code: 'too-big', repeat: '00', count: 65_537 },
    bytes('nothing', 'BU-2', Buffer.alloc(0)),
    bytes('no signatures', 'BU-2', framed(canonical, Buffer.alloc(0))),
    bytes('no request', 'BU-2', framed(Buffer.alloc(0), canonicalOf({ signatures: [entry] }))),
    bytes(
      'white space',
      'BU-2',
      framed(Buffer.concat([canonical, Buffer.from(' ')]), canonicalOf({ signatures: [entry] }))
    ),
    bytes(
      'white space in the signatures',
      'BU-2',
      framed(canonical, Buffer.from(`${canonicalOf({ signatures: [entry] }).toString()} `))
    ),
    bytes('no list of signatures', 'BU-3', framed(canonical, canonicalOf({ signatures: [] }))),
    bytes('two signatures', 'BU-3', framed(canonical, canonicalOf({ signatures: [entry, entry] }))),
    bytes(
      'the kid of another',
      'BU-3',
      framed(canonical, canonicalOf({ signatures: [entryOf(canonical, 'bundle-request', bob)] }))
    ),
    bytes(
      'signed as a page',
      'BU-3',
      framed(canonical, canonicalOf({ signatures: [entryOf(canonical, 'bundle-page', ada)] }))
    ),
    bytes('no kid', 'BU-3', signed(without(requestOf(), 'kid'), 'bundle-request', ada)),
    ...['audience', 'namespace', 'nonce', 'signer', 'ts', 'v'].map((member) =>
      invalid(`no ${member}`, 'BU-4', without(requestOf(), member))
    ),
    invalid('an unknown member', 'BU-4', requestOf({ limit: 1 })),
    invalid('null in the place of an absent member', 'BU-4', requestOf({ want: null })),
    invalid('another version', 'BU-4', requestOf({ v: 2 })),
    invalid('an audience that is no DID', 'BU-4', requestOf({ audience: 'bob' })),
    invalid('a nonce of 15 bytes', 'BU-4', requestOf({ nonce: base64url(sha256('a nonce').subarray(0, 15)) })),
    invalid('a nonce with padding', 'BU-4', requestOf({ nonce: `${base64url(sha256('a nonce').subarray(0, 16))}==` })),
    invalid('a time with a fraction', 'BU-4', requestOf({ ts: TS + 0.5 })),
    invalid('no want in the list', 'BU-4', requestOf({ want: [] })),
    invalid('65 wants', 'BU-4', requestOf({ want: Array.from({ length: 65 }, () => WANT) })),
    invalid('a place beside wants', 'BU-4', requestOf({ after: { ...BATCH, index: 0 } })),
    invalid('a time beside wants', 'BU-4', requestOf({ fromTs: 0 })),
    invalid('a place without an index', 'BU-4', withoutWant({ after: BATCH })),
    invalid('a want without an end', 'BU-5', requestOf({ want: [without(WANT, 'to')] })),
    invalid('a want of no leaf', 'BU-5', want({ to: 0 })),
    invalid('a want that ends before it begins', 'BU-5', want({ from: 5, to: 3 })),
    invalid('a want below zero', 'BU-5', want({ from: -1 })),
    invalid('a want whose root is in upper case', 'BU-5', want({ batchRoot: hashOf('root').toUpperCase() })),
    invalid('a want with a further member', 'BU-5', want({ receiptCount: 3 }))
  ]
}

/** The largest power of two below the size. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer
  const split = splitOf(leaves.length)
  return nodeOf(rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)))
}

/** BU-14, from the top down: `from` and `to` are relative to `leaves`. */
function proofOf(leaves: readonly Buffer[], from: number, to: number): Buffer[] {
  if (to <= 0 || from >= leaves.length) return [rootOf(leaves)]
  if (leaves.length === 1) return []
  const split = splitOf(leaves.length)
  return [...proofOf(leaves.slice(0, split), from, to), ...proofOf(leaves.slice(split), from - split, to - split)]
}

const RECORDS = [0, 1, 2, 3, 4].map((index) =>
  canonicalOf({ receipt: { index }, salt: base64url(sha256(`salt ${index}`).subarray(0, 16)), v: 1 })
)
const LEAVES = RECORDS.map(leafOf)

function partOf(from: number, leaves: readonly Parts[], changes: Parts = {}): Parts {
  return {
    announces: [],
    batchId: 'batch-1',
    batchRoot: hex(rootOf(LEAVES)),
    from,
    leaves,
    owner: 'vaultmesh',
    proof: proofOf(LEAVES, from, from + leaves.length).map(hex),
    receiptCount: LEAVES.length,
    ...changes
  }
}

const recordLeaf = (index: number): Parts => ({ record: base64url(RECORDS[index] as Buffer) })
const hashLeaf = (index: number): Parts => ({ leafHash: hex(LEAVES[index] as Buffer) })

function pageOf(parts: readonly unknown[], changes: Parts = {}): Parts {
  return {
    audience: ada.did,
    kid: bob.kid,
    namespace: 'dao:vaultmesh',
    next: null,
    parts,
    request: hashOf('request'),
    signer: bob.did,
    ts: TS,
    v: 1,
    ...changes
  }
}

function pages(): Vector[] {
  const valid = (description: string, page: Parts): Vector => ({
    description,
    page,
    wire: hex(signed(page, 'bundle-page', bob)),
    publicKey: hex(bob.publicKey),
    leafHashes: (page['parts'] as readonly { from: number; leaves: readonly Parts[] }[]).map(({ from, leaves }) =>
      LEAVES.slice(from, from + leaves.length).map(hex)
    )
  })
  const place = { batchId: 'batch-1', batchRoot: hex(rootOf(LEAVES)), index: 3, owner: 'vaultmesh' }
  return [
    valid('a whole batch', pageOf([partOf(0, [0, 1, 2, 3, 4].map(recordLeaf))])),
    valid('leaves from the middle', pageOf([partOf(1, [1, 2].map(recordLeaf))], { next: place })),
    valid('an erased receipt', pageOf([partOf(2, [recordLeaf(2), hashLeaf(3), recordLeaf(4)])])),
    valid('two parts', pageOf([partOf(0, [recordLeaf(0)]), partOf(4, [recordLeaf(4)])])),
    valid('an announce', pageOf([partOf(0, [recordLeaf(0)], { announces: [base64url('an event')] })])),
    valid('no part', pageOf([], { next: place }))
  ]
}

function invalidPages(): Vector[] {
  const invalid = (description: string, rule: string, page: Parts): Vector => ({
    description,
    rule,
    code: 'bad-request',
    wire: hex(signed(page, 'bundle-page', bob))
  })
  const part = (changes: Parts): Parts => pageOf([partOf(0, [recordLeaf(0)], changes)])
  return [
    { description: 'a byte too many', rule: 'BU-1', code: 'too-big', repeat: '00', count: 1_048_577 },
    {
      description: 'signed as a request',
      rule: 'BU-3',
      code: 'bad-request',
      wire: hex(signed(pageOf([]), 'bundle-request', bob))
    },
    invalid('no next', 'BU-10', without(pageOf([]), 'next')),
    invalid('a next that is no place', 'BU-10', pageOf([], { next: 3 })),
    invalid('65 parts', 'BU-10', pageOf(Array.from({ length: 65 }, () => partOf(0, [recordLeaf(0)])))),
    invalid('an unknown member', 'BU-10', pageOf([], { more: true })),
    invalid('no leaf', 'BU-11', part({ leaves: [] })),
    invalid('107 hashes', 'BU-11', part({ proof: Array.from({ length: 107 }, () => hashOf('a')) })),
    invalid('a hash of the proof in upper case', 'BU-11', part({ proof: [hashOf('a').toUpperCase()] })),
    invalid('nine announces', 'BU-11', part({ announces: Array.from({ length: 9 }, () => 'AA') })),
    invalid('an announce with padding', 'BU-11', part({ announces: ['AA=='] })),
    invalid(
      'announces that are not at the first leaf',
      'BU-11',
      pageOf([partOf(1, [recordLeaf(1)], { announces: ['AA'] })])
    ),
    invalid('no receipt in the batch', 'BU-11', part({ receiptCount: 0 })),
    invalid('a leaf with record and hash', 'BU-12', part({ leaves: [{ ...recordLeaf(0), ...hashLeaf(0) }] })),
    invalid('a leaf with neither', 'BU-12', part({ leaves: [{}] })),
    invalid('an empty record', 'BU-12', part({ leaves: [{ record: '' }] })),
    invalid('a record of 65,537 bytes', 'BU-12', part({ leaves: [{ record: base64url(Buffer.alloc(65_537)) }] })),
    invalid('a leaf that is a text', 'BU-12', part({ leaves: ['AA'] }))
  ]
}

const textLeaves = (size: number): Buffer[] =>
  Array.from({ length: size }, (_, index) => leafOf(Buffer.from(`leaf ${index}`)))

function rangeProofs(): Vector[] {
  const vectors: Vector[] = []
  for (const size of [1, 2, 3, 5, 8, 13]) {
    const leaves = textLeaves(size)
    for (let from = 0; from < size; from += Math.max(1, Math.floor(size / 3))) {
      for (const to of new Set([from + 1, Math.min(size, from + 3), size])) {
        vectors.push({
          description: `leaves ${from} to ${to - 1} of ${size}`,
          size,
          from,
          to,
          proof: proofOf(leaves, from, to).map(hex),
          root: hex(rootOf(leaves))
        })
      }
    }
  }
  return vectors
}

function invalidRangeProofs(): Vector[] {
  const leaves = textLeaves(7)
  const good = { size: 7, from: 2, leafHashes: leaves.slice(2, 5), proof: proofOf(leaves, 2, 5) }
  const invalid = (description: string, changes: Partial<typeof good>): Vector => {
    const { size, from, leafHashes, proof } = { ...good, ...changes }
    return {
      description,
      size,
      from,
      leafHashes: leafHashes.map(hex),
      proof: proof.map(hex),
      root: hex(rootOf(leaves))
    }
  }
  const { leafHashes, proof } = good
  return [
    invalid('another place', { from: 1 }),
    invalid('a size that makes another tree', { size: 9 }),
    invalid('beyond the tree', { size: 4 }),
    invalid('no leaf', { leafHashes: [] }),
    invalid('a leaf less', { leafHashes: leafHashes.slice(1) }),
    invalid('leaves in another order', { leafHashes: leafHashes.toReversed() }),
    invalid('a leaf of another batch', { leafHashes: [sha256('other'), ...leafHashes.slice(1)] }),
    invalid('a hash too many', { proof: [...proof, sha256('more')] }),
    invalid('a hash too few', { proof: proof.slice(1) }),
    invalid('hashes in another order', { proof: proof.toReversed() }),
    invalid('a hash of 31 bytes', { proof: [(proof[0] as Buffer).subarray(1), ...proof.slice(1)] }),
    invalid('a leaf hash of 33 bytes', {
      leafHashes: [Buffer.concat([leafHashes[0] as Buffer, Buffer.of(0)]), ...leafHashes.slice(1)]
    }),
    invalid('an inner node that passes for a leaf', {
      size: 4,
      from: 1,
      leafHashes: [nodeOf(leaves[2] as Buffer, leaves[3] as Buffer)],
      proof: [nodeOf(leaves[0] as Buffer, leaves[1] as Buffer)]
    }),
    invalid('below zero', { from: -1 })
  ]
}

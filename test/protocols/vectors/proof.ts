import { ada, bob, canonicalOf, envelopeOf, hashOf, signedWire } from './event-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

const leafOf = (data: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.of(0), data]))
const nodeOf = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.of(1), left, right]))
const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')

/** The vectors of proof/v1. Records, paths and events are put together here as the SPECs say, without the codec. */
export function proofVectors(): readonly VectorFile[] {
  const base = 'proof/v1/vectors'
  return [
    {
      path: `${base}/proofs.json`,
      description:
        'Files as text. `steps` are the steps of PR-9 to PR-13 and PR-15 in their order, each with its rule and outcome, and `overall` is what PR-16 gives where PR-14 leaves every timestamp anchor undecided.',
      vectors: proofs()
    },
    {
      path: `${base}/proofs-invalid.json`,
      description:
        'Files (text; bytes in hex; or `repeat` of a text `count` times) that are no proof, with rule and code.',
      vectors: invalidProofs()
    },
    {
      path: `${base}/proofs-failing.json`,
      description:
        'Files as text of which exactly the step of `rule` fails, whatever is known of timestamp anchors, with the code where the SPEC names it.',
      vectors: failingProofs()
    }
  ]
}

const RECORDS = ['eins', 'zwölf "1"\n', 'drei', 'vier', 'fünf'].map((text, index) =>
  canonicalOf({ receipt: { text }, salt: base64url(sha256(`salt ${index}`).subarray(0, 16)), v: 1 })
)
const LEAVES = RECORDS.map(leafOf)

function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer
  const split = splitOf(leaves.length)
  return nodeOf(rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)))
}

/** RFC 9162 section 2.1.3.1. */
function pathOf(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return []
  const split = splitOf(leaves.length)
  return index < split
    ? [...pathOf(leaves.slice(0, split), index), rootOf(leaves.slice(split))]
    : [...pathOf(leaves.slice(split), index - split), rootOf(leaves.slice(0, split))]
}

function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

const ROOT = hex(rootOf(LEAVES))
const TOKEN = { chainId: 'rfc3161:tsa', token: base64url('a token') }
const BLOB_TOKEN = { chainId: 'rfc3161:tsa', token: { blob: hex(sha256('a token')) } }
/** The header of block 1 of Bitcoin's main network, and its hash. */
const HEADER =
  '010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299'
const BITCOIN = {
  blockHash: hex(sha256(sha256(Buffer.from(HEADER, 'hex'))).reverse()),
  blockHeight: 1,
  chainId: 'btc:mainnet',
  otsProof: base64url('a proof'),
  txid: hashOf('a transaction')
}

const BODY = { batchId: 'batch-1', batchRoot: ROOT, owner: 'vaultmesh', receiptCount: LEAVES.length }
const announceOf = (timestampAnchors: readonly unknown[], changes: Parts = {}): Parts =>
  envelopeOf({ body: { ...BODY, timestampAnchors, ...changes } })
const wireText = (envelope: Parts, author = ada): string => base64url(signedWire(envelope, author))
const ANNOUNCE = wireText(announceOf([TOKEN, BITCOIN]))
const ATTESTED = {
  batchId: 'batch-1',
  batchRoot: ROOT,
  chainId: TOKEN.chainId,
  evidenceHash: hex(sha256(canonicalOf(TOKEN))),
  evidenceId: hex(sha256('a token')),
  outcome: 'verified',
  owner: 'vaultmesh',
  position: 1_767_225_600_000,
  provenTime: 1_767_225_600_000
}
const attestationOf = (changes: Parts = {}): Parts =>
  envelopeOf({ type: 'attestation', signer: bob.did, kid: bob.kid, body: { ...ATTESTED, ...changes } })
const ATTESTATION = wireText(attestationOf(), bob)

function receiptOf(index: number, changes: Parts = {}): Parts {
  return {
    record: (RECORDS[index] as Buffer).toString(),
    leafHash: hex(LEAVES[index] as Buffer),
    index,
    treeSize: LEAVES.length,
    path: pathOf(LEAVES, index).map(hex),
    ...changes
  }
}

function proofOf(changes: Parts = {}): Parts {
  return {
    v: 1,
    type: 'anchormesh-proof',
    namespace: 'dao:vaultmesh',
    owner: 'vaultmesh',
    ownerDid: ada.did,
    batchId: 'batch-1',
    batchRoot: ROOT,
    receipt: receiptOf(1),
    announcements: [ANNOUNCE],
    timestampAnchors: [{ timestampAnchor: TOKEN }],
    ...changes
  }
}

const CLAIMS = {
  by: bob.did,
  chainId: 'rfc3161:tsa',
  logSeq: 7,
  policyDigest: hashOf('policy'),
  provenTime: 1_767_225_600_000,
  reason: 'verified',
  standing: 'proven',
  winner: { chainId: 'rfc3161:tsa', evidenceHash: hashOf('evidence'), evidenceId: hashOf('token') }
}

const without = (value: Parts, member: string): Parts =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== member))

function proofs(): Vector[] {
  const valid = (
    description: string,
    steps: readonly string[],
    proof: Parts,
    text = JSON.stringify(proof)
  ): Vector => ({
    description,
    file: text,
    steps: ['PR-9 ok', 'PR-10 ok', ...steps],
    overall: 'undecided'
  })
  const single = sha256(Buffer.concat([Buffer.of(0), RECORDS[0] as Buffer]))
  return [
    valid(
      'nobody announced the batch',
      ['PR-12 undecided'],
      proofOf({
        ownerDid: null,
        batchRoot: hex(single),
        receipt: receiptOf(0, { treeSize: 1, path: [] }),
        announcements: [],
        timestampAnchors: []
      })
    ),
    valid('a token', ['PR-11 ok', 'PR-12 ok', 'PR-13 ok'], proofOf()),
    ...[0, 2, 3, 4].map((index) =>
      valid(`the leaf ${index} of five`, ['PR-11 ok', 'PR-12 ok', 'PR-13 ok'], proofOf({ receipt: receiptOf(index) }))
    ),
    valid(
      'white space, other escapes and another order of members',
      ['PR-11 ok', 'PR-12 ok', 'PR-13 ok'],
      proofOf(),
      JSON.stringify(Object.fromEntries(Object.entries(proofOf()).toReversed()), null, 4).replace(
        'ö',
        String.raw`\u00f6`
      )
    ),
    valid(
      'a block with its header',
      ['PR-11 ok', 'PR-12 ok', 'PR-13 ok'],
      proofOf({ timestampAnchors: [{ timestampAnchor: BITCOIN, supplement: { header: HEADER, seen: '{}' } }] })
    ),
    valid(
      'a token that was announced by its hash',
      ['PR-11 ok', 'PR-12 ok', 'PR-13 ok'],
      proofOf({ announcements: [wireText(announceOf([BLOB_TOKEN]))] })
    ),
    valid(
      'a token that is there by its hash only',
      ['PR-11 ok', 'PR-12 ok', 'PR-13 ok'],
      proofOf({
        announcements: [wireText(announceOf([BLOB_TOKEN]))],
        timestampAnchors: [{ timestampAnchor: BLOB_TOKEN }]
      })
    ),
    valid(
      'a timestamp anchor that another member added',
      ['PR-11 ok', 'PR-11 ok', 'PR-12 ok', 'PR-13 ok'],
      proofOf({
        announcements: [
          wireText(announceOf([])),
          wireText({ ...announceOf([TOKEN], { receiptCount: 9 }), signer: bob.did, kid: bob.kid }, bob)
        ]
      })
    ),
    valid(
      'an announcement that does not name the owner',
      ['PR-11 ok', 'PR-12 undecided', 'PR-13 ok'],
      proofOf({
        announcements: [wireText(envelopeOf({ body: { ...without(BODY, 'owner'), timestampAnchors: [TOKEN] } }))]
      })
    ),
    valid(
      'a signer whose key is not known',
      ['PR-11 undecided', 'PR-12 undecided', 'PR-13 ok'],
      proofOf({
        ownerDid: 'did:web:vaultmesh.example',
        announcements: [wireText({ ...announceOf([TOKEN]), signer: 'did:web:vaultmesh.example' })]
      })
    ),
    valid(
      'an attestation, and what the writer says',
      ['PR-11 ok', 'PR-12 ok', 'PR-13 ok', 'PR-15 ok'],
      proofOf({ attestations: [ATTESTATION], claims: CLAIMS })
    )
  ]
}

function invalidProofs(): Vector[] {
  const text = (description: string, rule: string, code: string, file: string): Vector => ({
    description,
    rule,
    code,
    file
  })
  const invalid = (description: string, rule: string, proof: unknown): Vector =>
    text(description, rule, 'PROOF_INVALID', JSON.stringify(proof))
  const anchor = (entry: unknown): Parts => proofOf({ timestampAnchors: [entry] })
  const receipt = (changes: Parts): Parts => proofOf({ receipt: receiptOf(1, changes) })
  const good = JSON.stringify(proofOf())
  return [
    { description: 'a byte too many', rule: 'PR-1', code: 'PROOF_TOO_LARGE', repeat: ' ', count: 4_194_305 },
    text('nothing', 'PR-2', 'MALFORMED', ''),
    text('no JSON', 'PR-2', 'MALFORMED', `${good}}`),
    text('a byte order mark', 'PR-2', 'MALFORMED', `\ufeff${good}`),
    {
      description: 'no UTF-8',
      rule: 'PR-2',
      code: 'MALFORMED',
      bytes: hex(Buffer.concat([Buffer.from(good), Buffer.of(0xff)]))
    },
    text('a member twice', 'PR-2', 'DUPLICATE_KEY', good.replace('"v":1', '"v":1,"v":1')),
    text(
      'half of a surrogate pair',
      'PR-2',
      'LONE_SURROGATE',
      good.replace('drei', 'x').replace('zw', String.raw`\ud800`)
    ),
    text('a number beyond 2^53', 'PR-2', 'NUMBER_NOT_IJSON', good.replace('"index":1', '"index":9007199254740993')),
    invalid('a list', 'PR-3', []),
    invalid('null', 'PR-3', null),
    invalid('another type', 'PR-3', proofOf({ type: 'proof' })),
    text('another version', 'PR-3', 'UNKNOWN_VERSION', JSON.stringify(proofOf({ v: 2 }))),
    ...Object.keys(proofOf())
      .filter((member) => member !== 'type')
      .map((member) => invalid(`no ${member}`, 'PR-4', without(proofOf(), member))),
    invalid('an unknown member', 'PR-4', proofOf({ note: 'a' })),
    invalid(
      'the member __proto__',
      'PR-4',
      Object.defineProperty({ ...proofOf() }, '__proto__', { value: 1, enumerable: true })
    ),
    invalid('null in the place of an absent member', 'PR-4', proofOf({ claims: null })),
    invalid('the reserved namespace', 'PR-4', proofOf({ namespace: '_trust' })),
    invalid('an owner that is no name', 'PR-4', proofOf({ owner: '' })),
    invalid('an owner’s DID that is none', 'PR-4', proofOf({ ownerDid: 'ada' })),
    invalid('a root in upper case', 'PR-4', proofOf({ batchRoot: ROOT.toUpperCase() })),
    invalid('18 announcements', 'PR-4', proofOf({ announcements: Array.from({ length: 18 }, () => ANNOUNCE) })),
    invalid('an announcement with padding', 'PR-4', proofOf({ announcements: ['AA=='] })),
    invalid('65 attestations', 'PR-4', proofOf({ attestations: Array.from({ length: 65 }, () => 'AA') })),
    invalid(
      '17 timestamp anchors',
      'PR-4',
      proofOf({ timestampAnchors: Array.from({ length: 17 }, () => ({ timestampAnchor: TOKEN })) })
    ),
    invalid('no record', 'PR-5', proofOf({ receipt: without(receiptOf(1), 'record') })),
    invalid('a record that is an object', 'PR-5', receipt({ record: {} })),
    invalid('a record of 65,537 characters', 'PR-5', receipt({ record: 'a'.repeat(65_537) })),
    invalid('an index below zero', 'PR-5', receipt({ index: -1 })),
    invalid('an index with a fraction', 'PR-5', receipt({ index: 0.5 })),
    invalid('a tree of nothing', 'PR-5', receipt({ treeSize: 0 })),
    invalid('54 hashes', 'PR-5', receipt({ path: Array.from({ length: 54 }, () => ROOT) })),
    invalid('a hash of 31 bytes', 'PR-5', receipt({ path: [ROOT.slice(2)] })),
    invalid('an unknown member of the receipt', 'PR-5', receipt({ salt: 'a' })),
    invalid('a timestamp anchor without its entry', 'PR-6', anchor(TOKEN)),
    invalid('a timestamp anchor on no rail', 'PR-6', anchor({ timestampAnchor: { ...TOKEN, chainId: 'usenet:1' } })),
    invalid('an unknown member beside a timestamp anchor', 'PR-6', anchor({ timestampAnchor: TOKEN, verified: true })),
    invalid('a header for a token', 'PR-7', anchor({ timestampAnchor: TOKEN, supplement: { header: HEADER } })),
    invalid(
      'a header of 79 bytes',
      'PR-7',
      anchor({ timestampAnchor: BITCOIN, supplement: { header: HEADER.slice(2) } })
    ),
    invalid(
      'an unknown member of a supplement',
      'PR-7',
      anchor({ timestampAnchor: BITCOIN, supplement: { height: 1 } })
    ),
    invalid(
      '16,385 characters of what was seen',
      'PR-7',
      anchor({ timestampAnchor: TOKEN, supplement: { seen: ' '.repeat(16_385) } })
    ),
    invalid('claims without a writer', 'PR-8', proofOf({ claims: without(CLAIMS, 'by') })),
    invalid('an unknown claim', 'PR-8', proofOf({ claims: { ...CLAIMS, sure: true } })),
    invalid('another standing', 'PR-8', proofOf({ claims: { ...CLAIMS, standing: 'certain' } })),
    invalid('a reason that is a sentence', 'PR-8', proofOf({ claims: { ...CLAIMS, reason: 'because of it' } })),
    invalid(
      'a winner without its evidence',
      'PR-8',
      proofOf({ claims: { ...CLAIMS, winner: { chainId: 'btc:mainnet' } } })
    )
  ]
}

function failingProofs(): Vector[] {
  const failing = (description: string, rule: string, code: string, proof: Parts): Vector => ({
    description,
    rule,
    code,
    file: JSON.stringify(proof)
  })
  const announced = (envelope: Parts, author = ada): Parts =>
    proofOf({ announcements: [ANNOUNCE, wireText(envelope, author)] })
  const brokenSignature = Buffer.from(signedWire(announceOf([TOKEN]), ada))
  // The last character of the signature's base64url but one, before the quotes and brackets that close it.
  const at = brokenSignature.length - 8
  brokenSignature[at] = brokenSignature[at] === 0x41 ? 0x42 : 0x41
  const record = (RECORDS[1] as Buffer).toString()
  const path = pathOf(LEAVES, 1).map(hex)
  return [
    failing(
      'another receipt',
      'PR-9',
      'RECORD',
      proofOf({ receipt: receiptOf(1, { record: record.replace('zw', 'ZW') }) })
    ),
    failing(
      'the record with white space',
      'PR-9',
      'NOT_CANONICAL',
      proofOf({ receipt: receiptOf(1, { record: ` ${record}` }) })
    ),
    failing('a record that is none', 'PR-9', 'RECEIPT_INVALID', proofOf({ receipt: receiptOf(1, { record: '{}' }) })),
    failing(
      'a path that is one hash short',
      'PR-10',
      'INCLUSION',
      proofOf({ receipt: receiptOf(1, { path: path.slice(1) }) })
    ),
    failing(
      'a path that is one hash too long',
      'PR-10',
      'INCLUSION',
      proofOf({ receipt: receiptOf(1, { path: [...path, ROOT] }) })
    ),
    failing(
      'a path in another order',
      'PR-10',
      'INCLUSION',
      proofOf({ receipt: receiptOf(1, { path: path.toReversed() }) })
    ),
    failing('another index', 'PR-10', 'INCLUSION', proofOf({ receipt: receiptOf(1, { index: 0 }) })),
    failing('an index beyond the tree', 'PR-10', 'INCLUSION', proofOf({ receipt: receiptOf(1, { index: 5 }) })),
    failing('no announce', 'PR-11', 'ANNOUNCEMENT', announced(envelopeOf({ type: 'attestation', body: {} }))),
    failing(
      'an announce in another namespace',
      'PR-11',
      'ANNOUNCEMENT',
      announced({ ...announceOf([]), namespace: 'dao:other' })
    ),
    failing('an announce of another batch', 'PR-11', 'ANNOUNCEMENT', announced(announceOf([], { batchId: 'batch-2' }))),
    failing(
      'an announce of another root',
      'PR-11',
      'ANNOUNCEMENT',
      announced(announceOf([], { batchRoot: hashOf('other') }))
    ),
    failing('an announce for another owner', 'PR-11', 'ANNOUNCEMENT', announced(announceOf([], { owner: 'other' }))),
    failing('an announce whose body is none', 'PR-11', 'BODY_INVALID', announced(announceOf([], { receiptCount: 0 }))),
    failing('bytes that are no event', 'PR-11', 'MALFORMED', proofOf({ announcements: [ANNOUNCE, 'AAAA'] })),
    failing(
      'a signature that is not good',
      'PR-11',
      'SIGNATURE_INVALID',
      proofOf({ announcements: [ANNOUNCE, base64url(brokenSignature)] })
    ),
    failing(
      'the signature of another',
      'PR-11',
      'SIGNATURE_INVALID',
      announced(announceOf([]), { ...bob, kid: ada.kid, did: ada.did })
    ),
    failing('an announcement by somebody else', 'PR-12', 'OWNER', proofOf({ ownerDid: bob.did })),
    failing(
      'an announcement of another number of receipts',
      'PR-12',
      'OWNER',
      proofOf({ announcements: [wireText(announceOf([TOKEN], { receiptCount: 6 }))] })
    ),
    failing(
      'a token that nobody announced',
      'PR-13',
      'TIMESTAMP_ANCHOR',
      proofOf({ timestampAnchors: [{ timestampAnchor: { ...TOKEN, token: base64url('another') } }] })
    ),
    failing(
      'a token on another chain than it was announced',
      'PR-13',
      'TIMESTAMP_ANCHOR',
      proofOf({ timestampAnchors: [{ timestampAnchor: { ...TOKEN, chainId: 'rfc3161:other' } }] })
    ),
    failing(
      'other bytes than those that were announced by hash',
      'PR-13',
      'TIMESTAMP_ANCHOR',
      proofOf({
        announcements: [wireText(announceOf([BLOB_TOKEN]))],
        timestampAnchors: [{ timestampAnchor: { ...TOKEN, token: base64url('another') } }]
      })
    ),
    failing(
      'the header of another block',
      'PR-13',
      'TIMESTAMP_ANCHOR',
      proofOf({
        timestampAnchors: [
          { timestampAnchor: TOKEN },
          { timestampAnchor: BITCOIN, supplement: { header: HEADER.replace('01e36299', '02e36299') } }
        ]
      })
    ),
    failing(
      'an attestation that nobody signed',
      'PR-15',
      'SIGNATURE_INVALID',
      proofOf({ attestations: [wireText(attestationOf(), { ...ada, kid: bob.kid, did: bob.did })] })
    ),
    failing(
      'an attestation of another root',
      'PR-15',
      'ATTESTATION',
      proofOf({ attestations: [wireText(attestationOf({ batchRoot: hashOf('other') }), bob)] })
    ),
    failing(
      'an attestation of a batch of another',
      'PR-15',
      'ATTESTATION',
      proofOf({ attestations: [wireText(attestationOf({ owner: 'other' }), bob)] })
    ),
    failing(
      'an attestation of evidence that nobody announced',
      'PR-15',
      'ATTESTATION',
      proofOf({ attestations: [wireText(attestationOf({ evidenceHash: hashOf('other') }), bob)] })
    ),
    failing(
      'an attestation whose body is none',
      'PR-15',
      'BODY_INVALID',
      proofOf({ attestations: [wireText(attestationOf({ outcome: 'sure' }), bob)] })
    ),
    failing('an announce among the attestations', 'PR-15', 'ATTESTATION', proofOf({ attestations: [ANNOUNCE] }))
  ]
}

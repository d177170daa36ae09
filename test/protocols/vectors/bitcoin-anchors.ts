import {
  append,
  blockBranch,
  blockRoot,
  fork,
  hash256,
  header,
  HEADER_TIME,
  inBitcoin,
  opReturn,
  path,
  payment,
  pending,
  prepend,
  printed,
  proofFile,
  resultOf,
  reversed,
  SHA256,
  transaction,
  unknown
} from './bitcoin-parts.ts'
import type { Output, Step } from './bitcoin-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const ROOT = sha256('a batch root')
const OTHER_ROOT = sha256('another batch root')
const HEIGHT = 1_234
const CARRIER: Output = { satoshis: 0n, script: opReturn(ROOT) }

/** The vectors of whole timestamp anchors. */
export function anchorVectors(): readonly VectorFile[] {
  return [
    {
      path: 'bitcoin-evidence/v1/vectors/evidence.json',
      description:
        'Timestamp anchors, the batch root that they prove, the header of their block (hex) and the time that is proven, in milliseconds.',
      vectors: [...validTransactions(), ...validProofs()]
    },
    {
      path: 'bitcoin-evidence/v1/vectors/evidence-invalid.json',
      description:
        'Timestamp anchors that prove nothing, with the code; `header` (hex) is given where it is needed to find that out.',
      vectors: [...invalidTransactions(), ...invalidProofs()]
    }
  ]
}

interface AnchorParts {
  readonly transaction: Buffer
  readonly txid: Buffer
  /** The other transactions of the block. */
  readonly others: number
  readonly index: number
  /** Changes the header, its Merkle root being right. */
  readonly header: (merkleRoot: Buffer) => Buffer
  readonly chainId: string
}

interface Whole {
  readonly timestampAnchor: Readonly<Record<string, unknown>> & { readonly merkleBranch?: readonly string[] }
  readonly batchRoot: string
  readonly header: string
}

/** A transaction in a block between others, with its header. */
function whole(parts: Partial<AnchorParts>): Whole {
  const raw = parts.transaction ?? transaction({ outputs: [CARRIER] })
  const { txid = hash256(raw), others = 4, index = 2, chainId = 'btc:regtest' } = parts
  const hashes = Array.from({ length: others }, (_, at) => hash256(Buffer.of(at))).toSpliced(index, 0, txid)
  const bytes = (parts.header ?? header)(blockRoot(hashes))
  const timestampAnchor = {
    blockHash: printed(hash256(bytes)),
    blockHeight: HEIGHT,
    chainId,
    merkleBranch: blockBranch(hashes, index).map(printed),
    rawTx: raw.toString('base64url'),
    txIndex: index,
    txid: printed(txid)
  }
  return { timestampAnchor, batchRoot: hex(ROOT), header: hex(bytes) }
}

function validTransactions(): Vector[] {
  const of = (description: string, parts: Partial<AnchorParts>): Vector => ({
    description,
    ...whole(parts),
    provenTime: HEADER_TIME * 1000
  })
  const outputs = [payment('someone'), { satoshis: 0n, script: opReturn(OTHER_ROOT) }, CARRIER, payment('change')]
  return [
    of('a transaction between others', {}),
    of('a block of one', { others: 0, index: 0 }),
    of('the last of an odd number', { others: 4, index: 4 }),
    of('the third output, behind another root', { transaction: transaction({ outputs }) }),
    of('a transaction with a witness', {
      transaction: transaction({ outputs: [CARRIER], witness: [[Buffer.of(1)]] }),
      txid: hash256(transaction({ outputs: [CARRIER] }))
    }),
    of('a network that is not known', { chainId: 'btc:my-chain' })
  ]
}

type Bad = (rule: string, code: string, description: string, evidence: Partial<Whole>) => Vector

const bad: Bad = (rule, code, description, evidence) => ({ description, rule, code, ...evidence })

/** Without header: what is wrong shows without it. */
function headless(
  { timestampAnchor, batchRoot }: Whole,
  changed: Readonly<Record<string, unknown>> = {}
): Partial<Whole> {
  return { timestampAnchor: { ...timestampAnchor, ...changed }, batchRoot }
}

function invalidTransactions(): Vector[] {
  const good = whole({})
  const { merkleBranch = [] } = good.timestampAnchor
  const withHeader = (changed: Readonly<Record<string, unknown>>): Whole => ({
    ...good,
    timestampAnchor: { ...good.timestampAnchor, ...changed }
  })
  const last = whole({ others: 4, index: 4 })
  const small = transaction({ outputs: [{ satoshis: 0n, script: Buffer.of(0x6a, 2, 1, 2) }] })
  const node = Buffer.concat([sha256('left'), sha256('right')])
  const scripts: readonly (readonly [string, Buffer])[] = [
    ['no OP_RETURN', Buffer.concat([Buffer.of(0x20), ROOT])],
    ['the root behind another opcode', Buffer.concat([Buffer.of(0x6b, 0x20), ROOT])],
    ['OP_PUSHDATA1', Buffer.concat([Buffer.of(0x6a, 0x4c, 0x20), ROOT])],
    ['a longer push', Buffer.concat([Buffer.of(0x6a, 0x21), ROOT, Buffer.of(0)])],
    ['a push with a prefix', Buffer.concat([Buffer.of(0x6a, 0x24, 1, 2, 3, 4), ROOT])],
    ['something behind the push', Buffer.concat([opReturn(ROOT), Buffer.of(0x51)])],
    ['a shorter push', Buffer.concat([Buffer.of(0x6a, 0x1f), ROOT.subarray(1)])],
    ['the root reversed', opReturn(reversed(ROOT))],
    ['another root', opReturn(OTHER_ROOT)],
    ['half of the root', Buffer.concat([Buffer.of(0x6a, 0x10), ROOT.subarray(0, 16)])]
  ]
  return [
    bad('BE-2', 'BTC_MALFORMED', 'no transaction', headless(good, { rawTx: 'AAAA' })),
    bad('BE-6', 'BTC_TX_64_BYTES', 'a transaction of 64 bytes', headless(whole({ transaction: small }))),
    bad('BE-6', 'BTC_TX_64_BYTES', 'an inner node', headless(whole({ transaction: node }))),
    bad('BE-7', 'BTC_MALFORMED', 'the id of another transaction', headless(good, { txid: '00'.repeat(32) })),
    ...scripts.map(([description, script]) =>
      bad(
        'BE-8',
        'BTC_ROOT_NOT_FOUND',
        description,
        headless(whole({ transaction: transaction({ outputs: [{ satoshis: 0n, script }] }) }))
      )
    ),
    bad(
      'BE-8',
      'BTC_ROOT_NOT_FOUND',
      'the root in an input',
      headless(whole({ transaction: transaction({ scripts: [opReturn(ROOT)], outputs: [payment('someone')] }) }))
    ),
    bad('BE-9', 'BTC_BRANCH', 'the copy of the last one', headless(last, { txIndex: 5 })),
    bad('BE-12', 'BTC_POW', 'a hash above the target', whole({ header: (root) => header(root, { good: false }) })),
    bad('BE-12', 'BTC_POW', 'a target above the limit', whole({ chainId: 'btc:mainnet' })),
    bad('BE-12', 'BTC_POW', 'a negative target', whole({ header: (root) => header(root, { bits: 0x20ffffff }) })),
    bad('BE-13', 'BTC_BRANCH', 'another place', withHeader({ txIndex: 3 })),
    bad('BE-13', 'BTC_BRANCH', 'no first hash', withHeader({ merkleBranch: merkleBranch.slice(1), txIndex: 1 })),
    bad('BE-13', 'BTC_BRANCH', 'no last hash', withHeader({ merkleBranch: merkleBranch.slice(0, -1) })),
    bad('BE-13', 'BTC_BRANCH', 'a hash too many', withHeader({ merkleBranch: [...merkleBranch, hex(ROOT)] })),
    bad('BE-13', 'BTC_BRANCH', 'another order', withHeader({ merkleBranch: merkleBranch.toReversed() })),
    bad('BE-13', 'BTC_BRANCH', 'another block', whole({ header: () => header(hash256(OTHER_ROOT)) }))
  ]
}

interface ProofParts {
  /** What makes the transaction of the root. */
  readonly steps: readonly Step[]
  /** Beside the way to the block. */
  readonly others: readonly Buffer[]
  readonly height: number
  readonly digest: Buffer
  readonly hashTag: number
}

const BEFORE = transaction({ outputs: [CARRIER] })
const AT = BEFORE.indexOf(ROOT)
/** From the root to the hash of a transaction that carries it. */
const TO_TRANSACTION = [prepend(BEFORE.subarray(0, AT)), append(BEFORE.subarray(AT + 32)), SHA256, SHA256]
/** One level up the tree. */
const UP = [prepend(hash256(Buffer.of(1))), SHA256, SHA256]

function wholeProof(parts: Partial<ProofParts>): Whole {
  const { steps = TO_TRANSACTION, others = [], height = HEIGHT, digest = ROOT, hashTag = 0x08 } = parts
  const bytes = header(resultOf([...steps, ...UP], digest))
  const proof = proofFile(digest, fork(...others, path([...steps, ...UP], inBitcoin(height))), hashTag)
  const timestampAnchor = {
    blockHash: printed(hash256(bytes)),
    blockHeight: HEIGHT,
    chainId: 'btc:regtest',
    otsProof: proof.toString('base64url'),
    txid: printed(resultOf(steps, digest))
  }
  return { timestampAnchor, batchRoot: hex(ROOT), header: hex(bytes) }
}

function validProofs(): Vector[] {
  const of = (description: string, parts: Partial<ProofParts>): Vector => ({
    description,
    ...wholeProof(parts),
    provenTime: HEADER_TIME * 1000
  })
  const nonce = [append(sha256('nonce')), SHA256]
  const carrier = transaction({ outputs: [{ satoshis: 0n, script: opReturn(resultOf(nonce, ROOT)) }] })
  const at = carrier.indexOf(resultOf(nonce, ROOT))
  const steps = [...nonce, prepend(carrier.subarray(0, at)), append(carrier.subarray(at + 32)), SHA256, SHA256]
  return [
    of('a proof of the root', {}),
    of('a proof with a nonce', { steps }),
    of('beside a promise, an attestation of an unknown kind and other blocks', {
      others: [
        pending('https://calendar.example.org'),
        unknown('0102030405060708', Buffer.from('kept')),
        path([SHA256], inBitcoin(HEIGHT)),
        path(TO_TRANSACTION, inBitcoin(HEIGHT + 1)),
        path(TO_TRANSACTION, inBitcoin(HEIGHT))
      ]
    })
  ]
}

function invalidProofs(): Vector[] {
  const good = wholeProof({})
  const changed = (timestampAnchor: Readonly<Record<string, unknown>>): Partial<Whole> =>
    headless(good, timestampAnchor)
  const promise = proofFile(ROOT, pending('https://calendar.example.org')).toString('base64url')
  const size64 = [append(Buffer.alloc(32, 1)), SHA256, SHA256]
  return [
    bad('BE-16', 'OTS_MALFORMED', 'no proof', changed({ otsProof: 'AAAA' })),
    bad('BE-21', 'OTS_ROOT', 'a proof of another root', headless(wholeProof({ digest: OTHER_ROOT }))),
    bad('BE-21', 'OTS_ROOT', 'the same bytes by another hash', headless(wholeProof({ hashTag: 0x67 }))),
    bad('BE-22', 'BTC_BRANCH', 'another height', headless(wholeProof({ height: HEIGHT + 1 }))),
    bad('BE-22', 'BTC_BRANCH', 'nothing but a promise', changed({ otsProof: promise })),
    bad('BE-23', 'BTC_ROOT_NOT_FOUND', 'another transaction', changed({ txid: '00'.repeat(32) })),
    bad('BE-23', 'BTC_ROOT_NOT_FOUND', 'the id in the order of its bytes', {
      ...changed({ txid: hex(resultOf(TO_TRANSACTION, ROOT)) })
    }),
    bad(
      'BE-23',
      'BTC_ROOT_NOT_FOUND',
      'a hash of one SHA-256',
      headless(wholeProof({ steps: [append(BEFORE), SHA256] }))
    ),
    bad(
      'BE-23',
      'BTC_MALFORMED',
      'what is hashed is no transaction',
      headless(wholeProof({ steps: [append(BEFORE), SHA256, SHA256] }))
    ),
    bad('BE-23', 'BTC_TX_64_BYTES', 'an inner node for a transaction', headless(wholeProof({ steps: size64 }))),
    bad('BE-13', 'BTC_BRANCH', 'another block', { ...good, ...anotherBlock() })
  ]
}

/** The same proof, said of a block that holds other transactions. */
function anotherBlock(): Partial<Whole> {
  const bytes = header(hash256(OTHER_ROOT))
  const { timestampAnchor } = wholeProof({})
  return { timestampAnchor: { ...timestampAnchor, blockHash: printed(hash256(bytes)) }, header: hex(bytes) }
}

import {
  blockBranch,
  blockRoot,
  compactSize,
  EASY_BITS,
  hash256,
  header,
  HEADER_TIME,
  opReturn,
  payment,
  printed,
  transaction,
  uint32
} from './bitcoin-parts.ts'
import type { TransactionParts } from './bitcoin-parts.ts'
import { anchorVectors } from './bitcoin-anchors.ts'
import { proofVectors } from './bitcoin-proofs.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const ROOT = sha256('a batch root')

/** The header of the first block of all. */
const GENESIS = `01000000${'00'.repeat(32)}3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c`
const GENESIS_HASH = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f'

/** The vectors of bitcoin-evidence/v1. */
export function bitcoinEvidenceVectors(): readonly VectorFile[] {
  const file = (name: string, description: string, vectors: readonly Vector[]): VectorFile => ({
    path: `bitcoin-evidence/v1/vectors/${name}.json`,
    description,
    vectors
  })
  return [
    file(
      'transactions',
      'Transactions (hex) with their serialization without witness, their id, and the amount and script of their outputs.',
      transactions()
    ),
    file('transactions-invalid', 'Bytes (hex) that are no transaction, with the code.', invalidTransactions()),
    file(
      'branches',
      'A hash, its place and its siblings with the Merkle root (all hex, not reversed) that they lead to; null where they lead nowhere.',
      branches()
    ),
    file('targets', 'Compact forms with the target that they stand for (64 hex digits) or null.', targets()),
    file(
      'headers',
      'Headers (hex), a network, the hash of the block and whether it has its proof of work there.',
      headers()
    ),
    ...proofVectors(),
    ...anchorVectors()
  ]
}

function transactions(): Vector[] {
  const carrier = { satoshis: 0n, script: opReturn(ROOT) }
  const many = Array.from({ length: 253 }, (_, index) => payment(`output ${index}`))
  const of = (description: string, parts: TransactionParts): Vector => {
    const { witness: _, ...withoutWitness } = parts
    const stripped = transaction(withoutWitness)
    return {
      description,
      transaction: hex(transaction(parts)),
      stripped: hex(stripped),
      txid: printed(hash256(stripped)),
      outputs: parts.outputs.map(({ satoshis, script }) => ({ satoshis: String(satoshis), script: hex(script) }))
    }
  }
  return [
    of('an output that carries a root', { outputs: [carrier] }),
    of('the same with a witness', { outputs: [carrier], witness: [[Buffer.alloc(71, 1), Buffer.alloc(33, 2)]] }),
    of('two inputs, of which one has a witness', {
      scripts: [Buffer.alloc(107, 3), Buffer.of()],
      outputs: [payment('change'), carrier],
      witness: [[], [Buffer.of(), Buffer.of(1)]],
      lockTime: 800_000
    }),
    of('253 outputs, the most that there can be of an amount', {
      scripts: [Buffer.alloc(253, 4)],
      outputs: [...many.slice(1), { satoshis: 2n ** 64n - 1n, script: Buffer.of() }]
    })
  ]
}

function invalidTransactions(): Vector[] {
  const parts = { outputs: [payment('someone')] }
  const good = transaction(parts)
  const segwit = transaction({ ...parts, witness: [[Buffer.of(1)]] })
  // Version (4), count (1), outpoint (36), length of the script (1), sequence (4): then the outputs.
  const [head, inputs] = [good.subarray(0, 4), good.subarray(4, 46)]
  const outputs = good.subarray(46)
  const bad = (rule: string, description: string, ...bytes: readonly Uint8Array[]): Vector => ({
    description,
    rule,
    code: 'BTC_MALFORMED',
    transaction: hex(Buffer.concat(bytes))
  })
  return [
    bad('BE-2', 'nothing'),
    bad('BE-2', 'a byte behind its end', good, Buffer.of(0)),
    bad('BE-2', 'no last byte', good.subarray(0, -1)),
    bad('BE-2', 'a witness without its last byte', segwit.subarray(0, -5), segwit.subarray(-4)),
    bad('BE-3', 'a count that is not in its shortest form', head, Buffer.of(0xfd, 1, 0), inputs.subarray(1), outputs),
    bad('BE-3', 'a count of four bytes for two', head, Buffer.of(0xfe, 1, 1, 0, 0), inputs.subarray(1), outputs),
    bad('BE-3', 'a count of eight bytes', head, Buffer.alloc(9, 0xff), inputs.subarray(1), outputs),
    bad('BE-3', 'a count beyond the limit', head, Buffer.of(0xfe), uint32(33_554_433), inputs.subarray(1), outputs),
    bad('BE-3', 'more inputs than there are bytes', head, compactSize(1_000), inputs.subarray(1), outputs),
    bad('BE-3', 'more outputs than there are bytes', head, inputs, compactSize(60_000), outputs.subarray(1)),
    bad('BE-4', 'a marker without flags', head, Buffer.of(0, 0), inputs, outputs),
    bad('BE-4', 'unknown flags', segwit.subarray(0, 5), Buffer.of(3), segwit.subarray(6)),
    bad('BE-4', 'a witness without elements', transaction({ ...parts, witness: [[]] })),
    bad('BE-5', 'no inputs', head, Buffer.of(0), outputs),
    bad('BE-5', 'no inputs, with a witness', head, Buffer.of(0, 1, 0), outputs),
    bad('BE-5', 'no outputs', head, inputs, Buffer.of(0), good.subarray(-4))
  ]
}

function branches(): Vector[] {
  const hashes = (count: number): Buffer[] => Array.from({ length: count }, (_, index) => hash256(Buffer.of(index)))
  const good = [1, 2, 3, 5, 8, 11].flatMap((count) => {
    const all = hashes(count)
    return all.map((leaf, index) => ({
      description: `transaction ${index} of ${count}`,
      leaf: hex(leaf),
      index,
      branch: blockBranch(all, index).map(hex),
      root: hex(blockRoot(all))
    }))
  })
  const of = (description: string, count: number, index: number, place: number): Vector => {
    const all = hashes(count)
    const branch = blockBranch(all, index).map(hex)
    return { description, leaf: hex(all[index] as Buffer), index: place, branch, root: null }
  }
  return [
    ...good,
    of('a place that the branch is too short for', 4, 1, 5),
    of('a place in a block of one', 1, 0, 1),
    of('the copy of the last transaction', 3, 2, 3),
    of('the copy of the last pair', 6, 4, 6)
  ]
}

function targets(): Vector[] {
  const of = (bits: number, description: string, target: bigint | null): Vector => ({
    description,
    bits,
    target: target?.toString(16).padStart(64, '0') ?? null
  })
  return [
    of(0x1d00ffff, 'the first block', 0xffffn << 208n),
    of(EASY_BITS, 'regtest', 0x7fffffn << 232n),
    of(0x1e0377ae, 'signet', 0x377aen << 216n),
    of(0x01120000, 'cut to one byte', 0x12n),
    of(0x02008000, 'cut to two bytes', 0x80n),
    of(0x03123456, 'nothing is shifted', 0x123456n),
    of(0x05009234, 'the upper byte is zero', 0x92340000n),
    of(0x220000ff, 'the highest byte by a size of 34', 0xffn << 248n),
    of(0x2100ffff, 'the highest two bytes by a size of 33', 0xffffn << 240n),
    of(0x00000000, 'zero', null),
    of(0x1d000000, 'zero with a size', null),
    of(0x00123456, 'cut to nothing', null),
    of(0x01003456, 'cut to zero', null),
    of(0x01fedcba, 'negative', null),
    of(0x1d80ffff, 'negative', null),
    of(0x1d800000, 'negative zero', null),
    of(0x22000100, 'one bit above 256, size 34', null),
    of(0x21010000, 'one bit above 256, size 33', null),
    of(0x23000001, 'one bit above 256, size 35', null),
    of(0xff123456, 'far too large', null)
  ]
}

function headers(): Vector[] {
  const of = (description: string, network: string, bytes: Uint8Array, proofOfWork: boolean): Vector => ({
    description,
    header: hex(bytes),
    network,
    hash: printed(hash256(bytes)),
    merkleRoot: hex(bytes.subarray(36, 68)),
    time: HEADER_TIME,
    proofOfWork
  })
  const root = hash256(ROOT)
  const genesis = Buffer.from(GENESIS, 'hex')
  const first = { ...of('the first block', 'mainnet', genesis, true), hash: GENESIS_HASH, time: 1_231_006_505 }
  return [
    first,
    { ...first, description: 'the first block on a network without a limit', network: 'anything' },
    {
      ...first,
      description: 'the first block on a network with an easier limit',
      network: 'signet',
      proofOfWork: true
    },
    of('an easy one', 'regtest', header(root), true),
    of('an easy one on a network without a limit', 'anything', header(root), true),
    of('an easy one where that is too easy', 'mainnet', header(root), false),
    of('an easy one where that is too easy', 'testnet', header(root), false),
    of('an easy one where that is too easy', 'testnet4', header(root), false),
    of('an easy one where that is too easy', 'signet', header(root), false),
    of('a hash above the target', 'regtest', header(root, { good: false }), false),
    of('a target above all limits', 'regtest', header(root, { bits: 0x2100ffff }), false),
    of('a negative target', 'anything', header(root, { bits: 0x20ffffff }), false),
    of('no target', 'anything', header(root, { bits: 0 }), false)
  ]
}

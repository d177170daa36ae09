import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const leafHash = (data: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.of(0), data]))
const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.of(1), left, right]))

/** The vectors of batch/v1. The trees are built here as RFC 9162 section 2.1 defines them, from the top down. */
export function batchVectors(): readonly VectorFile[] {
  return [
    {
      path: 'batch/v1/vectors/trees.json',
      description: 'Leaf data (hex) with the root over it and the inclusion proof of each leaf (all hex).',
      vectors: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17].map(tree)
    },
    {
      path: 'batch/v1/vectors/proofs-invalid.json',
      description: 'Inclusion proofs (all hex) that do not hold.',
      vectors: invalidProofs()
    },
    {
      path: 'batch/v1/vectors/receipts.json',
      description: 'Receipts with their salt, the record (all hex) and the hash of its leaf.',
      vectors: receipts()
    },
    {
      path: 'batch/v1/vectors/receipts-invalid.json',
      description: 'Bytes (hex; or `repeat` of a byte `count` times) that are no receipt record, with the code.',
      vectors: invalidReceipts()
    }
  ]
}

/** MTH of RFC 9162 section 2.1.1. */
function root(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256('')
  if (leaves.length === 1) return leafHash(leaves[0] as Buffer)
  const split = splitOf(leaves.length)
  return nodeHash(root(leaves.slice(0, split)), root(leaves.slice(split)))
}

/** PATH of RFC 9162 section 2.1.3.1. */
function path(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return []
  const split = splitOf(leaves.length)
  return index < split
    ? [...path(index, leaves.slice(0, split)), root(leaves.slice(split))]
    : [...path(index - split, leaves.slice(split)), root(leaves.slice(0, split))]
}

/** The largest power of two below the size. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

const leavesOf = (size: number): Buffer[] => Array.from({ length: size }, (_, index) => Buffer.from(`leaf ${index}`))

function tree(size: number): Vector {
  const leaves = leavesOf(size)
  return {
    description: `${size} leaves`,
    leaves: leaves.map(hex),
    root: hex(root(leaves)),
    paths: leaves.map((_, index) => path(index, leaves).map(hex))
  }
}

function invalidProofs(): Vector[] {
  const leaves = leavesOf(7)
  const good = {
    leafHash: hex(leafHash(leaves[4] as Buffer)),
    index: 4,
    treeSize: 7,
    path: path(4, leaves).map(hex),
    root: hex(root(leaves))
  }
  const single = leavesOf(1)
  const other = hex(sha256('other'))
  return [
    { description: 'another index', ...good, index: 5 },
    { description: 'an index that is mirrored in the tree', ...good, index: 2 },
    { description: 'an index beyond the leaves', ...good, index: 7 },
    { description: 'an index below zero', ...good, index: -1 },
    { description: 'an index that is no integer', ...good, index: 4.5 },
    { description: 'a size that makes the path too short', ...good, treeSize: 9 },
    { description: 'a size that makes the path too long', ...good, treeSize: 5 },
    { description: 'a size of zero', ...good, index: 0, treeSize: 0 },
    { description: 'another leaf', ...good, leafHash: other },
    { description: 'another root', ...good, root: other },
    { description: 'no path', ...good, path: [] },
    { description: 'a path without its first hash', ...good, path: good.path.slice(1) },
    { description: 'a path without its last hash', ...good, path: good.path.slice(0, -1) },
    { description: 'a path with a hash too many', ...good, path: [...good.path, other] },
    { description: 'a path in the other direction', ...good, path: good.path.toReversed() },
    { description: 'a hash of 31 bytes in the path', ...good, path: good.path.map((hash) => hash.slice(2)) },
    { description: 'a leaf hash of 33 bytes', ...good, leafHash: `${good.leafHash}00` },
    {
      description: 'the data of a leaf hashed without its prefix',
      leafHash: hex(sha256(single[0] as Buffer)),
      index: 0,
      treeSize: 1,
      path: [],
      root: hex(root(single))
    }
  ]
}

const SALT = sha256('anchormesh vectors: salt').subarray(0, 16)

function receipts(): Vector[] {
  const record = (description: string, receiptText: string): Vector => {
    const bytes = Buffer.from(`{"receipt":${receiptText},"salt":"${SALT.toString('base64url')}","v":1}`)
    const receipt = JSON.parse(receiptText) as unknown
    return { description, receipt, salt: hex(SALT), record: hex(bytes), leafHash: hex(leafHash(bytes)) }
  }
  return [
    record('an object', '{"integrity":"sha512-AAAA","name":"example","version":"1.0.0"}'),
    record('a string', '"a receipt may be any value"'),
    record('null', 'null'),
    record('a number', '1'),
    record('a list', '[1,2,[]]'),
    record('members named like those of the record', '{"receipt":1,"salt":2,"v":3}')
  ]
}

function invalidReceipts(): Vector[] {
  const salt = SALT.toString('base64url')
  const invalid = (description: string, code: string, text: string): Vector => ({
    description,
    code,
    record: hex(text)
  })
  return [
    { description: 'one byte too many', code: 'RECEIPT_TOO_LARGE', repeat: '20', count: 65_537 },
    invalid('nothing', 'MALFORMED', ''),
    invalid('white space', 'NOT_CANONICAL', `{"receipt":1,"salt":"${salt}","v":1} `),
    invalid('a member twice', 'DUPLICATE_KEY', `{"receipt":1,"receipt":1,"salt":"${salt}","v":1}`),
    invalid('a number out of range', 'NUMBER_NOT_IJSON', `{"receipt":9007199254740992,"salt":"${salt}","v":1}`),
    invalid('a lone surrogate', 'LONE_SURROGATE', `{"receipt":"\\ud800","salt":"${salt}","v":1}`),
    invalid('a list', 'RECEIPT_INVALID', '[]'),
    invalid('no receipt', 'RECEIPT_INVALID', `{"salt":"${salt}","v":1}`),
    invalid('no salt', 'RECEIPT_INVALID', '{"receipt":1,"v":1}'),
    invalid('no version', 'RECEIPT_INVALID', `{"receipt":1,"salt":"${salt}"}`),
    invalid('another version', 'RECEIPT_INVALID', `{"receipt":1,"salt":"${salt}","v":2}`),
    invalid('a further member', 'RECEIPT_INVALID', `{"a":1,"receipt":1,"salt":"${salt}","v":1}`),
    invalid('one name that reads like two', 'RECEIPT_INVALID', '{"receipt,salt":1,"v":1}'),
    invalid(
      'a salt of 15 bytes',
      'RECEIPT_INVALID',
      `{"receipt":1,"salt":"${SALT.subarray(1).toString('base64url')}","v":1}`
    ),
    invalid('a salt that is no string', 'RECEIPT_INVALID', '{"receipt":1,"salt":1,"v":1}'),
    invalid('a salt with padding', 'RECEIPT_INVALID', `{"receipt":1,"salt":"${salt}==","v":1}`)
  ]
}

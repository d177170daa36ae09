import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BitcoinTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { checkBitcoinEvidence, checkBitcoinHeader } from '../../protocols/bitcoin-evidence/v1/evidence.ts'
import { hasProofOfWork } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { hashOfPrinted } from '../../protocols/bitcoin-evidence/v1/hashes.ts'
import { branchOf, rootOfBranch } from '../../protocols/bitcoin-evidence/v1/merkle-branch.ts'
import { carriesRoot } from '../../protocols/bitcoin-evidence/v1/transaction.ts'
import { fromHex, toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import { createBitcoinVerifier } from '../../src/timestamps/bitcoin/verifier.ts'
import { bytesOf, cutBlock, headerOf, transactionOf } from './bitcoin-blocks.ts'
import { describeThirdParty, readJson } from './third-party.ts'
import { printed } from './vectors/bitcoin-parts.ts'

interface DerivedProof {
  readonly index: number
  readonly txid: string
  readonly rawTx: string
  readonly strippedTx: string
  readonly branchInternal: readonly string[]
  readonly opReturn32: readonly string[]
}

interface DerivedBlock {
  readonly height: number
  readonly blockHash: string
  readonly header: string
  readonly time: number
  readonly merkleRootInternal: string
  readonly txCount: number
  readonly proofs: readonly DerivedProof[]
}

function anchorOf(block: DerivedBlock, proof: DerivedProof): BitcoinTimestampAnchor {
  return {
    chainId: 'btc:mainnet',
    txid: proof.txid,
    blockHash: block.blockHash,
    blockHeight: block.height,
    txIndex: proof.index,
    merkleBranch: proof.branchInternal.map((hash) => printed(bytesOf(hash))),
    rawTx: toBase64url(bytesOf(proof.rawTx))
  }
}

describeThirdParty('bitcoin', (folder) => {
  const blocks = [277647, 300025, 702861].map((height) => ({
    ...(readJson(folder, 'derived', `block-${height}.json`) as DerivedBlock),
    cut: cutBlock(readFileSync(join(folder, 'blocks', `mainnet-${height}.raw`)))
  }))

  test.each(blocks)('block $height: header, transactions and their branches', (block) => {
    const header = headerOf(block.cut.header)
    expect(toHex(block.cut.header)).toBe(block.header)
    expect([header.hash, header.time]).toEqual([block.blockHash, block.time])
    expect(toHex(header.merkleRoot)).toBe(block.merkleRootInternal)
    expect(hasProofOfWork(header, 'mainnet')).toBe(true)
    expect(block.cut.transactions.length).toBe(block.txCount)
    for (const { index, txid, rawTx, strippedTx, branchInternal } of block.proofs) {
      const transaction = transactionOf(bytesOf(rawTx))
      expect([transaction.txid, toHex(transaction.stripped)]).toEqual([txid, strippedTx])
      expect(rawTx).toBe(toHex(block.cut.transactions[index] as Buffer))
      const branch = branchInternal.map(bytesOf)
      const root = rootOfBranch(hashOfPrinted(txid) as Uint8Array, index, branch)
      expect(root && toHex(root)).toBe(block.merkleRootInternal)
    }
  })

  test.each(blocks)('block $height: every transaction is read, and leads to the root from its place only', (block) => {
    const transactions = block.cut.transactions.map(transactionOf)
    const hashes = transactions.map(({ txid }) => hashOfPrinted(txid) as Uint8Array)
    // Of the large block a sample that covers both edges: a branch is made by hashing the whole tree.
    const step = hashes.length < 500 ? 1 : 97
    const places = hashes.map((_, index) => index).filter((index) => index % step === 0 || index > hashes.length - 3)
    for (const index of places) {
      const branch = branchOf(hashes, index)
      const rootAt = (place: number): string | null => {
        const root = rootOfBranch(hashes[index] as Uint8Array, place, branch)
        return root && toHex(root)
      }
      expect(rootAt(index)).toBe(block.merkleRootInternal)
      for (const other of [index ^ 1, index ^ 2, index + 2 ** branch.length]) {
        expect(rootAt(other)).not.toBe(block.merkleRootInternal)
      }
    }
  })

  const carrier = blocks.find(({ height }) => height === 702_861)
  const carried = carrier?.proofs.find(({ index }) => index === 2_078)
  if (carrier === undefined || carried === undefined) throw new Error('no transaction with an OP_RETURN of 32 bytes')
  const root = carried.opReturn32[0] ?? ''

  test('the OP_RETURN of a real transaction is proven by its block', async () => {
    const timestampAnchor = anchorOf(carrier, carried)
    const place = { header: bytesOf(carrier.header), hashAtHeight: carrier.blockHash, tipHeight: carrier.height + 500 }
    const provider = { name: 'headers', place: () => Promise.resolve({ ok: true as const, value: place }) }
    const verifier = createBitcoinVerifier({ network: 'mainnet', providers: [provider], k: 1 })
    const request = { timestampAnchor, batchRoot: root, finality: { depth: 6 } }
    expect(await verifier.verify(request, new AbortController().signal)).toEqual({
      outcome: 'valid',
      finality: { depth: 6 },
      provenTime: carrier.time * 1000,
      position: carrier.height,
      evidence: { header: carrier.header, providers: ['headers'] }
    })
  })

  test('the root is in one real transaction of the block and in no other', () => {
    const carriers = carrier.cut.transactions.filter((raw) => carriesRoot(transactionOf(raw), bytesOf(root)))
    expect(carriers.map((raw) => transactionOf(raw).txid)).toEqual([carried.txid])
    for (const proof of carrier.proofs.filter(({ index }) => index !== carried.index)) {
      expect(checkBitcoinEvidence(anchorOf(carrier, proof), root)).toMatchObject({ code: 'BTC_ROOT_NOT_FOUND' })
    }
  })

  test('a flipped bit or a missing byte of the real transaction proves nothing, but for its witness', () => {
    const raw = bytesOf(carried.rawTx)
    const { stripped } = transactionOf(raw)
    const holds = (changed: Uint8Array): boolean =>
      checkBitcoinEvidence({ ...anchorOf(carrier, carried), rawTx: toBase64url(changed) }, root).ok
    expect(holds(raw)).toBe(true)
    // The witness stands before the last four bytes, and is as long as what is stripped, less marker and flags.
    const witness = { from: stripped.length - 4 + 2, to: raw.length - 4 }
    expect(witness.to - witness.from).toBe(raw.length - stripped.length - 2)
    for (let bit = 0; bit < raw.length * 8; bit += 1) {
      const changed = Uint8Array.from(raw)
      const at = bit >> 3
      changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7))
      const inWitness = at >= witness.from && at < witness.to
      if (!inWitness) expect(holds(changed), `bit ${bit}`).toBe(false)
      else if (holds(changed)) expect(toHex(transactionOf(changed).stripped)).toBe(toHex(stripped))
    }
    for (let length = 1; length < raw.length; length += 1) {
      expect(holds(raw.subarray(0, length))).toBe(false)
    }
  })

  const branch = carried.branchInternal.map((hash) => printed(bytesOf(hash)))
  test.each([
    ['its first hash', branch.slice(1)],
    ['a hash in the middle', branch.toSpliced(5, 1)],
    ['its last hash', branch.slice(0, -1)]
  ])('a real branch without %s', (_what, merkleBranch) => {
    const timestampAnchor = { ...anchorOf(carrier, carried), merkleBranch, txIndex: carried.index % 2 ** 11 }
    const commitment = checkBitcoinEvidence(timestampAnchor, root)
    if (commitment.ok) {
      expect(checkBitcoinHeader(commitment, timestampAnchor, bytesOf(carrier.header))).toMatchObject({
        code: 'BTC_BRANCH'
      })
    } else expect(commitment).toMatchObject({ code: 'BTC_BRANCH' })
  })

  const { height: attestedHeight, ...attested } = readJson(folder, 'derived', 'header-358391.json') as {
    height: number
    hash: string
    header: string
    merkleRootInternal: string
    time: number
  }
  const HELLO_TXID = '7e9f0f7d9daa2d9e51b2e22f4abe814c3f90539afa778a9bef88dc64627cb2ec'

  function stamped(name: string, changed?: Uint8Array): { timestampAnchor: BitcoinTimestampAnchor; batchRoot: string } {
    const proof = changed ?? readFileSync(join(folder, 'ots-client-examples', name))
    return {
      timestampAnchor: {
        chainId: 'btc:mainnet',
        txid: HELLO_TXID,
        blockHash: attested.hash,
        blockHeight: attestedHeight,
        otsProof: toBase64url(proof)
      },
      batchRoot: toHex(proof.subarray(33, 65))
    }
  }

  function provenTimeOf({ timestampAnchor, batchRoot }: ReturnType<typeof stamped>): number | string | null {
    const commitment = checkBitcoinEvidence(timestampAnchor, batchRoot)
    if (!commitment.ok) return commitment.code
    const result = checkBitcoinHeader(commitment, timestampAnchor, fromHex(attested.header) as Uint8Array)
    return result === null ? null : result.ok ? result.provenTime : result.code
  }

  test('a real proof of OpenTimestamps ends at its block', () => {
    expect(provenTimeOf(stamped('hello-world.txt.ots'))).toBe(attested.time * 1000)
  })

  test('every bit and byte of it is needed, but for the side on which a node is joined with its own copy', () => {
    const proof = readFileSync(join(folder, 'ots-client-examples', 'hello-world.txt.ots'))
    const { batchRoot } = stamped('', proof)
    const notNeeded = Array.from({ length: proof.length * 8 }, (_, bit) => bit).filter((bit) => {
      const changed = Buffer.from(proof)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return typeof provenTimeOf({ ...stamped('', changed), batchRoot }) === 'number'
    })
    // Append becomes prepend where message and argument are the same.
    expect(notNeeded).toEqual([603 * 8])
    expect(proof[603]).toBe(0xf0)
    for (let length = 1; length < proof.length; length += 1) {
      expect(provenTimeOf({ ...stamped('', proof.subarray(0, length)), batchRoot })).toBe('OTS_MALFORMED')
    }
  })

  const others = readdirSync(join(folder, 'ots-client-examples'))
    .filter((name) => name.endsWith('.ots') && name !== 'hello-world.txt.ots')
    .toSorted()
  test.each(others)('%s leads to no block of which there is a header', (name) => {
    expect(provenTimeOf(stamped(name))).toMatch(/^BTC_(?:BRANCH|ROOT_NOT_FOUND)$/)
  })
})

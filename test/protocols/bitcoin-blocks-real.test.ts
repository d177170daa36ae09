import { expect, test } from 'vitest'
import { hasProofOfWork, parseHeader, targetOf } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { hashOfPrinted } from '../../protocols/bitcoin-evidence/v1/hashes.ts'
import { branchOf, rootOfBranch } from '../../protocols/bitcoin-evidence/v1/merkle-branch.ts'
import { parseTransaction } from '../../protocols/bitcoin-evidence/v1/transaction.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { bytesOf, cutBlock, headerOf, transactionOf } from './bitcoin-blocks.ts'
import { describeThirdParty, readJson } from './third-party.ts'
import { printed } from './vectors/bitcoin-parts.ts'

interface BitcoinjsBlock {
  readonly id: string
  readonly hex: string
  readonly prevHash: string
  readonly merkleRoot: string
  readonly timestamp: number
  readonly bits: number
  readonly valid: boolean
}

describeThirdParty('bitcoin/bitcoinjs', (folder) => {
  const file = readJson(folder, 'block.json') as {
    readonly targets: readonly { readonly bits: string; readonly expected: string }[]
    readonly valid: readonly BitcoinjsBlock[]
    readonly invalid: readonly { readonly hex: string }[]
  }

  test.each(file.targets)('target of $bits', ({ bits, expected }) => {
    const compact = Number.parseInt(bits, 16)
    // The one that has its sign set: bitcoinjs reads it as a larger number, Bitcoin Core refuses it.
    if ((compact & 0x0080_0000) === 0) expect(targetOf(compact)).toBe(BigInt(`0x${expected}`))
    else expect(targetOf(compact)).toBeNull()
  })

  test.each(file.valid)('$description $id', (block) => {
    const bytes = bytesOf(block.hex)
    const header = headerOf(bytes.subarray(0, 80))
    expect([header.hash, header.time]).toEqual([block.id, block.timestamp])
    expect(toHex(header.merkleRoot)).toBe(block.merkleRoot)
    expect(header.previousHash).toBe(printed(bytesOf(block.prevHash)))
    expect(hasProofOfWork(header, 'mainnet')).toBe(block.valid)
  })

  test('headers that are too short', () => {
    for (const { hex } of file.invalid) expect(parseHeader(bytesOf(hex))).toBeNull()
  })

  const whole = [
    ...file.valid.filter(({ hex, description }: BitcoinjsBlock & { description?: string }) => {
      return hex.length > 160 && description !== 'Headers + Coinbase'
    }),
    ...(readJson(folder, 'core-blocks.json') as readonly Pick<BitcoinjsBlock, 'id' | 'hex'>[])
  ]
  test.each(whole)('the whole block $id', ({ id, hex }) => {
    const { header, transactions } = cutBlock(Buffer.from(hex, 'hex'))
    const { hash, merkleRoot } = headerOf(header)
    expect(hash).toBe(id)
    const hashes = transactions.map((raw) => hashOfPrinted(transactionOf(raw).txid) as Uint8Array)
    hashes.forEach((leaf, index) => {
      const root = rootOfBranch(leaf, index, branchOf(hashes, index))
      expect(root && toHex(root)).toBe(toHex(merkleRoot))
    })
  })
})

interface SpvCase<Input> {
  readonly input: Input
  readonly output: boolean
}

describeThirdParty('bitcoin/spv', (folder) => {
  const file = readJson(folder, 'testVectors.json') as Readonly<Record<string, readonly unknown[]>>
  const cases = (name: string): readonly unknown[] => {
    const found = file[name]
    if (found === undefined || found.length === 0) throw new Error(`no ${name}`)
    return found
  }
  const spvBytes = (hex: string): Uint8Array => bytesOf(hex.replace(/^0x/, ''))
  const hashesIn = (hex: string): readonly Uint8Array[] => {
    const bytes = spvBytes(hex)
    return Array.from({ length: bytes.length / 32 }, (_, index) => bytes.subarray(index * 32, index * 32 + 32))
  }

  type Prove = SpvCase<{ txIdLE: string; merkleRootLE: string; proof: string; index: number }>
  test.each(cases('prove') as readonly Prove[])('branch at $input.index: $output', ({ input, output }) => {
    const root = rootOfBranch(spvBytes(input.txIdLE), input.index, hashesIn(input.proof))
    expect(root !== null && toHex(root) === toHex(spvBytes(input.merkleRootLE))).toBe(output)
  })

  // A proof there is the leaf, its siblings and the root; of a root alone, it is the leaf too.
  type Merkle = SpvCase<{ proof: string; index: number }>
  const merkle = (cases('verifyHash256Merkle') as readonly Merkle[]).filter(
    ({ input }) => hashesIn(input.proof).length > 2
  )
  test.each(merkle)('proof at $input.index: $output', ({ input, output }) => {
    const [leaf, ...others] = hashesIn(input.proof)
    const root = rootOfBranch(leaf as Uint8Array, input.index, others.slice(0, -1))
    expect(root !== null && toHex(root) === toHex(others.at(-1) as Uint8Array)).toBe(output)
  })

  type Parts = { input: { version: string; vin: string; vout: string; locktime: string }; output: string }
  const [sample] = cases('calculateTxId') as readonly Parts[]
  if (sample === undefined) throw new Error('no transaction')
  const { version, vin, vout, locktime } = sample.input
  const joined = (parts: Partial<Parts['input']>): Uint8Array =>
    Buffer.concat(
      [parts.version ?? version, parts.vin ?? vin, parts.vout ?? vout, parts.locktime ?? locktime].map(spvBytes)
    )

  test('the id of a transaction', () => {
    expect(transactionOf(joined({})).txid).toBe(printed(spvBytes(sample.output)))
  })

  test.each(cases('validateVin') as readonly SpvCase<string>[])('inputs: $output', ({ input, output }) => {
    expect(parseTransaction(joined({ vin: input })).ok).toBe(output)
  })

  test.each(cases('validateVout') as readonly SpvCase<string>[])('outputs: $output', ({ input, output }) => {
    expect(parseTransaction(joined({ vout: input })).ok).toBe(output)
  })

  type Read = { input: string; output: string }
  test('what headers say', () => {
    const [target, root, previous] = ['extractTarget', 'extractMerkleRootLE', 'extractPrevBlockLE'].map(
      (name) => cases(name)[0] as Read
    )
    if (target === undefined || root === undefined || previous === undefined) throw new Error('no headers')
    expect(targetOf(headerOf(spvBytes(target.input)).bits)).toBe(BigInt(target.output))
    expect(toHex(headerOf(spvBytes(root.input)).merkleRoot)).toBe(toHex(spvBytes(root.output)))
    expect(headerOf(spvBytes(previous.input)).previousHash).toBe(printed(spvBytes(previous.output)))
  })

  test('a chain of real headers has its proof of work', () => {
    const bytes = spvBytes((cases('validateHeaderChain')[0] as Read).input)
    const headers = Array.from({ length: bytes.length / 80 }, (_, index) =>
      headerOf(bytes.subarray(index * 80, index * 80 + 80))
    )
    expect(headers.length).toBeGreaterThan(3)
    headers.forEach((header, index) => {
      expect(hasProofOfWork(header, 'mainnet')).toBe(true)
      if (index > 0) expect(header.previousHash).toBe(headers[index - 1]?.hash)
    })
  })
})

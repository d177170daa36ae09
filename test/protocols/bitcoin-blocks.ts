import { parseHeader } from '../../protocols/bitcoin-evidence/v1/header.ts'
import type { BlockHeader } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { parseTransaction } from '../../protocols/bitcoin-evidence/v1/transaction.ts'
import type { BitcoinTransaction } from '../../protocols/bitcoin-evidence/v1/transaction.ts'

/** A block cut into its header and transactions by their lengths alone, so that a parser can be held to the pieces. */
export interface CutBlock {
  readonly header: Buffer
  readonly transactions: readonly Buffer[]
}

/** Cuts a serialized block. Throws where it does not end with its last transaction. */
export function cutBlock(block: Buffer): CutBlock {
  const cutter = new Cutter(block)
  cutter.skip(80)
  const count = cutter.number()
  const transactions = Array.from({ length: count }, () => cutter.transaction())
  if (cutter.at !== block.length) throw new Error('the block goes on')
  return { header: block.subarray(0, 80), transactions }
}

/** The bytes of hex. */
export const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, 'hex')

/** Throws where the bytes are no header. */
export function headerOf(bytes: Uint8Array): BlockHeader {
  const header = parseHeader(bytes)
  if (header === null) throw new Error('no header')
  return header
}

/** Throws where the bytes are no transaction. */
export function transactionOf(bytes: Uint8Array): BitcoinTransaction {
  const reading = parseTransaction(bytes)
  if (!reading.ok) throw new Error(reading.detail)
  return reading.transaction
}

class Cutter {
  readonly #block: Buffer
  at = 0

  constructor(block: Buffer) {
    this.#block = block
  }

  skip(length: number): void {
    this.at += length
  }

  number(): number {
    const first = this.#block.readUInt8(this.at)
    this.skip(first < 0xfd ? 1 : first === 0xfd ? 3 : 5)
    if (first < 0xfd) return first
    return first === 0xfd ? this.#block.readUInt16LE(this.at - 2) : this.#block.readUInt32LE(this.at - 4)
  }

  transaction(): Buffer {
    const from = this.at
    this.skip(4)
    const hasWitness = this.#block.readUInt8(this.at) === 0
    if (hasWitness) this.skip(2)
    const inputs = this.#each(() => {
      this.skip(36)
      this.skip(this.number())
      this.skip(4)
    })
    this.#each(() => {
      this.skip(8)
      this.skip(this.number())
    })
    if (hasWitness) {
      for (let input = 0; input < inputs; input += 1)
        this.#each(() => {
          this.skip(this.number())
        })
    }
    this.skip(4)
    return this.#block.subarray(from, this.at)
  }

  #each(skipOne: () => void): number {
    const count = this.number()
    for (let index = 0; index < count; index += 1) skipOne()
    return count
  }
}

import { utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'

/** A transaction and the root that it carries. */
export interface ScriptedTransaction {
  readonly id: string
  readonly batchRoot: string
}

export interface ScriptedBlock {
  readonly height: number
  readonly hash: string
  /** When it was found: microseconds since 1970. */
  readonly atUs: number
  readonly transactions: ReadonlyMap<string, ScriptedTransaction>
}

// No chain begins with the run; what is above every reorganisation is enough.
const FIRST_HEIGHT = 1_000

/**
 * A chain whose blocks come as its script says, each some time between half of the usual interval and one and a half of
 * it after the one before. Nothing happens between two looks at it: what was found meanwhile is made up for at the next.
 */
export class ScriptedChain {
  readonly chainId: string
  readonly blockEveryUs: number
  readonly #random: SeededRandom
  readonly #blocks: ScriptedBlock[] = []
  /** Block of each transaction that stands in one, by id. */
  readonly #places = new Map<string, ScriptedBlock>()
  #waiting = new Map<string, ScriptedTransaction>()
  #nextUs: number
  /** How often it was reorganised: what is found after that has another hash. */
  #branch = 0

  constructor(chainId: string, blockEveryUs: number, { nowUs, random }: { nowUs: number; random: SeededRandom }) {
    this.chainId = chainId
    this.blockEveryUs = blockEveryUs
    this.#random = random
    this.#append(nowUs)
    this.#nextUs = nowUs + this.#interval()
  }

  /** The last block there is. */
  tip(nowUs: number): ScriptedBlock {
    this.#goOn(nowUs)
    return this.#blocks.at(-1) as ScriptedBlock
  }

  /** The block at a height of the best chain; `null` where there is none yet, or it is older than the script. */
  blockAt(height: number, nowUs: number): ScriptedBlock | null {
    this.#goOn(nowUs)
    return this.#blocks[height - FIRST_HEIGHT] ?? null
  }

  /** The block of the best chain that a transaction stands in. */
  blockOf(transactionId: string, nowUs: number): ScriptedBlock | null {
    this.#goOn(nowUs)
    return this.#places.get(transactionId) ?? null
  }

  /** Takes a transaction, for the next block; once more changes nothing. */
  submit(transaction: ScriptedTransaction, nowUs: number): void {
    this.#goOn(nowUs)
    if (!this.#places.has(transaction.id)) this.#waiting.set(transaction.id, transaction)
  }

  /** Others come in the place of the last `depth` blocks, without what stood in them. */
  reorganise(depth: number, nowUs: number): void {
    this.#goOn(nowUs)
    const replaced = this.#blocks.splice(Math.max(1, this.#blocks.length - depth))
    this.#branch += 1
    for (const { transactions } of replaced) for (const id of transactions.keys()) this.#places.delete(id)
    const waiting = this.#waiting
    this.#waiting = new Map()
    for (const { atUs } of replaced) this.#append(atUs)
    this.#waiting = waiting
  }

  #goOn(nowUs: number): void {
    while (this.#nextUs <= nowUs) {
      this.#append(this.#nextUs)
      this.#nextUs += this.#interval()
    }
  }

  #append(atUs: number): void {
    const height = FIRST_HEIGHT + this.#blocks.length
    const hash = sha256Hex(utf8(`${this.#random.seed} ${this.chainId} ${height} ${this.#branch}`))
    const block = { height, hash, atUs, transactions: this.#waiting }
    for (const id of this.#waiting.keys()) this.#places.set(id, block)
    this.#waiting = new Map()
    this.#blocks.push(block)
  }

  #interval(): number {
    return Math.max(1, Math.round(this.blockEveryUs * (0.5 + this.#random.fraction())))
  }
}

import type { ProviderAnswer } from '../provider.ts'

/** What a provider knows about one block and about the height where it is said to stand. */
export interface BlockPlace {
  /** The 80 bytes of the header with the hash that was asked for; `null` where the provider does not know it. */
  readonly header: Uint8Array | null
  /** The hash of the block at the height in the provider's best chain; `null` above its tip. */
  readonly hashAtHeight: string | null
  /** The height of the provider's best chain. */
  readonly tipHeight: number
}

/** Tells where blocks stand in the best chain of one network. */
export interface BitcoinProvider {
  /** Host or file name, without credentials. */
  readonly name: string
  /** Hashes are 64 hex digits in the order in which Bitcoin's tools print them. Never throws but when aborted. */
  place(blockHash: string, blockHeight: number, signal: AbortSignal): Promise<ProviderAnswer<BlockPlace>>
}

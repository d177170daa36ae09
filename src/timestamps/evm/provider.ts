import type { ProviderAnswer } from '../provider.ts'

/** What a provider shows of one transaction and of the block where it is said to stand. Hex without `0x`, lower case. */
export interface EvmSight {
  /** The number of the newest block. */
  readonly headNumber: number
  /** The number of the block under the tag that was asked for; `null` where no tag was. */
  readonly taggedNumber: number | null
  /** The block with the number that was asked for; `null` where the chain is not that long. */
  readonly block: {
    readonly hash: string
    readonly number: number
    /** Milliseconds since 1970. */
    readonly timestamp: number
    readonly holdsTransaction: boolean
  } | null
  /** `null` where the provider does not know it, or has it in no block. */
  readonly transaction: EvmTransaction | null
}

export interface EvmTransaction {
  readonly blockHash: string
  readonly blockNumber: number
  /** 40 hex digits; `null` where the transaction creates a contract. */
  readonly to: string | null
  readonly input: Uint8Array
  /** Whether it ran to its end (status 1). */
  readonly succeeded: boolean
  readonly logs: readonly { readonly address: string; readonly topics: readonly string[]; readonly data: Uint8Array }[]
}

export type EvmTag = 'latest' | 'safe' | 'finalized'

/** Shows transactions of one chain. */
export interface EvmProvider {
  /** Host, without credentials. */
  readonly name: string
  /**
   * `PROVIDER_CHAIN` where the provider serves another chain than the one that it was made for. Never throws but when
   * aborted.
   */
  see(txHash: string, blockNumber: number, tag: EvmTag | null, signal: AbortSignal): Promise<ProviderAnswer<EvmSight>>
}

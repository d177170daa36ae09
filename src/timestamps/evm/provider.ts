import type { EvmCarrier } from '../../../protocols/evm-evidence/v1/evidence.ts'
import type { ProviderAnswer } from '../provider.ts'

/** What a provider shows of one transaction and of the block where it is said to stand. Hex without `0x`, lower case. */
export interface EvmSight {
  /** The number of the newest block. */
  readonly headNumber: number
  /** The number of the block under the tag that was asked for; `null` where no tag was, or none is under it. */
  readonly taggedNumber: number | null
  /** The number of the block under `finalized`; `null` where the chain or the provider knows no such block. */
  readonly finalizedNumber: number | null
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

export interface EvmTransaction extends EvmCarrier {
  readonly blockHash: string
  readonly blockNumber: number
  /** Whether its hash was computed again from its fields. If not, the provider's word is all there is (SPEC EE-4). */
  readonly hashChecked: boolean
}

export type EvmTag = 'latest' | 'safe' | 'finalized'

/** Shows transactions of one chain. */
export interface EvmProvider {
  /** Host, without credentials. */
  readonly name: string
  /**
   * What is shown holds together: where the block holds the transaction, the transaction is there and stands in that
   * block, and it hashes to `txHash`. `PROVIDER_CHAIN` where the provider serves another chain than the one that it was
   * made for. Never throws but when aborted.
   */
  see(txHash: string, blockNumber: number, tag: EvmTag | null, signal: AbortSignal): Promise<ProviderAnswer<EvmSight>>
}

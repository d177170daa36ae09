import type { EvmTimestampAnchor } from '../../../protocols/event/v1/timestamp-anchor.ts'
import { calldataProblem, evidenceProblem } from '../../../protocols/evm-evidence/v1/evidence.ts'
import { toHex } from '../../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { askProviders, tooFewAnswers } from '../ask-providers.ts'
import type { Asked } from '../ask-providers.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../verifier.ts'
import { finalityAt, NOT_FOUND_RECHECK_MS, RECHECK_MS, untilBlock } from './finality.ts'
import type { SeenBlock } from './finality.ts'
import type { EvmProvider, EvmSight } from './provider.ts'

export interface EvmVerifierOptions {
  /** `eip155:<chain id>`. */
  readonly chainId: string
  /** All of that chain. */
  readonly providers: readonly EvmProvider[]
  /** How many of them have to agree, at least 1. */
  readonly k: number
}

/** Verifies timestamp anchors of one EVM chain by what k of its providers show (protocols/evm-evidence/v1). */
export function createEvmVerifier({ chainId, providers, k }: EvmVerifierOptions): TimestampVerifier {
  if (k < 1 || k > providers.length) throw new RangeError(`k is ${k}, with ${providers.length} providers`)
  return {
    name: chainId,
    handles: (asked) => asked === chainId,
    async verify({ timestampAnchor, batchRoot, finality }, signal) {
      // EE-7
      if (timestampAnchor.chainId !== chainId || !('txHash' in timestampAnchor)) {
        return { outcome: 'invalid', code: 'EVM_CHAIN', detail: `${timestampAnchor.chainId} is not ${chainId}` }
      }
      const { txHash, blockNumber } = timestampAnchor
      const tag = finality.depth === undefined ? (finality.tag ?? 'finalized') : null
      const asked = await askProviders(providers, (provider) => provider.see(txHash, blockNumber, tag, signal))
      return judge({ timestampAnchor, batchRoot, finality }, asked, k)
    }
  }
}

interface EvmRequest extends VerifierRequest {
  readonly timestampAnchor: EvmTimestampAnchor
}

function judge(request: EvmRequest, asked: Asked<EvmSight>, k: number): VerifierResult {
  const { timestampAnchor, batchRoot, finality: rule } = request
  if (asked.answers.length < k) return tooFewAnswers(asked)
  // EE-6
  const seen = asked.answers.flatMap(({ provider, value }) =>
    value.block === null ? [] : [seenBlock(provider, value)]
  )
  const [first] = seen
  if (seen.some((other) => first === undefined || contentOf(other) !== contentOf(first)))
    return { outcome: 'unreachable', code: 'PROVIDERS_DISAGREE', retryAfterMs: 0 }

  // EE-8, EE-9. Not of a transaction that only some providers still know, from another block: nodes would never agree.
  if (first?.transaction?.hashChecked === true) {
    const code = calldataProblem(timestampAnchor, batchRoot, first.transaction)
    if (code !== null) return { outcome: 'invalid', code, detail: DETAILS[code] }
  }

  // EE-5
  const { blockNumber } = timestampAnchor
  const place = finalityAt(blockNumber, rule, seen, k)
  if (!place.final) {
    const { depth, needed, retryAfterMs } = place
    const missing = blockNumber - Math.max(...asked.answers.map(({ value }) => value.headNumber))
    return { outcome: 'notYetFinal', depth, needed, retryAfterMs: Math.max(retryAfterMs, untilBlock(missing)) }
  }
  if (first === undefined) throw new Error('final, though nobody shows the block')
  const recheck = place.buried ? {} : { recheckAfterMs: RECHECK_MS }
  const { block, transaction } = first
  // EE-10
  if (transaction === null) {
    const detail = `block ${block.number} (${block.hash}) does not hold the transaction`
    // It may be the providers that don't know it: looked at again even where the chain does not change any more.
    const recheckAfterMs = place.buried ? NOT_FOUND_RECHECK_MS : RECHECK_MS
    return { outcome: 'invalid', code: 'EVM_NOT_FOUND', detail, recheckAfterMs }
  }
  // EE-11 to EE-13
  const code = evidenceProblem(timestampAnchor, batchRoot, transaction)
  if (code !== null) return { outcome: 'invalid', code, detail: DETAILS[code], ...recheck }
  // EE-14
  return {
    outcome: 'valid',
    finality: place.finality,
    provenTime: block.timestamp,
    position: block.number,
    evidence: {
      blockHash: block.hash,
      status: 1,
      transactionHashChecked: transaction.hashChecked,
      providers: seen.map(({ provider }) => provider)
    },
    ...recheck
  }
}

const DETAILS = {
  EVM_REVERTED: 'the transaction was reverted, or its receipt has no status',
  EVM_ROOT_NOT_FOUND: 'the transaction does not carry the root where the anchor says',
  EVM_CONTRACT: 'the root is carried, but not by the contract that the anchor names'
} as const

/** Where the transaction is in another block, or in none, it is none of this block's. */
function seenBlock(provider: string, sight: EvmSight): SeenBlock {
  const block = sight.block as NonNullable<EvmSight['block']>
  return { ...sight, provider, block, transaction: block.holdsTransaction ? sight.transaction : null }
}

// From there on a hash is made faster than hex.
const HASHED_BYTES_MIN = 1_024

/** What providers have to agree on, as text. */
function contentOf({ block, transaction }: SeenBlock): string {
  return JSON.stringify([
    block.hash,
    block.timestamp,
    transaction && {
      ...transaction,
      input: nameOf(transaction.input),
      logs: transaction.logs.map(({ address, topics, data }) => [address, topics, nameOf(data)])
    }
  ])
}

/** Different for different bytes. A megabyte as hex would take as long as all the rest together. */
function nameOf(bytes: Uint8Array): string {
  return bytes.length <= HASHED_BYTES_MIN ? toHex(bytes) : `sha256:${sha256Hex(bytes)}`
}

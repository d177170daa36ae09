import type { Anchorer, AnchorStep } from '../../src/anchoring/anchorer.ts'
import { evidenceOf, railOf, tokenOf, transactionOf } from './evidence.ts'
import type { ChainView } from './scripted-verifier.ts'

// What it takes to sign, and to look whether a transaction is known.
const BROADCAST_AFTER_MS = 1_000
const RETRY_MS = 60_000

/**
 * Has roots stamped on the scripted chain: an authority answers at once; on a chain a transaction is signed, handed in,
 * and looked for until a block holds it. One that a reorganisation took out is handed in again.
 */
export function scriptedAnchorer(view: ChainView, node: string): Anchorer {
  const { chain } = view
  const { chainId } = chain
  const rail = railOf(chainId)
  const away: AnchorStep = {
    state: 'failed',
    code: 'PROVIDER_UNREACHABLE',
    detail: `${chainId} is away`,
    retryAfterMs: RETRY_MS
  }
  const stamped = (batchRoot: string): AnchorStep => {
    const genTimeMs = Math.floor(view.nowUs() / 1_000)
    const { id } = transactionOf(chainId, node, batchRoot)
    return { state: 'complete', timestampAnchor: tokenOf(chainId, batchRoot, genTimeMs, id) }
  }
  const prepare = (batchRoot: string): AnchorStep => {
    if (!view.isReachable()) return away
    if (rail === 'tsa') return stamped(batchRoot)
    const { id } = transactionOf(chainId, node, batchRoot)
    return { state: 'under-way', draft: { id }, detail: 'signed', retryAfterMs: BROADCAST_AFTER_MS }
  }
  const advance = (batchRoot: string): AnchorStep => {
    const transaction = transactionOf(chainId, node, batchRoot)
    const { id } = transaction
    const retryAfterMs = Math.max(BROADCAST_AFTER_MS, chain.blockEveryUs / 4_000)
    const waits: AnchorStep = { state: 'under-way', draft: { id }, detail: 'waits for a block', retryAfterMs }
    if (!view.isReachable()) return waits
    const nowUs = view.nowUs()
    const block = chain.blockOf(id, nowUs)
    if (block !== null) return { state: 'complete', timestampAnchor: evidenceOf(chainId, transaction, block) }
    chain.submit(transaction, nowUs)
    return waits
  }
  return {
    rail,
    chainId,
    prepare: async (batchRoot) => prepare(batchRoot),
    advance: async (batchRoot) => (rail === 'tsa' ? prepare(batchRoot) : advance(batchRoot))
  }
}

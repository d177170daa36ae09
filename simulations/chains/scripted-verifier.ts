import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../../src/timestamps/verifier.ts'
import { readToken } from './evidence.ts'
import type { ScriptedBlock, ScriptedChain } from './scripted-chain.ts'

// From there on a chain is taken for buried, as the real verifiers do.
const BURIED_DEPTH = 100

/** A chain as one node sees it. */
export interface ChainView {
  readonly chain: ScriptedChain
  readonly isReachable: () => boolean
  readonly nowUs: () => number
}

/** Checks evidence against the script; an authority's tokens speak for themselves. */
export function scriptedVerifier(view: ChainView): TimestampVerifier {
  const { chainId } = view.chain
  return {
    name: `the script of ${chainId}`,
    handles: (asked) => asked === chainId,
    verify: async (request) => judge(view, request)
  }
}

function judge(view: ChainView, { timestampAnchor, batchRoot, finality }: VerifierRequest): VerifierResult {
  if ('token' in timestampAnchor) return judgeToken(timestampAnchor.token, batchRoot)
  const retryAfterMs = view.chain.blockEveryUs / 1_000
  if (!view.isReachable()) return { outcome: 'unreachable', code: 'PROVIDER_UNREACHABLE', retryAfterMs }
  const nowUs = view.nowUs()
  const { id, height } = placeOf(timestampAnchor)
  const block = view.chain.blockAt(height, nowUs)
  const depth = Math.max(0, view.chain.tip(nowUs).height - height)
  const needed = finality.depth ?? 0
  // Whatever the chain says of it now, it may still change its mind.
  if (block === null || depth < needed) {
    const missing = Math.max(1, needed - depth)
    return {
      outcome: 'notYetFinal',
      depth: holds(block, timestampAnchor, id) ? depth : 0,
      needed,
      retryAfterMs: missing * retryAfterMs
    }
  }
  const recheckAfterMs = Math.max(1, needed) * retryAfterMs
  if (!holds(block, timestampAnchor, id)) {
    const code = 'txHash' in timestampAnchor ? 'EVM_NOT_FOUND' : 'BTC_NOT_BEST_CHAIN'
    return { outcome: 'invalid', code, detail: `block ${block.hash} at ${height} does not hold it`, recheckAfterMs }
  }
  if (block.transactions.get(id)?.batchRoot !== batchRoot) {
    const code = 'txHash' in timestampAnchor ? 'EVM_ROOT_NOT_FOUND' : 'BTC_ROOT_NOT_FOUND'
    return { outcome: 'invalid', code, detail: 'the transaction carries another root' }
  }
  return {
    outcome: 'valid',
    finality: { depth: needed },
    provenTime: Math.floor(block.atUs / 1_000),
    position: height,
    evidence: { blockHash: block.hash },
    ...(depth < BURIED_DEPTH ? { recheckAfterMs } : {})
  }
}

function judgeToken(token: Extract<TimestampAnchor, { token: unknown }>['token'], batchRoot: string): VerifierResult {
  if (typeof token !== 'string') return { outcome: 'unreachable', code: 'EVIDENCE_MISSING', retryAfterMs: 0 }
  const read = readToken(token)
  if (read === null) return { outcome: 'invalid', code: 'TSA_MALFORMED', detail: 'no token of the script' }
  if (read.batchRoot !== batchRoot) return { outcome: 'invalid', code: 'TSA_IMPRINT', detail: 'over another root' }
  const { genTimeMs } = read
  return { outcome: 'valid', finality: {}, provenTime: genTimeMs, position: genTimeMs, evidence: {} }
}

type OnChain = Exclude<TimestampAnchor, { token: unknown }>

function placeOf(timestampAnchor: OnChain): { readonly id: string; readonly height: number } {
  return 'txHash' in timestampAnchor
    ? { id: timestampAnchor.txHash, height: timestampAnchor.blockNumber }
    : { id: timestampAnchor.txid, height: timestampAnchor.blockHeight }
}

function holds(block: ScriptedBlock | null, timestampAnchor: OnChain, id: string): boolean {
  if (block === null || ('blockHash' in timestampAnchor && timestampAnchor.blockHash !== block.hash)) return false
  return block.transactions.has(id)
}

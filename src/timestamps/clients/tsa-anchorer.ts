import { bytesOfHex, toBase64url } from '../../../protocols/primitives/bytes.ts'
import type { Anchorer } from '../../anchoring/anchorer.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import { requestTimestamp } from './rfc3161-client.ts'

// A token takes a moment; an authority that is overloaded may take half a minute.
const TIMEOUT_MS = 30_000

export interface TsaAnchorerOptions {
  /** The authority's id, as in `rfc3161:<tsa>`. */
  readonly tsa: string
  /** Where it takes queries, `http:` or `https:`. */
  readonly url: string
  readonly clock: Clock
  readonly random: Random
}

/**
 * Has roots stamped by an RFC 3161 authority. Evidence is complete at once or not at all, so there is never a draft. An
 * answer that does not belong to the query (another imprint, another nonce) is a failure, and is not kept.
 */
export function createTsaAnchorer({ tsa, url, clock, random }: TsaAnchorerOptions): Anchorer {
  const chainId = `rfc3161:${tsa}`
  const prepare: Anchorer['prepare'] = async (batchRoot, signal) => {
    signal.throwIfAborted()
    const root = bytesOfHex(batchRoot)
    const result = await requestTimestamp({ url, root, tsa, random, clock, timeoutMs: TIMEOUT_MS })
    return result.ok
      ? { state: 'complete', timestampAnchor: { chainId, token: toBase64url(result.token) } }
      : { state: 'failed', code: result.code, detail: result.detail, retryAfterMs: 0 }
  }
  return { rail: 'tsa', chainId, prepare, advance: (batchRoot, _draft, signal) => prepare(batchRoot, signal) }
}

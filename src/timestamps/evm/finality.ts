import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { FinalityRule } from '../../policy/config-schema.ts'
import type { EvmSight } from './provider.ts'

/** What a provider shows whose chain reaches the block; the transaction only where the block holds it. */
export interface SeenBlock extends Omit<EvmSight, 'block'> {
  readonly provider: string
  readonly block: NonNullable<EvmSight['block']>
}

/** How final a block is. Delays are milliseconds. */
export type Finality =
  | {
      readonly final: true
      readonly finality: JsonObject
      /** Whether nobody is going to rewrite it any more. */
      readonly buried: boolean
    }
  | { readonly final: false; readonly depth: number; readonly needed: number; readonly retryAfterMs: number }

/**
 * Blocks on top after which a chain that says nothing of `finalized` is not going to be rewritten: above 7,000, the
 * deepest reorganisation on a public EVM chain (Ethereum Classic, August 2020).
 */
const BURIED_DEPTH = 8_192

/** A block of Ethereum is under `finalized` after two epochs, 13 minutes: then one more look is the last. */
export const RECHECK_MS = 15 * 60_000

/** What a provider lost, its operators put right in hours or days; nobody waits for it. */
export const NOT_FOUND_RECHECK_MS = 24 * 60 * 60_000

// Chains make a block a second at the fastest, but for few; to ask at most once a minute costs a slow one little.
const BLOCK_MS = 1_000
const RETRY_MS_MAX = 60_000
// Of a block that is far off, or an invention: who makes up numbers must not have providers asked every minute for ever.
const RETRY_TO_COME_MS_MAX = 24 * 60 * 60_000

/** Whether k of those who see the block find it final by the rule (SPEC EE-5). */
export function finalityAt(blockNumber: number, rule: FinalityRule, seen: readonly SeenBlock[], k: number): Finality {
  const head = kthLargest(
    seen.map(({ headNumber }) => headNumber),
    k
  )
  const depth = head === null ? 0 : Math.max(0, head - blockNumber)
  const finalized = kthLargest(
    seen.map(({ finalizedNumber }) => finalizedNumber),
    k
  )
  const buried = depth >= BURIED_DEPTH || (finalized !== null && finalized >= blockNumber)
  if (rule.depth !== undefined) {
    if (head !== null && depth >= rule.depth) return { final: true, finality: { depth }, buried }
    return notYet(depth, head === null ? rule.depth + 1 : rule.depth)
  }
  const tagged = kthLargest(
    seen.map(({ taggedNumber }) => taggedNumber),
    k
  )
  if (tagged !== null && tagged >= blockNumber) {
    return { final: true, finality: { tag: rule.tag ?? 'finalized', depth }, buried }
  }
  // The tag goes on as the chain does: as far behind the head as it is now.
  return notYet(depth, Math.max(depth + 1, head === null || tagged === null ? 0 : head - tagged))
}

/** How long a chain takes at the least for as many blocks as are missing up to one; 0 where none are. */
export function untilBlock(missing: number): number {
  return Math.min(RETRY_TO_COME_MS_MAX, BLOCK_MS * Math.max(0, missing))
}

function notYet(depth: number, needed: number): Finality {
  return { final: false, depth, needed, retryAfterMs: Math.min(RETRY_MS_MAX, BLOCK_MS * (needed - depth)) }
}

/** The number that k of them reach; null where fewer have one. */
function kthLargest(numbers: readonly (number | null)[], k: number): number | null {
  return numbers.filter((number) => number !== null).toSorted((left, right) => right - left)[k - 1] ?? null
}

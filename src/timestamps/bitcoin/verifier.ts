import type { BitcoinTimestampAnchor } from '../../../protocols/event/v1/timestamp-anchor.ts'
import type { TimestampAnchor } from '../../../protocols/event/v1/announce.ts'
import { checkBitcoinEvidence, checkBitcoinHeader } from '../../../protocols/bitcoin-evidence/v1/evidence.ts'
import type {
  BitcoinCommitment,
  EvidenceMissing,
  ProvenHeader
} from '../../../protocols/bitcoin-evidence/v1/evidence.ts'
import { parseHeader } from '../../../protocols/bitcoin-evidence/v1/header.ts'
import type { EvidenceFailure } from '../../../protocols/bitcoin-evidence/v1/refusal.ts'
import { toHex } from '../../../protocols/primitives/bytes.ts'
import { askProviders, tooFewAnswers } from '../ask-providers.ts'
import type { Asked } from '../ask-providers.ts'
import type { ProviderAnswer } from '../provider.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../verifier.ts'
import type { BitcoinProvider, BlockPlace } from './provider.ts'
import { standingOf } from './standing.ts'
import type { BlockStanding } from './standing.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A block comes every ten minutes on average, but two can come at once: each that is missing is worth a minute. */
const RETRY_MS_PER_BLOCK = MINUTE_MS
/** A height that is far off, or an invention, is not asked about more often. */
const RETRY_MS_MAX = DAY_MS

/** Providers that contradict each other see two sides of a fork, which the next block mostly ends. */
const DISAGREE_RETRY_MS = 5 * MINUTE_MS

/**
 * From this depth on a block is taken for buried for ever: it is what Bitcoin's own rules wait for before new coins
 * may be spent (`COINBASE_MATURITY`), and several times the deepest reorganisation that was ever seen (53 blocks, in
 * 2010, to undo a broken transaction).
 */
const BURIED_DEPTH = 100

/** About six blocks: a chain that is rewritten is noticed while the rewriting is news. */
const RECHECK_MS = HOUR_MS

/** A block that was left behind for good is looked for again, in case that the providers were wrong for once. */
const RECHECK_REPLACED_MS = DAY_MS

/** Which chain is verified, and by whom it is seen. */
export interface BitcoinVerifierOptions {
  /** The part of the chain id behind `btc:`, as `mainnet`. */
  readonly network: string
  readonly providers: readonly BitcoinProvider[]
  /** How many providers have to say the same, from 1. */
  readonly k: number
}

/**
 * Verifies timestamp anchors of `btc:<network>` by SPEC bitcoin-evidence/v1. What the evidence shows by itself is
 * checked here, and before anybody is asked; providers are asked for the header, which must hash to the block's hash,
 * and where the block stands.
 *
 * `valid`: `position` is the height, `provenTime` the header's time, `finality` the depth that policy asks for, and
 * `evidence` is `{ header, providers }`: the 80 bytes in hex, and who confirmed. `invalid`: `BTC_*` and `OTS_*` as the
 * SPEC says. `unreachable`: `EVIDENCE_MISSING`; `PROVIDERS_DISAGREE`; `PROVIDER_*` where fewer than `k` answered.
 * `notYetFinal`: fewer blocks than needed on top, the height is still to come, or another block stands there that is
 * not final either. Throws `RangeError` for a `k` below 1 or a policy that asks for no depth.
 */
export function createBitcoinVerifier({ network, providers, k }: BitcoinVerifierOptions): TimestampVerifier {
  if (k < 1) throw new RangeError(`k is ${k}`)
  const chainId = `btc:${network}`
  return {
    name: chainId,
    handles: (chain) => chain === chainId,
    async verify(request, signal) {
      const { timestampAnchor, batchRoot } = request
      if (!isOn(timestampAnchor, chainId)) throw new RangeError(`${timestampAnchor.chainId} is not ${chainId}`)
      const commitment = checkBitcoinEvidence(timestampAnchor, batchRoot)
      if (!commitment.ok) return unproven(commitment)
      const { blockHash, blockHeight } = timestampAnchor
      const asked = await askProviders(providers, async (provider) =>
        checkedPlace(provider, timestampAnchor, await provider.place(blockHash, blockHeight, signal))
      )
      return resultOf({ timestampAnchor, commitment, asked, needed: neededDepth(request), k })
    }
  }
}

interface Findings {
  readonly timestampAnchor: BitcoinTimestampAnchor
  readonly commitment: BitcoinCommitment
  readonly asked: Asked<BlockPlace>
  readonly needed: number
  readonly k: number
}

function resultOf({ timestampAnchor, commitment, asked, needed, k }: Findings): VerifierResult {
  const standing = standingOf(asked, timestampAnchor, k)
  const { blockHeight } = timestampAnchor
  switch (standing.kind) {
    case 'contradictory':
      return { outcome: 'unreachable', code: 'PROVIDERS_DISAGREE', retryAfterMs: DISAGREE_RETRY_MS }
    case 'too-few':
      return tooFewAnswers(asked)
    case 'to-come':
      return notYetFinal(0, needed, blockHeight + needed - standing.tipHeight)
    case 'replaced':
      return replaced(standing, blockHeight, needed)
    default:
      break
  }
  // Only now: of blocks outside of the best chain some nodes have the header and others don't, and nodes that see the
  // same chain are to find the same.
  const bytes = asked.answers.find(({ value }) => value.header !== null)?.value.header ?? null
  // Who sees the block in the best chain gave its header, or did not count as an answer.
  if (bytes === null) throw new Error('a block in the best chain without its header')
  const header = headerCheck(commitment, timestampAnchor, bytes)
  if (!header.ok) return unproven(header)
  return confirmed(standing, { provenTime: header.provenTime, position: blockHeight, header: bytes }, needed)
}

/** [PENDING] BE-24, and BE-26. */
function confirmed(
  { depth, confirmedBy }: Extract<BlockStanding, { kind: 'in-best-chain' }>,
  proven: { readonly provenTime: number; readonly position: number; readonly header: Uint8Array },
  needed: number
): VerifierResult {
  if (depth < needed) return notYetFinal(depth, needed, needed - depth)
  const { provenTime, position, header } = proven
  return {
    outcome: 'valid',
    // Not the depth of today: a later check that finds the same has nothing new to say.
    finality: { depth: needed },
    provenTime,
    position,
    evidence: { header: toHex(header), providers: [...confirmedBy] },
    ...(depth < BURIED_DEPTH ? { recheckAfterMs: RECHECK_MS } : {})
  }
}

/** [INVALID] BE-25, while another block stands at the height. */
function replaced(
  { hash, depth }: Extract<BlockStanding, { kind: 'replaced' }>,
  blockHeight: number,
  needed: number
): VerifierResult {
  if (depth < needed) return notYetFinal(0, needed, needed - depth)
  return {
    outcome: 'invalid',
    code: 'BTC_NOT_BEST_CHAIN',
    detail: `block ${hash} stands at height ${blockHeight}, ${depth} blocks deep`,
    recheckAfterMs: depth < BURIED_DEPTH ? RECHECK_MS : RECHECK_REPLACED_MS
  }
}

/** The answer of a provider, where it goes with itself. A header of another block is no answer (BE-10). */
function checkedPlace(
  { name }: BitcoinProvider,
  { blockHash, blockHeight }: BitcoinTimestampAnchor,
  answer: ProviderAnswer<BlockPlace>
): ProviderAnswer<BlockPlace> {
  if (!answer.ok) return answer
  const { header, hashAtHeight, tipHeight } = answer.value
  const malformed = (detail: string): ProviderAnswer<BlockPlace> => ({
    ok: false,
    code: 'PROVIDER_MALFORMED',
    detail: `${name} ${detail}`,
    retryAfterMs: 0
  })
  if (header !== null && parseHeader(header)?.hash !== blockHash) return malformed(`gave no header of ${blockHash}`)
  if (header === null && hashAtHeight === blockHash) return malformed(`names ${blockHash}, but has no header of it`)
  if ((hashAtHeight === null) !== blockHeight > tipHeight) return malformed(`contradicts itself at ${blockHeight}`)
  return answer
}

function headerCheck(
  commitment: BitcoinCommitment,
  timestampAnchor: BitcoinTimestampAnchor,
  header: Uint8Array
): ProvenHeader | EvidenceFailure {
  const check = checkBitcoinHeader(commitment, timestampAnchor, header)
  if (check === null) throw new Error('the header is that of another block')
  return check
}

function isOn(timestampAnchor: TimestampAnchor, chainId: string): timestampAnchor is BitcoinTimestampAnchor {
  return timestampAnchor.chainId === chainId
}

function neededDepth({ finality: { depth }, timestampAnchor }: VerifierRequest): number {
  if (depth === undefined) throw new RangeError(`policy asks for no depth on ${timestampAnchor.chainId}`)
  return depth
}

function unproven({ code, detail }: EvidenceFailure | EvidenceMissing): VerifierResult {
  // When the bytes come, the worker knows better than anybody here.
  if (code === 'EVIDENCE_MISSING') return { outcome: 'unreachable', code, retryAfterMs: 0 }
  return { outcome: 'invalid', code, detail }
}

function notYetFinal(depth: number, needed: number, missingBlocks: number): VerifierResult {
  const retryAfterMs = Math.min(Math.max(missingBlocks, 1) * RETRY_MS_PER_BLOCK, RETRY_MS_MAX)
  return { outcome: 'notYetFinal', depth, needed, retryAfterMs }
}

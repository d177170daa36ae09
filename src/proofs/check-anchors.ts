import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHash } from '../../protocols/event/v1/timestamp-anchor.ts'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { Proof, ProvenAnchor } from '../../protocols/proof/v1/proof.ts'
import { messageOf } from '../platform/errors.ts'
import type { FinalityRule } from '../policy/config-schema.ts'
import type { BitcoinProvider } from '../timestamps/bitcoin/provider.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../timestamps/verifier.ts'
import type { CheckedAnnouncement } from './check-events.ts'
import { headerProvider } from './header-provider.ts'
import type { ProofStep } from './report.ts'
import { failedStep, okStep, undecidedStep } from './report.ts'

/** What the reader brings to check timestamp anchors with. */
export interface AnchorTrust {
  /** Time-stamping authorities whose roots, and Bitcoin networks whose headers, the reader has. */
  readonly verifiers: readonly TimestampVerifier[]
  /**
   * Checks Bitcoin evidence where the reader has no headers: the provider knows only the one in the file, and gives it
   * no depth. Absent: such evidence is not looked at.
   */
  readonly bitcoinVerifier?: (network: string, provider: BitcoinProvider) => TimestampVerifier
  /** When a chain is final; `null` where the reader's policy does not accept evidence on it. */
  finality(namespace: string, chainId: string): FinalityRule | null
}

/** A timestamp anchor of the file with its step. */
export interface CheckedAnchor {
  readonly step: ProofStep
  /** Milliseconds since 1970; `null` unless the step is ok. */
  readonly provenTime: number | null
  readonly chainId: string
}

const BITCOIN = 'btc:'
const EVM = 'eip155:'

/** PR-13 and PR-14, for one timestamp anchor. */
export async function checkAnchor(
  anchor: ProvenAnchor,
  proof: Proof,
  announcements: readonly CheckedAnnouncement[],
  trust: AnchorTrust,
  signal: AbortSignal
): Promise<CheckedAnchor> {
  const { timestampAnchor, supplement } = anchor
  const { chainId } = timestampAnchor
  const about = { step: 'timestamp-anchor', subject: chainId } as const
  const notProven = (step: ProofStep): CheckedAnchor => ({ step, provenTime: null, chainId })
  // PR-13: announced, and with the header of its own block.
  if (!isAnnounced(timestampAnchor, announcements))
    return notProven(failedStep(about, 'TIMESTAMP_ANCHOR', 'no announcement that holds carries this evidence'))
  const header = supplement?.header === undefined ? null : fromHex(supplement.header)
  if (header !== null && 'blockHash' in timestampAnchor && blockHashOf(header) !== timestampAnchor.blockHash)
    return notProven(failedStep(about, 'TIMESTAMP_ANCHOR', 'the header in the file is not that of the block'))
  const finality = trust.finality(proof.namespace, chainId)
  if (finality === null)
    return notProven(undecidedStep(about, 'REFUSED_BY_POLICY', 'your policy accepts no evidence on this chain'))
  // PR-14.
  const request = { timestampAnchor, batchRoot: proof.batchRoot, finality }
  const known = trust.verifiers.find((verifier) => verifier.handles(chainId))
  if (known !== undefined) {
    const result = await verified(known, request, signal)
    if (result instanceof Error) return notProven(undecidedStep(about, 'VERIFIER_FAILED', result.message))
    if (result.outcome === 'valid') return provenAt(about, result.provenTime)
    // Headers that the reader knows may leave this block out.
    if (result.outcome !== 'unreachable' || !chainId.startsWith(BITCOIN)) return notProven(stepOf(about, result))
  }
  return notProven(await uncheckedStep(about, request, header, trust, signal))
}

function provenAt(about: About, provenTime: number): CheckedAnchor {
  const time = new Date(provenTime).toISOString()
  return { step: okStep(about, `the root existed at ${time} at the latest`), provenTime, chainId: about.subject }
}

/** What nobody here can place in its chain, or check at all: at best undecided. */
async function uncheckedStep(
  about: About,
  request: VerifierRequest,
  header: Uint8Array | null,
  { bitcoinVerifier }: AnchorTrust,
  signal: AbortSignal
): Promise<ProofStep> {
  const chainId = about.subject
  if (chainId.startsWith(EVM))
    return undecidedStep(about, 'CHAIN_UNCHECKED', 'evidence on an EVM chain can only be checked by asking the chain')
  if (!chainId.startsWith(BITCOIN)) return undecidedStep(about, 'ROOTS_MISSING', whyUnreachable('ROOTS_MISSING'))
  const verifier = bitcoinVerifier?.(chainId.slice(BITCOIN.length), headerProvider(header))
  const result = verifier === undefined ? null : await verified(verifier, request, signal)
  if (result instanceof Error) return undecidedStep(about, 'VERIFIER_FAILED', result.message)
  if (result?.outcome === 'invalid' || result?.outcome === 'unreachable') return stepOf(about, result)
  const what =
    header === null
      ? 'the file has no header of the block'
      : 'holds together with the header in the file; whether that block is in the best chain is not known here'
  return undecidedStep(about, 'CHAIN_UNCHECKED', `${what} (--headers FILE)`)
}

/** Whether it is one that was announced, perhaps with bytes where only their hash was. */
function isAnnounced(timestampAnchor: TimestampAnchor, announcements: readonly CheckedAnnouncement[]): boolean {
  const given = Object.entries(timestampAnchor as unknown as Readonly<Record<string, JsonValue>>).map(memberOf)
  return announcements
    .filter(({ step }) => step.outcome !== 'failed')
    .flatMap(({ announce }) => announce?.timestampAnchors ?? [])
    .some((announced) => {
      const members = announced as unknown as Readonly<Record<string, JsonValue>>
      return Object.keys(members).length === given.length && given.every(({ fits }) => fits(members))
    })
}

/** A member that was given: evidence of megabytes is hashed once, and not for each of hundreds that were announced. */
function memberOf([name, value]: readonly [string, JsonValue]): {
  readonly fits: (announced: Readonly<Record<string, JsonValue>>) => boolean
} {
  const written = encodeCanonical(value)
  let hash: string | undefined
  return {
    fits: (announced) => {
      const other = announced[name]
      if (other === undefined) return false
      if (!isJsonObject(other) || typeof value !== 'string') return encodeCanonical(other) === written
      hash ??= evidenceHash(value)
      return other['blob'] === hash
    }
  }
}

async function verified(
  verifier: TimestampVerifier,
  request: VerifierRequest,
  signal: AbortSignal
): Promise<VerifierResult | Error> {
  try {
    return await verifier.verify(request, signal)
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error : new Error(messageOf(error))
  }
}

interface About {
  readonly step: 'timestamp-anchor'
  /** The chain. */
  readonly subject: string
}

function stepOf(about: About, result: Exclude<VerifierResult, { readonly outcome: 'valid' }>): ProofStep {
  switch (result.outcome) {
    case 'invalid':
      return failedStep(about, result.code, result.detail)
    case 'unreachable':
      return undecidedStep(about, result.code, whyUnreachable(result.code))
    default:
      return undecidedStep(about, 'NOT_FINAL', `${result.depth} blocks deep, and ${result.needed} are asked for`)
  }
}

function whyUnreachable(code: string): string {
  if (code === 'ROOTS_MISSING') return 'the roots of this authority are not known here (--tsa-root FILE)'
  if (code === 'EVIDENCE_MISSING') return 'the file has only the hash of the evidence'
  return 'what would be needed could not be had'
}

/** Hash of an 80-byte header in the order in which Bitcoin's tools print it. */
export function blockHashOf(header: Uint8Array): string {
  return toHex(sha256(sha256(header)).toReversed())
}

import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { Finding } from '../timestamps/verdict.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../timestamps/verifier.ts'

// Several providers, each asked for several things, each with a time-out of its own; what takes longer hangs.
export const VERIFY_MS_MAX = 60_000
// A finding is kept in the log for ever: room for headers and answers of a few providers, none for whole blocks.
const FINDING_CHARACTERS_MAX = 16_384
// A sentence or two.
const DETAIL_CHARACTERS_MAX = 1_000

/** What a check found, and what is to happen next. */
export interface Checked {
  readonly finding: Finding
  readonly next: Next
}

/**
 * When to look again: never; to `retry`, after a failure (the delay grows with each) or when it can be final; or to
 * `recheck` what was decided, because its chain can still be rewritten. Delays are milliseconds.
 */
export type Next =
  | { readonly kind: 'never' }
  | { readonly kind: 'retry'; readonly failed: boolean; readonly askedMs: number }
  | { readonly kind: 'recheck'; readonly afterMs: number }

const NEVER: Next = { kind: 'never' }
const FAILED: Next = { kind: 'retry', failed: true, askedMs: 0 }

export interface CheckPorts {
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Asks the verifier, with a limit of time, and reads its answer as a finding. One that throws, or answers what is no
 * result, counts as unreachable. Rejects only when `signal` aborts.
 */
export async function checkEvidence(
  verifier: TimestampVerifier,
  request: VerifierRequest,
  ports: CheckPorts,
  signal: AbortSignal
): Promise<Checked> {
  const { clock, logger } = ports
  const limit = new AbortController()
  const cancelLimit = clock.after(VERIFY_MS_MAX, () => limit.abort())
  const either = AbortSignal.any([signal, limit.signal])
  try {
    return checkedResult(await untilAborted(verifier.verify(request, either), either))
  } catch (error) {
    signal.throwIfAborted()
    if (limit.signal.aborted) return { finding: undecided('unreachable', 'PROVIDER_TIMEOUT'), next: FAILED }
    logger.error(
      { verifier: verifier.name, chainId: request.timestampAnchor.chainId, reason: messageOf(error) },
      'a verifier failed; it is tried again'
    )
    return { finding: undecided('unreachable', 'VERIFIER_FAILED'), next: FAILED }
  } finally {
    cancelLimit()
  }
}

/** Throws for what is no result, or none that the log could hold: verifiers come from elsewhere. */
function checkedResult(result: VerifierResult): Checked {
  const checked = readResult(result)
  const { finding, next } = checked
  if (encodeCanonical(finding).length > FINDING_CHARACTERS_MAX)
    throw new RangeError(`a finding has at most ${FINDING_CHARACTERS_MAX} characters`)
  if (
    finding.outcome === 'verified' &&
    ![finding.provenTime, finding.position].every((value) => Number.isSafeInteger(value) && value >= 0)
  ) {
    throw new TypeError('time and position are integers from 0')
  }
  if (next.kind === 'retry' && !Number.isFinite(next.askedMs))
    throw new TypeError('retryAfterMs is a number of milliseconds')
  if (next.kind === 'recheck' && !Number.isFinite(next.afterMs))
    throw new TypeError('recheckAfterMs is a number of milliseconds')
  return checked
}

function readResult(result: VerifierResult): Checked {
  switch (result.outcome) {
    case 'valid': {
      const { provenTime, position, finality } = result
      return {
        finding: { outcome: 'verified', code: null, provenTime, position, evidence: { ...result.evidence, finality } },
        next: nextOf(result)
      }
    }
    case 'invalid':
      return {
        finding: {
          ...undecided('invalid', result.code),
          evidence: { detail: result.detail.slice(0, DETAIL_CHARACTERS_MAX).toWellFormed() }
        },
        next: nextOf(result)
      }
    case 'unreachable':
      return {
        finding: undecided('unreachable', result.code),
        // Only another policy brings roots, and then every row is looked at again.
        next: result.code === 'ROOTS_MISSING' ? NEVER : { kind: 'retry', failed: true, askedMs: result.retryAfterMs }
      }
    case 'notYetFinal': {
      const { depth, needed } = result
      return {
        finding: { ...undecided('pending', null), evidence: { depth, needed } },
        next: { kind: 'retry', failed: false, askedMs: result.retryAfterMs }
      }
    }
    default:
      throw new TypeError('the answer has no known outcome')
  }
}

function nextOf({ recheckAfterMs }: { readonly recheckAfterMs?: number }): Next {
  return recheckAfterMs === undefined ? NEVER : { kind: 'recheck', afterMs: recheckAfterMs }
}

type OtherFinding = Exclude<Finding, { readonly outcome: 'verified' }>

function undecided(outcome: OtherFinding['outcome'], code: OtherFinding['code']): OtherFinding {
  return { outcome, code, provenTime: null, position: null, evidence: {} }
}

import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, parseAnnounce } from '../../protocols/event/v1/announce.ts'
import type { LogReader } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
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
  /** When to look again: after a failure (the delay grows with each), when it is final, or never. */
  readonly next: 'never' | { readonly failed: boolean; readonly askedMs: number }
}

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
    if (limit.signal.aborted)
      return { finding: undecided('unreachable', 'PROVIDER_TIMEOUT'), next: { failed: true, askedMs: 0 } }
    logger.error(
      { verifier: verifier.name, chainId: request.timestampAnchor.chainId, reason: messageOf(error) },
      'a verifier failed; it is tried again'
    )
    return { finding: undecided('unreachable', 'VERIFIER_FAILED'), next: { failed: true, askedMs: 0 } }
  } finally {
    cancelLimit()
  }
}

/** The timestamp anchor of a row, out of an event that announced it. */
export async function announcedAnchor(row: TimestampAnchorRow, log: LogReader): Promise<TimestampAnchor> {
  const eventId = row.announcements[0]?.eventId ?? ''
  const position = await log.find(eventId)
  const record = position === undefined ? undefined : await log.read(position.logSeq)
  const logged = record === undefined ? undefined : parseRecord(record)
  const reading = logged?.scope === 'shared' ? parseAnnounce(logged.event.envelope.body) : undefined
  const found =
    reading?.ok === true
      ? reading.announce.timestampAnchors.find((anchor) => evidenceHashOf(anchor) === row.evidenceHash)
      : undefined
  if (found === undefined) throw new Error(`event ${eventId} does not announce evidence ${row.evidenceHash}`)
  return found
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
  if (next !== 'never' && !Number.isFinite(next.askedMs))
    throw new TypeError('retryAfterMs is a number of milliseconds')
  return checked
}

function readResult(result: VerifierResult): Checked {
  switch (result.outcome) {
    case 'valid': {
      const { provenTime, position, finality } = result
      return {
        finding: { outcome: 'verified', code: null, provenTime, position, evidence: { ...result.evidence, finality } },
        next: 'never'
      }
    }
    case 'invalid':
      return {
        finding: {
          ...undecided('invalid', result.code),
          evidence: { detail: result.detail.slice(0, DETAIL_CHARACTERS_MAX).toWellFormed() }
        },
        next: 'never'
      }
    case 'unreachable':
      return { finding: undecided('unreachable', result.code), next: { failed: true, askedMs: result.retryAfterMs } }
    case 'notYetFinal': {
      const { depth, needed } = result
      return {
        finding: { ...undecided('pending', null), evidence: { depth, needed } },
        next: { failed: false, askedMs: result.retryAfterMs }
      }
    }
    default:
      throw new TypeError('the answer has no known outcome')
  }
}

type OtherFinding = Exclude<Finding, { readonly outcome: 'verified' }>

function undecided(outcome: OtherFinding['outcome'], code: OtherFinding['code']): OtherFinding {
  return { outcome, code, provenTime: null, position: null, evidence: {} }
}

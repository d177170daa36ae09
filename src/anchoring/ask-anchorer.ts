import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { timestampAnchorProblem } from '../../protocols/event/v1/timestamp-anchor.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { AnchoringRecord } from '../projections/anchoring-record.ts'
import type { Anchorer, AnchorStep } from './anchorer.ts'

// A few requests to a few providers, each with a time-out of its own; what takes longer hangs.
export const ANCHORER_MS_MAX = 60_000
// The port's bound: room for a signed transaction or a proof with several calendars, little enough to log each change.
export const DRAFT_CHARACTERS_MAX = 32 * 1024
// An announce has at most 48 KiB; 8 KiB of them are for the envelope and what stands beside the evidence.
export const EVIDENCE_CHARACTERS_MAX = 40 * 1024
// A sentence or two.
const DETAIL_CHARACTERS_MAX = 1_000

/** `faulty`: the anchorer did not keep to its port or did not answer; nothing is known, so the job stays as it is. */
export type Answered = AnchorStep | { readonly state: 'faulty'; readonly code: FaultCode; readonly detail: string }

type FaultCode = 'ANCHORER_FAILED' | 'ANCHORER_TIMEOUT'

export interface AskPorts {
  readonly clock: Clock
  readonly logger: Logger
}

/** Takes the next step of a job, with a limit of time. Rejects only when `signal` aborts. */
export async function askAnchorer(
  anchorer: Anchorer,
  job: AnchoringRecord,
  { clock, logger }: AskPorts,
  signal: AbortSignal
): Promise<Answered> {
  const limit = new AbortController()
  const cancelLimit = clock.after(ANCHORER_MS_MAX, () => limit.abort())
  const either = AbortSignal.any([signal, limit.signal])
  const { batchRoot, draft } = job
  try {
    const asked = draft === null ? anchorer.prepare(batchRoot, either) : anchorer.advance(batchRoot, draft, either)
    return checkedStep(await untilAborted(asked, either), job)
  } catch (error) {
    signal.throwIfAborted()
    if (limit.signal.aborted) {
      return { state: 'faulty', code: 'ANCHORER_TIMEOUT', detail: `no answer within ${ANCHORER_MS_MAX} ms` }
    }
    logger.error({ chainId: anchorer.chainId, reason: messageOf(error) }, 'an anchorer failed; it is tried again')
    return { state: 'faulty', code: 'ANCHORER_FAILED', detail: clipped(messageOf(error)) }
  } finally {
    cancelLimit()
  }
}

/** Throws for what the log could not hold, or an announce: anchorers come from elsewhere. */
function checkedStep(step: AnchorStep, { chainId, together }: AnchoringRecord): AnchorStep {
  switch (step.state) {
    case 'complete': {
      const evidence = step.timestampAnchor
      const problem = timestampAnchorProblem(evidence as never, 'timestampAnchor')
      if (problem !== null) throw new TypeError(problem)
      if (evidence.chainId !== chainId) throw new TypeError(`evidence on ${evidence.chainId}, not ${chainId}`)
      // All that is announced together has to fit into one event.
      const most = Math.floor(EVIDENCE_CHARACTERS_MAX / together.length)
      const length = encodeCanonical(evidence).length
      return length <= most ? step : tooLarge(length, most)
    }
    case 'under-way':
      if (encodeCanonical(step.draft).length > DRAFT_CHARACTERS_MAX)
        throw new RangeError(`a draft has at most ${DRAFT_CHARACTERS_MAX} characters`)
      return { ...step, detail: clipped(step.detail), retryAfterMs: delay(step.retryAfterMs) }
    case 'failed':
      return { ...step, detail: clipped(step.detail), retryAfterMs: delay(step.retryAfterMs) }
    default:
      throw new TypeError('the answer has no known state')
  }
}

function tooLarge(length: number, most: number): AnchorStep {
  const detail = `the evidence has ${length} characters; what is announced with it leaves room for ${most}`
  return { state: 'failed', code: 'EVIDENCE_TOO_LARGE', detail, retryAfterMs: 0 }
}

function delay(ms: number): number {
  if (!Number.isFinite(ms)) throw new TypeError('retryAfterMs is a number of milliseconds')
  return ms
}

/** Text from elsewhere, as the log can hold it. */
function clipped(text: string): string {
  return text.slice(0, DETAIL_CHARACTERS_MAX).toWellFormed()
}

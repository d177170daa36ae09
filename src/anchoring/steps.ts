import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { AnchoringRecord } from '../projections/anchoring-record.ts'
import type { TimestampVerifier } from '../timestamps/verifier.ts'
import { checkEvidence } from '../verification/check.ts'
import type { Anchorer } from './anchorer.ts'
import type { AskPorts } from './ask-anchorer.ts'
import { askAnchorer } from './ask-anchorer.ts'
import type { JobBook } from './job-book.ts'

// How often evidence is begun, or looked for again after it was found to be none. A reorganisation that takes a
// transaction out twice is unheard of; what fails this often may cost money each time, so a person has to look.
export const ATTEMPTS_MAX = 8

export interface StepPorts extends AskPorts {
  readonly anchorers: () => readonly Anchorer[]
  readonly verifiers: () => readonly TimestampVerifier[]
  readonly policy: () => PolicyView
  readonly jobs: JobBook
}

/** Why a job goes on only later. `askedMs`: how long at the least, in milliseconds; a failure waits longer each time. */
export interface Wait {
  readonly failed: boolean
  readonly askedMs: number
  readonly code: string | null
  readonly detail: string
}

/** The job after a step; without a wait the step has come to its end, which may be that the job failed for good. */
export interface Stepped {
  readonly job: AnchoringRecord
  readonly wait: Wait | null
}

/**
 * Makes the evidence of a job, as far as it can be had now: until it is complete, has failed for good, or has to wait.
 * Each draft is in the log before it is gone on with.
 */
export async function makeEvidence(job: AnchoringRecord, ports: StepPorts, signal: AbortSignal): Promise<Stepped> {
  const anchorer = ports.anchorers().find(({ chainId }) => chainId === job.chainId)
  if (anchorer === undefined) {
    const detail = `this node can make no evidence on ${job.chainId} any more: look at rails in federation.yaml`
    return { job, wait: failure('ANCHORER_MISSING', detail) }
  }
  const answer = await askAnchorer(anchorer, job, ports, signal)
  switch (answer.state) {
    case 'complete': {
      const { timestampAnchor } = answer
      const attempts = job.draft === null ? job.attempts + 1 : job.attempts
      return await changed({ ...job, state: 'complete', attempts, timestampAnchor, code: null, detail: null }, ports)
    }
    case 'under-way': {
      const { draft, detail, retryAfterMs } = answer
      if (job.draft === null) {
        const begun = { ...job, state: 'under-way', attempts: job.attempts + 1, draft, code: null, detail } as const
        await ports.jobs.write([begun])
        return await makeEvidence(begun, ports, signal)
      }
      const wait: Wait = { failed: false, askedMs: retryAfterMs, code: null, detail }
      if (job.code === null && encodeCanonical(draft) === encodeCanonical(job.draft)) return { job, wait }
      return await changed({ ...job, draft, code: null, detail }, ports, wait)
    }
    case 'failed': {
      const { code, detail, retryAfterMs } = answer
      const wait = failure(code, detail, retryAfterMs)
      if (job.draft === null) return await failedAgain(job, wait, ports)
      return await again({ ...job, state: 'planned', draft: null }, wait, ports)
    }
    default:
      return await failedAgain(job, failure(answer.code, answer.detail), ports)
  }
}

/**
 * Has the node's own verifier look at complete evidence. A job that is still complete, without a
 * wait, is valid and final by the namespace's policy; what is no evidence (any more) goes back to where it can be had again.
 */
export async function verifyEvidence(job: AnchoringRecord, ports: StepPorts, signal: AbortSignal): Promise<Stepped> {
  const { namespace, chainId, batchRoot, timestampAnchor, draft } = job
  const finality = ports.policy().finality(namespace, chainId)
  const verifier = ports.verifiers().find((candidate) => candidate.handles(chainId))
  if (finality === undefined || verifier === undefined || timestampAnchor === null) {
    const detail = `this node can not verify evidence on ${chainId}: look at rails and finality in federation.yaml`
    return { job, wait: failure('VERIFIER_MISSING', detail) }
  }
  const { finding, next } = await checkEvidence(verifier, { timestampAnchor, batchRoot, finality }, ports, signal)
  const askedMs = next.kind === 'retry' ? next.askedMs : 0
  switch (finding.outcome) {
    case 'verified':
      return { job, wait: null }
    case 'pending': {
      const { depth, needed } = finding.evidence as { readonly depth: number; readonly needed: number }
      const detail = `is not final yet: ${depth} of ${needed}`
      return { job, wait: { failed: false, askedMs, code: null, detail } }
    }
    case 'unreachable':
      return { job, wait: failure(finding.code ?? 'PROVIDER_UNREACHABLE', 'could not be verified yet', askedMs) }
    default: {
      const { detail } = finding.evidence as { readonly detail: string }
      const wait = failure(finding.code ?? 'INVALID', `was found invalid here: ${detail}`)
      // What was broadcast may be in another block by now; a draft finds it there, and pays no second time.
      const state = draft === null ? 'planned' : 'under-way'
      const attempts = draft === null ? job.attempts : job.attempts + 1
      return await again({ ...job, state, attempts, timestampAnchor: null }, wait, ports)
    }
  }
}

/** Whether the job still needs its anchorer. */
export function isUnfinished({ state }: Pick<AnchoringRecord, 'state'>): boolean {
  return state === 'planned' || state === 'under-way'
}

export function failure(code: string, detail: string, askedMs = 0): Wait {
  return { failed: true, askedMs, code, detail }
}

/** Nothing lasting happened. The same failure again is not logged again. */
async function failedAgain(job: AnchoringRecord, wait: Wait, ports: StepPorts): Promise<Stepped> {
  if (job.code === wait.code) return { job, wait }
  return await changed({ ...job, code: wait.code, detail: wait.detail }, ports, wait)
}

/** What was begun came to nothing: once more, within the bound. */
async function again(job: AnchoringRecord, wait: Wait, ports: StepPorts): Promise<Stepped> {
  const { namespace, batchId, chainId, attempts } = job
  const { code, detail } = wait
  const about = { namespace, batchId, chainId, attempts, code, reason: detail }
  if (attempts >= ATTEMPTS_MAX) {
    ports.logger.error(about, `a batch could not be anchored: look into it, then anchormesh anchor begins anew`)
    return await changed({ ...job, state: 'failed', code, detail }, ports)
  }
  ports.logger.warn(about, 'evidence for a batch came to nothing; it is made again')
  return await changed({ ...job, code, detail }, ports, wait)
}

async function changed(job: AnchoringRecord, ports: StepPorts, wait: Wait | null = null): Promise<Stepped> {
  await ports.jobs.write([job])
  return { job, wait }
}

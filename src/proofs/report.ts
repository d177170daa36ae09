import type { ProofClaims } from '../../protocols/proof/v1/proof.ts'

/** How a step of a check came out: `failed` says what is not so, `undecided` lacks what would be needed. */
export type StepOutcome = 'ok' | 'failed' | 'undecided'

export type StepName = 'record' | 'inclusion' | 'announcement' | 'owner' | 'timestamp-anchor' | 'attestation'

/** One step of the check (proof/v1 PR-9 to PR-15). */
export interface ProofStep {
  readonly step: StepName
  /** Which of several: the id of an event, the chain of a timestamp anchor; `null` where there is only one. */
  readonly subject: string | null
  readonly outcome: StepOutcome
  /** Why it is not ok: the code of the rule, of an event or of a verifier; `null` for a step that is ok. */
  readonly code: string | null
  /** One sentence. */
  readonly detail: string
}

/** What a file proves (PR-16). Times are milliseconds since 1970. */
export interface ProofReport {
  readonly overall: 'proven' | 'failed' | 'undecided'
  /** One sentence. */
  readonly conclusion: string
  readonly namespace: string
  readonly owner: string
  readonly ownerDid: string | null
  readonly batchId: string
  readonly batchRoot: string
  readonly leafHash: string
  /** When the record existed at the latest, and the chain that shows it; `null` unless it is proven. */
  readonly provenTime: number | null
  readonly chainId: string | null
  readonly steps: readonly ProofStep[]
  /** What the node that wrote the file says: no proof. */
  readonly claims: ProofClaims | null
}

type About = Pick<ProofStep, 'step' | 'subject'>

export function okStep(about: About, detail: string): ProofStep {
  return { ...about, outcome: 'ok', code: null, detail }
}

export function failedStep(about: About, code: string, detail: string): ProofStep {
  return { ...about, outcome: 'failed', code, detail }
}

export function undecidedStep(about: About, code: string, detail: string): ProofStep {
  return { ...about, outcome: 'undecided', code, detail }
}

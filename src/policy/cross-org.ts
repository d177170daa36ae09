import type { EffectivePolicy } from './policy.ts'

/** What one organisation wants to do with what is another's. */
export interface CrossOrgRequest {
  readonly from: string
  readonly to: string
  /** `timestamp`, `bundle`, `pack-pull`, `pack-push`. */
  readonly operation: string
}

export type CrossOrgCheck =
  { readonly ok: true } | { readonly ok: false; readonly code: 'CROSS_ORG_DENIED'; readonly detail: string }

/** Whether `crossOrg.allow` lets it; nothing is allowed by default, and everything within one organisation. */
export function checkCrossOrgPolicy(
  { crossOrg }: Pick<EffectivePolicy, 'crossOrg'>,
  { from, to, operation }: CrossOrgRequest
): CrossOrgCheck {
  if (from === to) return { ok: true }
  const allowed = crossOrg.some(
    (rule) =>
      (rule.from === '*' || rule.from === from) &&
      (rule.to === '*' || rule.to === to) &&
      (rule.operations.includes('*') || rule.operations.includes(operation))
  )
  if (allowed) return { ok: true }
  return { ok: false, code: 'CROSS_ORG_DENIED', detail: `crossOrg.allow has no ${operation} of ${from} to ${to}` }
}

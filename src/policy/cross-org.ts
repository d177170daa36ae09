import type { EffectivePolicy } from './policy.ts'

/** What an organisation may be allowed to do to another. */
const CROSS_ORG_OPERATIONS = ['timestamp', 'bundle', 'pack-pull', 'pack-push', 'feedback'] as const
/**
 * `timestamp`: an announce of `from` adds evidence to a root of `to`. `bundle`: `from` asks a node for receipts of `to`.
 * `pack-pull`, `pack-push`: `from` has packs of `to`, or hands it some. `feedback`: `from` judges findings that
 * an agent of `to` reported for its tenant.
 */
export type CrossOrgOperation = (typeof CROSS_ORG_OPERATIONS)[number]

/** Who wants what of whom. */
export interface CrossOrgRequest {
  readonly from: string
  readonly to: string
  readonly operation: string
}

export type CrossOrgVerdict =
  { readonly ok: true } | { readonly ok: false; readonly code: 'CROSS_ORG_DENIED'; readonly detail: string }

const ALLOWED: CrossOrgVerdict = { ok: true }

/**
 * Whether policy lets organisation `from` do this to organisation `to`. Within one organisation everything is allowed;
 * between two of them only what a rule of `crossOrg.allow` names.
 */
export function checkCrossOrgPolicy(
  { crossOrg }: Pick<EffectivePolicy, 'crossOrg'>,
  { from, to, operation }: CrossOrgRequest
): CrossOrgVerdict {
  const fits = (allowed: string, asked: string): boolean => allowed === '*' || allowed === asked
  const isAllowed =
    from === to ||
    crossOrg.some(
      (rule) =>
        fits(rule.from, from) && fits(rule.to, to) && rule.operations.some((allowed) => fits(allowed, operation))
    )
  if (isAllowed) return ALLOWED
  const rule = `{from: ${from}, to: ${to}, operations: [${operation}]}`
  return { ok: false, code: 'CROSS_ORG_DENIED', detail: `crossOrg.allow has no rule ${rule}` }
}

/**
 * The pairs of these organisations of which the first may do this to the second, in a fixed order: the same for rules
 * that are written in another way and mean the same among them.
 */
export function allowedPairs(
  { crossOrg }: Pick<EffectivePolicy, 'crossOrg'>,
  operation: CrossOrgOperation,
  organisations: ReadonlySet<string>
): readonly (readonly [string, string])[] {
  const known = [...organisations].sort()
  const targets = new Map<string, Set<string>>(known.map((from) => [from, new Set()]))
  const meant = (name: string): readonly string[] => (name === '*' ? known : organisations.has(name) ? [name] : [])
  for (const { from, to, operations } of crossOrg) {
    if (!operations.includes('*') && !operations.includes(operation)) continue
    for (const one of meant(from)) for (const other of meant(to)) if (one !== other) targets.get(one)?.add(other)
  }
  return known.flatMap((from) => [...(targets.get(from) ?? [])].sort().map((to) => [from, to] as const))
}

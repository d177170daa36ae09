import type { PeerConfig, PeersConfig, Role } from '../../policy/config-schema.ts'
import { ROLES } from '../../policy/config-schema.ts'
import type { CrossOrgOperation } from '../../policy/cross-org.ts'

/** A rule of `crossOrg.allow`. */
export type CrossOrgRule = PeersConfig['crossOrg']['allow'][number]

/** What a role is of no use without, where the other is of another organisation. */
const NEEDED: Readonly<Partial<Record<Role, CrossOrgOperation>>> = { request: 'bundle', announce: 'timestamp' }

const SENTENCES: Readonly<Partial<Record<CrossOrgOperation, string>>> = {
  bundle: 'have receipts',
  timestamp: 'timestamp roots'
}

/**
 * The rules of `crossOrg` that entries need for their roles, and this node's organisation for its own: one for each
 * organisation, towards all others, so that nodes which know the same peers have the same rules. Where a rule of the
 * organisation names an operation already, towards whomever, that stands: somebody has decided it.
 */
export function neededRules(
  { peers, crossOrg }: PeersConfig,
  entries: readonly PeerConfig[],
  self: { readonly did: string; readonly orgId: string }
): readonly CrossOrgRule[] {
  const own = peers.find(({ did }) => did === self.did)?.roles ?? ROLES
  const roles = new Map<string, Set<Role>>()
  for (const { orgId, roles: given } of [...entries, { orgId: self.orgId, roles: own }])
    roles.set(orgId, new Set([...(roles.get(orgId) ?? []), ...given]))
  // With itself alone an organisation needs no rule.
  if (roles.size === 1) return []
  return [...roles].flatMap(([from, given]) => {
    const operations = ROLES.filter((role) => given.has(role))
      .flatMap((role) => NEEDED[role] ?? [])
      .filter((operation) => !isDecided(crossOrg.allow, from, operation))
      .sort()
    return operations.length === 0 ? [] : [{ from, to: '*', operations }]
  })
}

/** What a rule allows, for people. */
export function ruleSentence({ from, operations }: CrossOrgRule): string {
  const what = operations.map((operation) => SENTENCES[operation as CrossOrgOperation] ?? operation)
  return `Allowed ${from} to ${what.join(' and to ')} of other organisations (crossOrg in peers.yaml).`
}

function isDecided(rules: readonly CrossOrgRule[], from: string, operation: string): boolean {
  return rules.some(
    (rule) =>
      (rule.from === from || rule.from === '*') && rule.operations.some((named) => named === '*' || named === operation)
  )
}

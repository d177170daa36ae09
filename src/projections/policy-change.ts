import type { LogReader } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'

/**
 * Whether the change from one policy to the next gives another meaning to events that are already in the log: another
 * organisation, another role, other tenants of keys or other measurements of a DID that signed some, another tenant of a namespace,
 * other organisations that may timestamp for others, other pins of organisations, other keys at the root of one
 * that signed packs, other chains that may win, or another quorum. A newly admitted DID without events costs nothing, unless its
 * organisation has some in `_trust`.
 */
export async function meaningAffected(
  before: PolicyView,
  after: PolicyView,
  log: LogReader,
  upTo: number
): Promise<boolean> {
  if (JSON.stringify(before.policy.organisations) !== JSON.stringify(after.policy.organisations)) return true
  // Those of the log, not of the policies: folds show what was admitted in a namespace that neither carries.
  for await (const namespace of log.namespaces()) {
    if (decidingWinners(before, namespace) !== decidingWinners(after, namespace)) return true
    const changed = changedDids(before, after, namespace)
    if (changed.size === 0) continue
    for await (const tip of log.tips(namespace)) {
      const record = tip.logSeq < upTo ? await log.read(tip.logSeq) : undefined
      const logged = record === undefined ? undefined : parseRecord(record)
      if (logged?.scope === 'shared' && changed.has(logged.event.envelope.signer)) return true
      // A tip after the change says nothing of what stands before it; to fold anew is always right.
      if (record === undefined) return true
    }
  }
  return false
}

function changedDids(before: PolicyView, after: PolicyView, namespace: string): Set<string> {
  const meaning = (policy: PolicyView, did: string): string => {
    const orgId = policy.orgOf(did)
    const root = namespace === TRUST_NAMESPACE && orgId !== undefined ? rootKeys(policy, orgId) : []
    return JSON.stringify([
      orgId ?? null,
      policy.hasRole(namespace, did, 'announce'),
      root,
      decidingEffect(policy, namespace, did)
    ])
  }
  const dids = new Set([...before.policy.peers, ...after.policy.peers].map(({ did }) => did))
  return new Set([...dids].filter((did) => meaning(before, did) !== meaning(after, did)))
}

/** What the rules of `policyEffect` look at beside the role. */
function decidingEffect(policy: PolicyView, namespace: string, did: string): unknown {
  const settings = policy.settings(namespace)
  const orgId = policy.orgOf(did)
  if (settings === undefined || orgId === undefined) return null
  const { required, measurements, signers = {} } = settings.attestations
  const domains = policy.policy.peers
    .filter((peer) => peer.orgId === orgId)
    .flatMap(({ keys }) => keys.flatMap(({ kid, tenant }) => (tenant === undefined ? [] : [`${kid} ${tenant}`])))
  const timestamping = policy.policy.crossOrg.filter(
    ({ from, operations }) =>
      (from === '*' || from === orgId) && (operations.includes('*') || operations.includes('timestamp'))
  )
  return [
    settings.tenant,
    [...new Set(domains)].sort(),
    required,
    Object.hasOwn(signers, did) ? signers[did] : measurements,
    timestamping.map(({ to }) => to).sort()
  ]
}

/** The chains that may win, whose attestations count, and whether this node's own are asked for. */
function decidingWinners(policy: PolicyView, namespace: string): string {
  const { finality = {}, quorum = null } = policy.settings(namespace) ?? {}
  return JSON.stringify([finality, quorum, quorum?.of.includes(policy.self.did) ?? false])
}

/**
 * The keys that an organisation's first pack is held against: those of all its DIDs, also of one that signed nothing.
 */
function rootKeys({ policy }: PolicyView, orgId: string): unknown {
  return policy.peers.filter((peer) => peer.orgId === orgId).map(({ keys }) => keys)
}

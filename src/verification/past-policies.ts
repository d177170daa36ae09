import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { LogReader } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { parsePolicy } from '../policy/policy.ts'
import { authorityPolicy, viewPolicy } from '../policy/policy-view.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'

// A policy changes when members come and go: this many are a year or more. Anchors that were checked under one before
// them are checked once more, which is always right.
const POLICIES_MAX = 64

/**
 * Tells whether a verdict was made under the rules that hold today. A policy's digest changes with every member; what
 * decides about an anchor is only when its chain is final, and for a time-stamping authority what its tokens are checked
 * against. So the policies that verdicts name are looked up in the log.
 */
export class PastPolicies {
  readonly #log: LogReader
  readonly #policy: () => PolicyView
  /** By namespace and policy digest. */
  #known: ReadonlyMap<string, PolicyView> | null = null

  constructor(log: LogReader, policy: () => PolicyView) {
    this.#log = log
    this.#policy = policy
  }

  /** Reads the policies of the log, the first time. */
  async load(upTo: number): Promise<void> {
    this.#known ??= await this.#read(upTo)
  }

  /** There is another policy in the log since it was read. */
  forget(): void {
    this.#known = null
  }

  /** Whether other rules hold for the anchor than when its verdict was made. Needs `load`. */
  haveChanged({ namespace, chainId, policyDigest }: TimestampAnchorRow): boolean {
    const policy = this.#policy()
    if (policyDigest === null || policyDigest === policy.policyDigest(namespace)) return false
    const before = this.#known?.get(`${namespace}!${policyDigest}`)
    return before === undefined || rulesOf(before, namespace, chainId) !== rulesOf(policy, namespace, chainId)
  }

  /**
   * Whether the anchor has to be deeper than its verdict found it, or the two policies can't be compared. False where
   * the log does not know the verdict's policy. Needs `load`.
   */
  askedForLess({ namespace, chainId, policyDigest }: TimestampAnchorRow): boolean {
    const before = this.#known?.get(`${namespace}!${policyDigest ?? ''}`)
    const policy = this.#policy()
    if (before === undefined || rulesOf(before, namespace, chainId) === rulesOf(policy, namespace, chainId))
      return false
    const [then, now] = [before.finality(namespace, chainId), policy.finality(namespace, chainId)]
    return then?.depth === undefined || now?.depth === undefined || now.depth > then.depth
  }

  async #read(upTo: number): Promise<ReadonlyMap<string, PolicyView>> {
    const known = new Map<string, PolicyView>()
    let position = await this.#log.policyPosition(upTo)
    for (let count = 0; position !== undefined && count < POLICIES_MAX; count += 1) {
      const record = await this.#log.read(position)
      const logged = record === undefined ? undefined : parseRecord(record)
      if (logged?.scope === 'local') {
        const view = viewPolicy(parsePolicy(logged.event.body))
        for (const namespace of view.namespaces) known.set(`${namespace}!${view.policyDigest(namespace)}`, view)
      }
      position = await this.#log.policyPosition(position - 1)
    }
    return known
  }
}

function rulesOf(view: PolicyView, namespace: string, chainId: string): string {
  const [rail, name = ''] = chainId.split(':')
  const authority = rail === 'rfc3161' ? (authorityPolicy(view.policy, name) ?? null) : null
  // Canonical, because the log's own policies have their members in another order than those of the configuration.
  return encodeCanonical([view.finality(namespace, chainId) ?? null, authority])
}

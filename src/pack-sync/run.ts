import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { SyncPlan, SyncPlanEntry } from './plan.ts'
import type { SyncProgress, SyncResult } from './result.ts'
import { SourceSync } from './source-sync.ts'
import type { AnchorSyncOptions } from './sync-options.ts'

export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: SyncProgress) => void
}

/**
 * Asks the sources of a plan, one after the other, and takes what is good of what they give. After each page all that it
 * brought is stored together with where the next one is, so that whatever interrupts it (the signal, too, whose reason
 * is thrown) costs one page. Running it again changes nothing where there is nothing new.
 */
export async function runAnchorSync(
  plan: SyncPlan,
  options: AnchorSyncOptions,
  { signal = new AbortController().signal, onProgress = () => {} }: RunOptions = {}
): Promise<readonly SyncResult[]> {
  const results: SyncResult[] = []
  for (const entry of plan.entries) {
    const result = await runEntry(entry, options, signal, onProgress)
    if (result !== null) results.push(result)
  }
  return results
}

async function runEntry(
  { orgId, source, reason }: SyncPlanEntry,
  options: AnchorSyncOptions,
  signal: AbortSignal,
  onProgress: (progress: SyncProgress) => void
): Promise<SyncResult | null> {
  signal.throwIfAborted()
  const organisation = options.organisations.find(({ root }) => root.orgId === orgId)
  const transport = source === null ? null : options.transport(source)
  if (reason !== null || source === null || organisation === undefined || transport === null) return null
  const name = { namespace: TRUST_NAMESPACE, orgId }
  const sync = new SourceSync({ name, source, transport, organisation, options, onProgress })
  return await sync.run(signal)
}

import { AnchormeshError } from '../platform/errors.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'

/**
 * Keeps this node from signing events that would have no effect anywhere: with a key that its organisation's packs have
 * retired or revoked, or do not give for events. Packs in `_trust` have rules of their own. Throws `PUBLISH_REFUSED`
 * (`KEY_CUT_OFF`).
 */
export async function refuseCutOffKey(
  { engine, policy }: { readonly engine: ProjectionEngine; readonly policy: () => PolicyView },
  kid: string,
  namespace: string
): Promise<void> {
  if (namespace === TRUST_NAMESPACE) return
  const { orgId } = policy().self
  for await (const row of engine.instance('trust-anchors').rowsWithPrefix(`${orgId}!${kid}`)) {
    if (row['kid'] !== kid) continue
    const { status, uses } = row
    if (status === 'ACTIVE' && Array.isArray(uses) && uses.includes('event')) return
    const why = status === 'ACTIVE' ? 'is not for events' : 'is retired or revoked'
    throw new AnchormeshError('PUBLISH_REFUSED', `not signed: the key ${kid} ${why} in the packs of ${orgId}`, {
      hint: 'Start the node again if it has another key by now (anchormesh keys list); else make one: anchormesh keys add',
      detail: { code: 'KEY_CUT_OFF' }
    })
  }
}

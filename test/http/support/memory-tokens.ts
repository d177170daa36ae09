import type { TokenOperations, TokenView } from '../../../src/access/token-operations.ts'
import { AnchormeshError } from '../../../src/platform/errors.ts'

/** A stand-in for a node's access tokens. */
export function memoryTokens(): TokenOperations {
  const known: TokenView[] = []
  return {
    createToken: async ({ namespaces, tenant = 'test', rights, label = null, ttlMs = 1_000 }) => {
      const id = known.length.toString(16).padStart(16, '0')
      const [createdAt, expiresAt] = [1_700_000_000_000, 1_700_000_000_000 + ttlMs]
      const state = { createdAt, expiresAt, isExpired: false, lastUsedAt: null }
      const view: TokenView = { id, tenant, wholeTenant: false, namespaces, rights, label, ...state }
      known.push(view)
      return { ...view, token: `${id}.secret` }
    },
    tokens: async () => known,
    revokeToken: async (id) => {
      const [view] = known.filter((token) => token.id === id)
      if (view === undefined) throw new AnchormeshError('NOT_FOUND', `there is no token ${id}`)
      known.splice(known.indexOf(view), 1)
      return view
    }
  }
}

import type { TokenOperations } from '../access/token-operations.ts'
import type { AdminTransport } from './admin-transport.ts'
import * as tokens from './token-schemas.ts'

/** The access tokens of a node that runs in another process. */
export function tokenClient(transport: AdminTransport): TokenOperations {
  return {
    createToken: (request) =>
      transport.json(tokens.createdToken, {
        method: 'POST',
        path: 'tokens',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    tokens: () => transport.json(tokens.tokenViews, { method: 'GET', path: 'tokens' }),
    revokeToken: (id) =>
      transport.json(tokens.tokenView, { method: 'POST', path: `tokens/${encodeURIComponent(id)}/revoke` })
  }
}

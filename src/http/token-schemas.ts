import { z } from 'zod'
import { TOKEN_RIGHTS } from '../access/token-operations.ts'
import type { CreatedToken, TokenRequest, TokenView } from '../access/token-operations.ts'
import { LABEL_CHARACTERS_MAX, TOKEN_ID_PATTERN, TOKEN_NAMESPACES_MAX } from '../access/token-record.ts'
import { TENANT_PATTERN } from '../policy/names.ts'
import { namespace } from '../api/values.ts'

/** `POST /v1/admin/tokens`. What else is wrong with it the node says. */
export const tokenRequest: z.ZodType<TokenRequest> = z.strictObject({
  namespaces: z.array(namespace).max(TOKEN_NAMESPACES_MAX),
  tenant: z.string().regex(TENANT_PATTERN, 'is no tenant').exactOptional(),
  rights: z.array(z.enum(TOKEN_RIGHTS)).max(TOKEN_RIGHTS.length),
  label: z.string().max(LABEL_CHARACTERS_MAX).exactOptional(),
  ttlMs: z.int().exactOptional()
})

export const tokenParams = z.strictObject({ id: z.string().regex(TOKEN_ID_PATTERN, 'is no token id') })

const viewMembers = {
  id: z.string(),
  tenant: z.string(),
  wholeTenant: z.boolean(),
  namespaces: z.array(z.string()),
  rights: z.array(z.enum(TOKEN_RIGHTS)),
  label: z.string().nullable(),
  createdAt: z.int(),
  expiresAt: z.int(),
  isExpired: z.boolean(),
  lastUsedAt: z.int().nullable()
}

export const tokenView: z.ZodType<TokenView> = z.object(viewMembers)
export const tokenViews: z.ZodType<readonly TokenView[]> = z.array(tokenView)
export const createdToken: z.ZodType<CreatedToken> = z.object({ ...viewMembers, token: z.string() })

/** `POST /v1/tickets`. */
export const ticket = z.object({
  ticket: z.string().describe('For `?ticket=` on `GET /v1/subscribe`, as often as needed until it expires.'),
  expiresAt: z.int().describe('Milliseconds since 1970.')
})

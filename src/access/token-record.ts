import { z } from 'zod'
import { NAMESPACE_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { TENANT_PATTERN } from '../policy/names.ts'
import { TOKEN_RIGHTS } from './token-operations.ts'
import type { TokenFacts } from './token-operations.ts'

/** Hex: it is typed on command lines, where a leading `-` would be an option. */
export const TOKEN_ID_PATTERN = /^[0-9a-f]{16}$/
export const LABEL_CHARACTERS_MAX = 100
// As many as an operator names on one command line; who has more gives the whole tenant.
export const TOKEN_NAMESPACES_MAX = 256

/** An access token as it is stored under `j!<id>`. */
export interface TokenRecord extends TokenFacts {
  /** SHA-256 of the secret's text, hex: who reads the store learns nothing that opens anything. */
  readonly secretHash: string
}

/** Text for people: no control characters, whole characters only. */
export function isLabel(text: string): boolean {
  return text.length >= 1 && text.length <= LABEL_CHARACTERS_MAX && text.isWellFormed() && !/\p{Cc}/u.test(text)
}

const recordSchema: z.ZodType<TokenRecord> = z.object({
  id: z.string().regex(TOKEN_ID_PATTERN),
  secretHash: z.string().regex(/^[0-9a-f]{64}$/),
  tenant: z.string().regex(TENANT_PATTERN),
  wholeTenant: z.boolean(),
  namespaces: z.array(z.string().regex(NAMESPACE_PATTERN)).max(TOKEN_NAMESPACES_MAX),
  rights: z.array(z.enum(TOKEN_RIGHTS)).min(1),
  label: z.string().nullable(),
  createdAt: z.int(),
  expiresAt: z.int()
})

export function encodeToken(record: TokenRecord): string {
  return JSON.stringify(record)
}

/** The token in these bytes; null where they hold none: then it opens nothing. */
export function tokenIn(bytes: Uint8Array): TokenRecord | null {
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch {
    // Damaged, or of a newer release whose rules this one does not know. The caller says so.
    return null
  }
}

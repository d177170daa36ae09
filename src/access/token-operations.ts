/** What the holder of a token may do: see its namespaces, or hand in receipts there. */
export type TokenRight = 'read' | 'hand-in'

export const TOKEN_RIGHTS: readonly TokenRight[] = ['read', 'hand-in']

/** Which token is wanted. */
export interface TokenRequest {
  /** Carried namespaces of one tenant; none: all of `tenant`, as they are whenever the token is used. */
  readonly namespaces: readonly string[]
  /** The tenant of the namespaces; naming it lets the holder see what belongs to the tenant as a whole, too. */
  readonly tenant?: string
  /** At least one. */
  readonly rights: readonly TokenRight[]
  /** For people: what it is for. At most 100 characters. */
  readonly label?: string
  /** How long it is good for, in milliseconds; default 90 days, at most ten years. */
  readonly ttlMs?: number
}

/** What a token is from when it is made. Times are milliseconds since 1970. */
export interface TokenFacts {
  readonly id: string
  /** The tenant that its namespaces belonged to when it was made. */
  readonly tenant: string
  /** Whether it shows what belongs to the tenant as a whole. */
  readonly wholeTenant: boolean
  /** Those that it was made for; none: all of the tenant. */
  readonly namespaces: readonly string[]
  readonly rights: readonly TokenRight[]
  readonly label: string | null
  readonly createdAt: number
  readonly expiresAt: number
}

/** A token as operators see it: never its secret. */
export interface TokenView extends TokenFacts {
  readonly isExpired: boolean
  /** Since the node was started; null while it was not used. */
  readonly lastUsedAt: number | null
}

/** A new token. */
export interface CreatedToken extends TokenView {
  /** `<id>.<secret>`: shown this once, the node keeps only a hash of it. */
  readonly token: string
}

/** What those who operate a node do with access tokens. */
export interface TokenOperations {
  /**
   * Throws `USAGE` (namespaces of several tenants, another tenant than theirs, a lifetime out of bounds), `NOT_FOUND`
   * for a namespace or tenant that is not carried, `TOKENS_FULL`, `STORE_FULL`.
   */
  createToken(request: TokenRequest): Promise<CreatedToken>
  /** All tokens, the oldest first; expired ones too, until they make room for new ones. */
  tokens(): Promise<readonly TokenView[]>
  /** From now on the token opens nothing. Throws `NOT_FOUND`, `STORE_FULL`. */
  revokeToken(id: string): Promise<TokenView>
}

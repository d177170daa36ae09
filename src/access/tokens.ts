import { hash, timingSafeEqual } from 'node:crypto'
import { toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import { TOKENS_PREFIX, tokenKey } from '../log/keys.ts'
import type { StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { WriteToStore } from '../log/store-writer.ts'
import type { AuditEntry, AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { ofThisRequest } from '../platform/request-scope.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { checkedRequest } from './token-request.ts'
import type { CreatedToken, TokenOperations, TokenRequest, TokenView } from './token-operations.ts'
import { encodeToken, tokenIn } from './token-record.ts'
import type { TokenRecord } from './token-record.ts'

// People make and look after them, one an app or partner, and all are in memory: 1,024 take about 1 MiB, with 256
// namespaces each 20 MiB. Expired ones make room.
export const TOKENS_MAX = 1_024
const ID_BYTES = 8
const SECRET_BYTES = 32

/** What tokens are kept with. */
export interface AccessTokenPorts {
  readonly store: StoreReader
  readonly write: WriteToStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly policy: () => PolicyView
  readonly audit: AuditTrail
}

/** What a text that was shown as a token turned out to be. */
export type TokenJudgement =
  | { readonly ok: true; readonly token: TokenRecord }
  | { readonly ok: false; readonly code: 'TOKEN_INVALID' | 'TOKEN_EXPIRED' }

const INVALID: TokenJudgement = { ok: false, code: 'TOKEN_INVALID' }
const EXPIRED: TokenJudgement = { ok: false, code: 'TOKEN_EXPIRED' }

/**
 * The access tokens of a node: in its store, and all of them in memory once one was asked for. Only hashes of secrets
 * are kept, so that a copy of the store opens nothing.
 */
export class AccessTokens implements TokenOperations {
  readonly #ports: AccessTokenPorts
  readonly #known = new Map<string, TokenRecord>()
  readonly #usedAt = new Map<string, number>()
  readonly #changing = new InTurn()
  readonly #listeners = new Set<(id: string) => void>()
  #loading: Promise<void> | null = null

  constructor(ports: AccessTokenPorts) {
    this.#ports = ports
  }

  /** Calls `listener` with the id of each token that is revoked from now on. Returns the way to stop it. */
  onRevoked(listener: (id: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Whether the text is a token that is good now. Rejects where the store can't be read. */
  async judge(text: string): Promise<TokenJudgement> {
    await this.#loaded()
    const dot = text.indexOf('.')
    const token = this.#known.get(text.slice(0, Math.max(0, dot)))
    // Of the secret alone: hashes have one length, so that the comparison tells nothing of it.
    const shown = sha256(text.slice(dot + 1))
    if (token === undefined || !timingSafeEqual(shown, Buffer.from(token.secretHash, 'hex'))) return INVALID
    return this.standing(token.id)
  }

  /** How the token with this id, which was shown before, stands now. */
  standing(id: string): TokenJudgement {
    const token = this.#known.get(id)
    if (token === undefined) return INVALID
    const now = this.#ports.clock.now()
    if (now >= token.expiresAt) return EXPIRED
    this.#usedAt.set(id, now)
    return { ok: true, token }
  }

  createToken(request: TokenRequest): Promise<CreatedToken> {
    return this.#changing.run(() => this.#create(request))
  }

  async tokens(): Promise<readonly TokenView[]> {
    await this.#loaded()
    const oldestFirst = (one: TokenRecord, other: TokenRecord): number =>
      one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1)
    return [...this.#known.values()].sort(oldestFirst).map((token) => this.#view(token))
  }

  revokeToken(id: string): Promise<TokenView> {
    return this.#changing.run(() => this.#revoke(id))
  }

  async #create(asked: TokenRequest): Promise<CreatedToken> {
    await this.#loaded()
    const { random, clock, policy, write, audit } = this.#ports
    const now = clock.now()
    const { ttlMs, ...request } = checkedRequest(asked, policy())
    const dropped = this.#roomFor(now)
    const id = toHex(random.bytes(ID_BYTES))
    if (this.#known.has(id)) throw new AnchormeshError('INTERNAL', `a second token was drawn with the id ${id}`)
    const secret = toBase64url(random.bytes(SECRET_BYTES))
    const secretHash = toHex(sha256(secret))
    const token: TokenRecord = { id, secretHash, ...request, createdAt: now, expiresAt: now + ttlMs }
    await write(
      [
        ...dropped.map((old) => ({ type: 'del' as const, key: tokenKey(old) })),
        { type: 'put', key: tokenKey(id), value: encodeToken(token) }
      ],
      { sync: true }
    )
    for (const old of dropped) this.#forget(old)
    this.#known.set(id, token)
    audit.record(entryOf('TOKEN_CREATED', token))
    return { ...this.#view(token), token: `${id}.${secret}` }
  }

  /** The expired tokens that have to go so that one more has room. */
  #roomFor(now: number): readonly string[] {
    const over = this.#known.size + 1 - TOKENS_MAX
    if (over <= 0) return []
    const expired = [...this.#known.values()]
      .filter(({ expiresAt }) => expiresAt <= now)
      .sort((one, other) => one.expiresAt - other.expiresAt)
      .slice(0, over)
    if (expired.length === over) return expired.map(({ id }) => id)
    throw new AnchormeshError('TOKENS_FULL', `there are ${TOKENS_MAX} tokens, and none of them has expired`, {
      hint: 'Revoke those that nobody uses: anchormesh tokens list'
    })
  }

  async #revoke(id: string): Promise<TokenView> {
    await this.#loaded()
    const { write, audit } = this.#ports
    const token = this.#known.get(id)
    if (token === undefined)
      throw new AnchormeshError('NOT_FOUND', `there is no token ${id}`, { hint: 'anchormesh tokens list shows them' })
    const view = this.#view(token)
    // Before the write, during which it must open nothing. Should that fail, the operator has to try again.
    this.#known.delete(id)
    try {
      await write([{ type: 'del', key: tokenKey(id) }], { sync: true })
    } catch (error) {
      this.#known.set(id, token)
      throw error
    }
    this.#forget(id)
    audit.record(entryOf('TOKEN_REVOKED', token))
    for (const listener of this.#listeners) listener(id)
    return view
  }

  #forget(id: string): void {
    this.#known.delete(id)
    this.#usedAt.delete(id)
  }

  async #loaded(): Promise<void> {
    await (this.#loading ??= this.#load())
  }

  async #load(): Promise<void> {
    const { store, logger } = this.#ports
    try {
      for await (const [key, bytes] of store.range(prefixRange(TOKENS_PREFIX))) {
        const token = tokenIn(bytes)
        const id = key.slice(TOKENS_PREFIX.length)
        if (token?.id === id) this.#known.set(id, token)
        else logger.warn({ id }, 'an access token can’t be read, and opens nothing: make another in its place')
      }
    } catch (error) {
      // Tried again with the next request.
      this.#loading = null
      this.#known.clear()
      throw error
    }
  }

  #view({ secretHash: _secret, ...token }: TokenRecord): TokenView {
    const isExpired = this.#ports.clock.now() >= token.expiresAt
    return { ...token, isExpired, lastUsedAt: this.#usedAt.get(token.id) ?? null }
  }
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

function entryOf(action: 'TOKEN_CREATED' | 'TOKEN_REVOKED', token: TokenRecord): AuditEntry {
  const { id, tenant, wholeTenant, namespaces, rights, label, expiresAt } = token
  const detail = {
    tenant,
    wholeTenant,
    namespaces: namespaces.join(' '),
    rights: rights.join(' '),
    label,
    expiresAt
  }
  return { action, actor: 'operator', subject: id, outcome: 'ok', code: null, ...ofThisRequest(), detail }
}

import type { PolicyView } from '../policy/policy-view.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { NO_TENANT } from '../policy/read-scope.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import { Tickets, isTicket } from './tickets.ts'
import type { Ticket } from './tickets.ts'
import type { TokenRight } from './token-operations.ts'
import type { TokenRecord } from './token-record.ts'
import type { AccessTokens, TokenJudgement } from './tokens.ts'
import { Visibility } from './visibility.ts'

/** Why what was shown opens nothing. */
export type AccessRefusal = 'TOKEN_INVALID' | 'TOKEN_EXPIRED'

/** What was shown and opened nothing, since the start. */
export interface AccessCounts {
  readonly token: Counts<AccessRefusal>
  readonly ticket: Counts<AccessRefusal>
}

const NO_REFUSALS: Counts<AccessRefusal> = { TOKEN_INVALID: 0, TOKEN_EXPIRED: 0 }

/** What a credential opens. */
export interface Grant {
  readonly scope: ReadScope
  readonly rights: readonly TokenRight[]
  /** The token that was shown, or that a ticket stands for; null for a certificate. */
  readonly tokenId: string | null
}

export type Granting =
  { readonly ok: true; readonly grant: Grant } | { readonly ok: false; readonly code: AccessRefusal }

export interface ReaderAccessPorts {
  readonly tokens: AccessTokens
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly random: Random
}

const TOKEN_ACTOR = 'token:'
const CERTIFICATE_ACTOR = 'certificate:'
const NOTHING: ReadonlySet<string> = new Set()

/**
 * Who may read what: turns what a reader shows into a scope under the policy in force. A scope is worked out anew for
 * each request, so that a token never shows a namespace that has left its tenant, and a certificate none that its DID
 * is no member of any more.
 */
export class ReaderAccess {
  readonly visibility: Visibility
  readonly #ports: ReaderAccessPorts
  readonly #tickets: Tickets
  readonly #refused = { token: new Tally(NO_REFUSALS), ticket: new Tally(NO_REFUSALS) }
  /** The last scope of each actor, so that what is worked out from a scope is not worked out for each request. */
  readonly #scopes = new WeakMap<PolicyView, Map<string, ReadScope>>()

  constructor(ports: ReaderAccessPorts) {
    this.#ports = ports
    this.#tickets = new Tickets(ports)
    this.visibility = new Visibility(ports.policy)
  }

  get counts(): AccessCounts {
    return { token: this.#refused.token.counts, ticket: this.#refused.ticket.counts }
  }

  /** What a text opens that was shown as a token. */
  async ofToken(text: string): Promise<Granting> {
    return this.#counted('token', this.#granted(await this.#ports.tokens.judge(text)))
  }

  /** What a ticket opens: what its token opens now. */
  ofTicket(ticket: string): Granting {
    const id = this.#tickets.tokenOf(ticket)
    // Of those that are no more not even a hash is kept: whoever has one is told to ask for another.
    if (id === null)
      return this.#counted('ticket', { ok: false, code: isTicket(ticket) ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID' })
    return this.#counted('ticket', this.#granted(this.#ports.tokens.standing(id)))
  }

  /** A ticket for the token of a grant; null while it has too many. */
  ticketFor(tokenId: string): Ticket | null {
    return this.#tickets.issue(tokenId)
  }

  /** What a client certificate opens that is pinned to this DID: the namespaces where it is a member. */
  ofCertificate(did: string): Grant {
    const policy = this.#ports.policy()
    const scope = this.#kept(policy, `${CERTIFICATE_ACTOR}${did}`, () => ({
      namespaces: new Set(
        policy.namespaces.filter((name) => policy.settings(name) !== undefined && policy.isMember(name, did))
      ),
      tenant: tenantOfKeys(policy, did)
    }))
    return { scope, rights: ['read'], tokenId: null }
  }

  /** The scope that its holder has now, for answers that last: of another policy, or of a token that ended meanwhile. */
  again(
    scope: ReadScope
  ): { readonly ok: true; readonly scope: ReadScope } | { readonly ok: false; readonly code: AccessRefusal } {
    const { actor } = scope
    if (actor.startsWith(CERTIFICATE_ACTOR))
      return { ok: true, scope: this.ofCertificate(actor.slice(CERTIFICATE_ACTOR.length)).scope }
    if (!actor.startsWith(TOKEN_ACTOR)) return { ok: true, scope }
    const granting = this.#granted(this.#ports.tokens.standing(actor.slice(TOKEN_ACTOR.length)))
    return granting.ok ? { ok: true, scope: granting.grant.scope } : granting
  }

  /** Calls `listener` with the actor of each token that is revoked from now on. Returns the way to stop it. */
  onRevoked(listener: (actor: string) => void): () => void {
    return this.#ports.tokens.onRevoked((id) => listener(TOKEN_ACTOR + id))
  }

  /** Whether a grant lets its holder hand in receipts to the namespace. */
  mayHandIn({ rights, tokenId }: Grant, namespace: string): boolean {
    if (tokenId === null || !rights.includes('hand-in')) return false
    const judged = this.#ports.tokens.standing(tokenId)
    return judged.ok && this.#namespacesOf(judged.token).has(namespace)
  }

  #counted(shown: keyof AccessCounts, granting: Granting): Granting {
    if (!granting.ok) this.#refused[shown].add(granting.code)
    return granting
  }

  #granted(judged: TokenJudgement): Granting {
    if (!judged.ok) return judged
    const { token } = judged
    const policy = this.#ports.policy()
    const reads = token.rights.includes('read')
    const scope = this.#kept(policy, TOKEN_ACTOR + token.id, () => ({
      namespaces: reads ? this.#namespacesOf(token) : NOTHING,
      tenant: reads && token.wholeTenant ? token.tenant : NO_TENANT
    }))
    return { ok: true, grant: { scope, rights: token.rights, tokenId: token.id } }
  }

  /** Those of the token's namespaces that are carried, and its tenant's, now. */
  #namespacesOf({ namespaces, tenant }: TokenRecord): ReadonlySet<string> {
    const policy = this.#ports.policy()
    const named = namespaces.length === 0 ? policy.namespaces : namespaces
    return new Set(named.filter((name) => policy.settings(name)?.tenant === tenant))
  }

  #kept(policy: PolicyView, actor: string, make: () => Pick<ReadScope, 'namespaces' | 'tenant'>): ReadScope {
    const kept = this.#scopes.get(policy) ?? new Map<string, ReadScope>()
    this.#scopes.set(policy, kept)
    const known = kept.get(actor)
    if (known !== undefined) return known
    // Tokens and pinned DIDs are bounded, but those that went stay: all are worked out anew once in a while.
    if (kept.size >= SCOPES_KEPT_MAX) kept.clear()
    const scope: ReadScope = { actor, ...make(), isOperator: false }
    kept.set(actor, scope)
    return scope
  }
}

// All tokens, and as many certificates.
const SCOPES_KEPT_MAX = 2_048

/** The tenant in whose key domain all keys of the DID are: then it speaks for that one. */
function tenantOfKeys(policy: PolicyView, did: string): string {
  const [tenant, ...others] = new Set(policy.boundKeys(did).map((key) => key.tenant ?? NO_TENANT))
  return tenant !== undefined && others.length === 0 ? tenant : NO_TENANT
}

import type { PolicyProblem, ProblemPlace } from './problems.ts'

interface RegisteredKey {
  readonly kid: string
  readonly publicKey: string
  readonly tenant?: string
}

/**
 * One kid means one key in an organisation, and stands in one tenant's key domain or in none: trust anchors are known by
 * `(orgId, kid)`.
 */
export class KeyRegister {
  readonly #problems: PolicyProblem[]
  readonly #publicKeys = new Map<string, string>()
  /** Of the keys that an entry lists: what a did:key is by itself says nothing of tenants. */
  readonly #tenants = new Map<string, string | null>()

  constructor(problems: PolicyProblem[]) {
    this.#problems = problems
  }

  /** False, and a problem, for a kid that stands for another key already. */
  bind(orgId: string, key: RegisteredKey, place: ProblemPlace): boolean {
    const name = `${orgId}\n${key.kid}`
    const bound = this.#publicKeys.get(name)
    if (bound !== undefined && bound !== key.publicKey) {
      const message = `${key.kid} already stands for another key of ${orgId}`
      this.#problems.push({ ...place, message, code: 'KEY_CONFLICT' })
      return false
    }
    this.#publicKeys.set(name, key.publicKey)
    return true
  }

  /** Notes the tenant under which an entry lists a key; a problem where another entry says otherwise. */
  list(orgId: string, { kid, tenant: named }: RegisteredKey, place: ProblemPlace): void {
    const name = `${orgId}\n${kid}`
    const tenant = named ?? null
    const before = this.#tenants.get(name)
    if (before === undefined) this.#tenants.set(name, tenant)
    else if (before !== tenant) {
      const of = (domain: string | null): string => (domain === null ? 'no tenant' : `the tenant ${domain}`)
      const message = `puts ${kid} of ${orgId} in the key domain of ${of(tenant)}, and another entry of ${of(before)}`
      this.#problems.push({ ...place, message, code: 'KEY_CONFLICT' })
    }
  }
}

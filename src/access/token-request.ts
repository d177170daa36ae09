import { AnchormeshError } from '../platform/errors.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import { notCarried } from '../policy/not-carried.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { TOKEN_RIGHTS } from './token-operations.ts'
import type { TokenRequest } from './token-operations.ts'
import { LABEL_CHARACTERS_MAX, TOKEN_NAMESPACES_MAX, isLabel } from './token-record.ts'
import type { TokenRecord } from './token-record.ts'

const DAY_MS = 86_400_000
/** A quarter: long enough not to be a nuisance, short enough that one that was forgotten somewhere ends by itself. */
const TOKEN_TTL_MS_DEFAULT = 90 * DAY_MS
// What is meant to last longer than ten years is meant to last for ever, which no secret should.
const TOKEN_TTL_MS_MAX = 3_652 * DAY_MS
// Less is for tickets.
const TOKEN_TTL_MS_MIN = 60_000

/** What a request comes to under the policy in force. */
interface CheckedRequest extends Pick<TokenRecord, 'tenant' | 'wholeTenant' | 'namespaces' | 'rights' | 'label'> {
  readonly ttlMs: number
}

/** Throws `USAGE` and `NOT_FOUND`, as `TokenOperations.createToken` says. */
export function checkedRequest(request: TokenRequest, policy: PolicyView): CheckedRequest {
  const { label = null, ttlMs = TOKEN_TTL_MS_DEFAULT } = request
  const rights = TOKEN_RIGHTS.filter((right) => request.rights.includes(right))
  if (rights.length === 0) throw usage('a token needs a right: to read, to hand in receipts, or both')
  if (label !== null && !isLabel(label))
    throw usage(`a label has 1 to ${LABEL_CHARACTERS_MAX} characters, and no control characters`)
  if (!Number.isSafeInteger(ttlMs) || ttlMs < TOKEN_TTL_MS_MIN || ttlMs > TOKEN_TTL_MS_MAX)
    throw usage('a token is good for a minute at the least, and for ten years at the most')
  const namespaces = [...new Set(request.namespaces)].sort()
  if (namespaces.length > TOKEN_NAMESPACES_MAX)
    throw usage(`a token names at most ${TOKEN_NAMESPACES_MAX} namespaces`, 'Make it for the whole tenant instead.')
  const tenant = namespaces.length === 0 ? tenantAlone(request.tenant, policy) : tenantOfAll(namespaces, policy)
  if (request.tenant !== undefined && request.tenant !== tenant)
    throw usage(`${namespaces.join(', ')} belong to the tenant ${tenant}, not to ${request.tenant}`)
  return { tenant, wholeTenant: request.tenant !== undefined, namespaces, rights, label, ttlMs }
}

function tenantAlone(tenant: string | undefined, policy: PolicyView): string {
  if (tenant === undefined) throw usage('a token is for namespaces, or for a tenant', 'Name at least one of them.')
  const tenants = new Set(policy.namespaces.flatMap((name) => policy.settings(name)?.tenant ?? []))
  if (tenants.has(tenant)) return tenant
  throw new AnchormeshError('NOT_FOUND', `no namespace of the tenant ${tenant} is carried here`, {
    hint: tenants.size === 0 ? 'this node carries no namespace' : `there are: ${[...tenants].sort().join(', ')}`
  })
}

function tenantOfAll(namespaces: readonly string[], policy: PolicyView): string {
  const tenants = new Set<string>()
  for (const namespace of namespaces) {
    if (namespace === TRUST_NAMESPACE)
      throw usage(
        `${TRUST_NAMESPACE} belongs to no tenant`,
        'A token shows the packs of those who take part in its namespaces by itself.'
      )
    const settings = policy.settings(namespace)
    if (settings === undefined) throw notCarried(namespace, policy.namespaces)
    tenants.add(settings.tenant)
  }
  const [tenant = '', ...others] = tenants
  if (others.length === 0) return tenant
  throw usage(`the namespaces belong to several tenants: ${[...tenants].join(', ')}`, 'Make a token for each tenant.')
}

function usage(message: string, hint?: string): AnchormeshError {
  return new AnchormeshError('USAGE', message, hint === undefined ? {} : { hint })
}

import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { NO_TENANT, maySee, maySeeTenant } from '../policy/read-scope.ts'
import type { Projection } from '../projections/projection.ts'
import type { RowView } from '../projections/query.ts'
import { EVERY_ROW } from '../projections/query.ts'

/** Projections whose rows belong to no namespace, but to the organisation that a row or its signer names. */
const BY_ORGANISATION: ReadonlySet<string> = new Set(['trust-anchors', 'checkpoints'])

/** What of a shared event says who may see it. */
type EventPlace = { readonly namespace: string; readonly signer: string }

/** The organisations that a reader knows of under a policy. */
interface SeenOrganisations {
  readonly policy: PolicyView
  readonly known: ReadonlySet<string>
  /** A digest of them and of who speaks for them. */
  readonly basis: string
}

/**
 * What a reader's scope comes to under the policy in force:
 *
 * | what | is seen by whom |
 * |---|---|
 * | rows and events of a namespace | who may see the namespace |
 * | rows and events of `_trust`, `trust-anchors`, `checkpoints` | who may see a namespace that the organisation has a member in; this node's own by everybody who may read |
 * | rows that name a tenant and no namespace | who may see the tenant as a whole |
 * | all other rows, local events | operators |
 *
 * A reader who needs no limits sees everything, also what is carried no more.
 */
export class Visibility {
  readonly #policy: () => PolicyView
  /** Of scopes that live on; each belongs to the policy that it was worked out under. */
  readonly #organisations = new WeakMap<ReadScope, SeenOrganisations>()

  constructor(policy: () => PolicyView) {
    this.#policy = policy
  }

  /** The namespaces that this node carries, as its status says them. */
  carried(): readonly string[] {
    return this.#policy().namespaces
  }

  /** Whether the reader may see this row of a projection. */
  seesRow(scope: ReadScope, projection: string, row: JsonObject): boolean {
    if (scope.namespaces === null) return true
    const { namespace, orgId, signer, tenant } = row
    if (typeof namespace === 'string' && namespace !== TRUST_NAMESPACE) return maySee(scope, namespace)
    if (namespace === TRUST_NAMESPACE || BY_ORGANISATION.has(projection))
      return this.#seesOrganisation(scope, typeof orgId === 'string' ? orgId : this.#orgOf(signer))
    return typeof tenant === 'string' && maySeeTenant(scope, tenant)
  }

  /** Whether the reader may see this shared event. */
  seesEvent(scope: ReadScope, { namespace, signer }: EventPlace): boolean {
    if (namespace !== TRUST_NAMESPACE) return maySee(scope, namespace)
    return scope.namespaces === null || this.#seesOrganisation(scope, this.#orgOf(signer))
  }

  /** Whether the reader may name this namespace in a query. */
  mayName(scope: ReadScope, namespace: string): boolean {
    return namespace === TRUST_NAMESPACE ? scope.namespaces?.size !== 0 : maySee(scope, namespace)
  }

  /** The rows of a projection that the reader may see. */
  rowsOf(scope: ReadScope, projection: Projection): RowView & { readonly basis: string } {
    if (scope.namespaces === null) return { ...EVERY_ROW, basis: '' }
    return {
      prefixes: prefixesOf(scope, projection),
      basis: this.#organisationsOf(scope).basis,
      shows: (row) => this.seesRow(scope, projection.name, row)
    }
  }

  #seesOrganisation(scope: ReadScope, orgId: string | undefined): boolean {
    return orgId !== undefined && this.#organisationsOf(scope).known.has(orgId)
  }

  #orgOf(signer: unknown): string | undefined {
    return typeof signer === 'string' ? this.#policy().orgOf(signer) : undefined
  }

  #organisationsOf(scope: ReadScope): SeenOrganisations {
    const policy = this.#policy()
    const before = this.#organisations.get(scope)
    if (before?.policy === policy) return before
    const namespaces = [...(scope.namespaces ?? [])]
    const members = namespaces.flatMap((name) => policy.members(name).map(({ orgId }) => orgId))
    const known = new Set(namespaces.length === 0 ? [] : [policy.self.orgId, ...members])
    const speakers = policy.members(TRUST_NAMESPACE).filter(({ orgId }) => known.has(orgId))
    const named = [...known, ...speakers.map(({ did, orgId }) => `${orgId} ${did}`)].sort()
    const seen = { policy, known, basis: sha256Hex(JSON.stringify(named)) }
    this.#organisations.set(scope, seen)
    return seen
  }
}

/** Where rows begin that may be seen, so that nobody walks through what belongs to others. */
function prefixesOf({ namespaces, tenant }: ReadScope, projection: Projection): readonly string[] | null {
  const named = [...(namespaces ?? []), TRUST_NAMESPACE].flatMap((name) => projection.namespacePrefix(name) ?? [])
  if (named.length > 0) return named.sort()
  if (projection.layout.key[0] === 'tenant') return tenant === null || tenant === NO_TENANT ? [] : [`${tenant}!`]
  // Keys and checkpoints of organisations: few.
  return null
}

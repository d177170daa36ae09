import type { LastGood } from '../../protocols/event/v1/anchor-pack.ts'
import { chainIdOf } from '../events/chain.ts'
import type { PackState } from './pack-chain.ts'

/** A last good event, by what finds it in a log. */
export interface GoodEvent {
  readonly id: string
  readonly authorSeq: number
}

/** Of which events of a key the packs say that they count, by chain; of a chain that is not here none does. */
export type Restriction = ReadonlyMap<string, readonly GoodEvent[]>

/** What the packs of an organisation that are in force say about the events of its signers. */
export interface OrganisationTrust {
  /** Milliseconds since 1970. */
  readonly validUntil: number
  /** By kid, the keys of which not every event counts (SPEC EV-37). */
  readonly restricted: ReadonlyMap<string, Restriction>
}

/**
 * What the packs in force say about events, for all organisations that have any. It never changes: another pack makes
 * another view. As big as the last good events of the organisations' keys, of which an organisation has 48 KiB at most.
 */
export class TrustView {
  readonly #organisations: ReadonlyMap<string, OrganisationTrust>

  constructor(organisations: ReadonlyMap<string, OrganisationTrust> = new Map()) {
    this.#organisations = organisations
  }

  /** `undefined` where no pack of it is in force. */
  of(orgId: string): OrganisationTrust | undefined {
    return this.#organisations.get(orgId)
  }

  /** Which events of the key count; `undefined`: all, as far as packs have a say. Asked for each event. */
  restriction(orgId: string | undefined, kid: string): Restriction | undefined {
    return orgId === undefined ? undefined : this.#organisations.get(orgId)?.restricted.get(kid)
  }

  /** The same view where that changes nothing. */
  with(orgId: string, trust: OrganisationTrust | undefined): TrustView {
    if (isSameTrust(this.of(orgId), trust)) return this
    const organisations = new Map(this.#organisations)
    if (trust === undefined) organisations.delete(orgId)
    else organisations.set(orgId, trust)
    return new TrustView(organisations)
  }
}

/** What an organisation's packs say as their state stands. */
export function organisationTrust({ validUntil, keys }: PackState): OrganisationTrust {
  const restricted = new Map<string, Restriction>()
  for (const [kid, { key }] of keys) {
    const countsForEvents = key.uses.includes('event')
    if (key.status === 'ACTIVE' && countsForEvents) continue
    restricted.set(kid, countsForEvents ? byChain(kid, key.lastGood ?? []) : new Map())
  }
  return { validUntil, restricted }
}

/** The kids of which other events may count by one than by the other. */
export function kidsRestrictedOtherwise(
  before: OrganisationTrust | undefined,
  after: OrganisationTrust | undefined
): readonly string[] {
  const kids = new Set([...(before?.restricted.keys() ?? []), ...(after?.restricted.keys() ?? [])])
  return [...kids].filter((kid) => !isSame(before?.restricted.get(kid), after?.restricted.get(kid)))
}

function isSameTrust(one: OrganisationTrust | undefined, other: OrganisationTrust | undefined): boolean {
  return one?.validUntil === other?.validUntil && kidsRestrictedOtherwise(one, other).length === 0
}

function isSame(one: Restriction | undefined, other: Restriction | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return JSON.stringify([...one]) === JSON.stringify([...other])
}

/** What a key says of events of other kids says nothing: no event of its own has these as an ancestor. */
function byChain(kid: string, lastGood: readonly LastGood[]): Restriction {
  const chains = new Map<string, GoodEvent[]>()
  for (const { id, authorSeq, ...chain } of lastGood) {
    if (chain.kid !== kid) continue
    const name = chainIdOf(chain)
    const good = chains.get(name) ?? []
    good.push({ id, authorSeq })
    chains.set(name, good)
  }
  return chains
}

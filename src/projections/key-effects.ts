import type { VerifiedEvent } from '../events/verified.ts'
import type { ChainPath } from '../log/chain-path.ts'
import type { EventPosition } from '../log/event-index.ts'
import type { LoggedRecord, LogReader, SharedRecord } from '../log/log-reader.ts'
import { chainIdOf } from '../events/chain.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { GoodEvent, OrganisationTrust, Restriction, TrustView } from '../trust/trust-view.ts'
import { kidsRestrictedOtherwise } from '../trust/trust-view.ts'

// A path is as long as the chain has forks on it, so nearly always one segment.
const PATHS_KEPT_MAX = 1_024

/** What the packs in force say about the records that are folded (SPEC EV-37) and about their organisations. */
export interface FoldTrust {
  /** Asked of events of the records that are folded, and of earlier ones that counted before. */
  isCutOff(event: VerifiedEvent): boolean
  /** Of the organisation's last pack in force, milliseconds since 1970; `null` where it has none. */
  validUntil(orgId: string): number | null
}

/** Where there are no packs. */
export const NO_TRUST: FoldTrust = { isCutOff: () => false, validUntil: () => null }

/** A last good event that is held, with all that stands before it. */
interface HeldGood {
  readonly logSeq: number
  readonly path: ChainPath
}

/** By what the effect of events is judged. */
export interface KeyBasis {
  readonly view: TrustView
  readonly policy: PolicyView
}

/**
 * Which events of retired and revoked keys count, by descent: from the index of chains, without a list of ids. What was
 * found of a last good event is kept, because events stay where they are.
 */
export class KeyEffects {
  readonly #log: LogReader
  readonly #held = new BoundedMap<string, HeldGood>(PATHS_KEPT_MAX)

  constructor(log: LogReader) {
    this.#log = log
  }

  /**
   * What folds need to know of the records, with what the log holds up to `upTo`. Costs a look-up for each event of a
   * key that is not active, and nothing for others.
   */
  async of(records: readonly LoggedRecord[], upTo: number, basis: KeyBasis): Promise<FoldTrust> {
    const cutOff = new Set<string>()
    const open: { readonly event: VerifiedEvent; readonly held: readonly HeldGood[] }[] = []
    const ofChain = new Map<string, readonly HeldGood[]>()
    for (const { event, restriction } of restrictedIn(records, basis)) {
      const held = ofChain.get(event.chain) ?? (await this.#heldOf(event.chain, restriction, upTo))
      ofChain.set(event.chain, held)
      if (held.length === 0) cutOff.add(event.id)
      else open.push({ event, held })
    }
    const positions = await this.#log.findMany(open.map(({ event }) => event.id))
    for (const [index, { event, held }] of open.entries()) {
      const position = positions[index]
      if (position === undefined) throw new Error(`event ${event.id} is folded and not in the log`)
      if (!held.some(({ path }) => isOnPath(path, position))) cutOff.add(event.id)
    }
    return {
      isCutOff: ({ id }) => cutOff.has(id),
      validUntil: (orgId) => basis.view.of(orgId)?.validUntil ?? null
    }
  }

  /**
   * The place of the first record that gives effect to events which stand before it: a last good one whose predecessor
   * was cut off. −1 where there is none.
   */
  async firstRestoring(records: readonly LoggedRecord[], basis: KeyBasis): Promise<number> {
    for (const { event, restriction, index, logSeq } of restrictedIn(records, basis)) {
      const { prev, authorSeq } = event.envelope
      if (prev === null || !isNamed(restriction.get(event.chain), event.id, authorSeq)) continue
      const before = await this.#log.find(prev)
      const held = await this.#heldOf(event.chain, restriction, logSeq - 1)
      if (before === undefined || !held.some(({ path }) => isOnPath(path, before))) return index
    }
    return -1
  }

  /**
   * Whether packs that say another thing about an organisation's keys withdraw the effect of an event up to position
   * `upTo`, or restore it. Where that would take a look at every event the answer is yes; it is no where all events of a
   * chain count before and after, as they do when a key is retired with its newest events as the last good ones.
   */
  async areAffected(
    orgId: string,
    before: OrganisationTrust | undefined,
    after: OrganisationTrust | undefined,
    { policy, upTo }: { readonly policy: PolicyView; readonly upTo: number }
  ): Promise<boolean> {
    const kids = kidsRestrictedOtherwise(before, after)
    const signers = policy.policy.peers.filter((peer) => peer.orgId === orgId).map(({ did }) => did)
    for await (const namespace of kids.length === 0 ? [] : this.#log.namespaces()) {
      if (namespace === TRUST_NAMESPACE) continue
      for (const signer of signers) {
        for (const kid of kids) {
          const was = before?.restricted.get(kid)
          const is = after?.restricted.get(kid)
          if (await this.#isAffected({ namespace, chain: chainIdOf({ signer, kid, namespace }) }, was, is, upTo))
            return true
        }
      }
    }
    return false
  }

  async #isAffected(
    { namespace, chain }: { readonly namespace: string; readonly chain: string },
    before: Restriction | undefined,
    after: Restriction | undefined,
    upTo: number
  ): Promise<boolean> {
    const [first] = await this.#log.positionsAt(chain, 1, 1)
    if (first === undefined || first > upTo) return false
    const was = await this.#counting(namespace, chain, before, upTo)
    const is = await this.#counting(namespace, chain, after, upTo)
    return was !== is
  }

  /** Which events of a chain count: all, none, or those before the named ones. */
  async #counting(namespace: string, chain: string, restriction: Restriction | undefined, upTo: number) {
    if (restriction === undefined) return 'all'
    const held = await this.#heldOf(chain, restriction, upTo)
    if (held.length === 0) return 'none'
    const ends = new Set(held.map(({ logSeq }) => logSeq))
    // Nothing follows a tip, so it counts only if it is named itself. One that came later tells nothing of those before.
    for await (const { logSeq } of this.#log.tips(namespace, chain))
      if (!ends.has(logSeq)) return JSON.stringify([...ends].sort((left, right) => left - right))
    return 'all'
  }

  /** The last good events of a chain that stand in the log up to a position. */
  async #heldOf(chain: string, restriction: Restriction, upTo: number): Promise<readonly HeldGood[]> {
    const found: HeldGood[] = []
    for (const good of restriction.get(chain) ?? []) {
      const held = await this.#find(chain, good)
      if (held !== undefined && held.logSeq <= upTo) found.push(held)
    }
    return found
  }

  async #find(chain: string, { id, authorSeq }: GoodEvent): Promise<HeldGood | undefined> {
    const name = `${id} ${authorSeq} ${chain}`
    const known = this.#held.get(name)
    if (known !== undefined) return known
    const position = await this.#log.find(id)
    if (position === undefined || position.chain !== chain || position.authorSeq !== authorSeq) return undefined
    const held = { logSeq: position.logSeq, path: await this.#log.pathOf(position) }
    this.#held.set(name, held)
    return held
  }
}

interface RestrictedEvent {
  readonly event: VerifiedEvent
  readonly restriction: Restriction
  readonly index: number
  readonly logSeq: number
}

/** The events of keys of which not every one counts. */
function* restrictedIn(records: readonly LoggedRecord[], { view, policy }: KeyBasis): Generator<RestrictedEvent> {
  for (const [index, record] of records.entries()) {
    if (record.scope === 'local' || record.event.envelope.namespace === TRUST_NAMESPACE) continue
    const { event } = record satisfies SharedRecord
    const restriction = view.restriction(policy.orgOf(event.envelope.signer), event.envelope.kid)
    if (restriction !== undefined) yield { event, restriction, index, logSeq: record.record.logSeq }
  }
}

function isNamed(good: readonly GoodEvent[] | undefined, id: string, authorSeq: number): boolean {
  return good?.some((named) => named.id === id && named.authorSeq === authorSeq) ?? false
}

/** Whether an event of the chain is the last of the path or an ancestor of it. */
function isOnPath({ segments }: ChainPath, { branch, authorSeq }: EventPosition): boolean {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((segments[middle]?.from ?? 0) <= authorSeq) low = middle
    else high = middle - 1
  }
  const segment = segments[low]
  return segment?.branch === branch && segment.from <= authorSeq && authorSeq <= segment.to
}

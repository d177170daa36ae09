import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LogReader, SharedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { HashedPack, JudgedPack, OrganisationRoot, PackEffect, PackHead, PackState } from '../trust/pack-chain.ts'
import {
  NO_PACKS,
  effectOfValid,
  effectOfWaiting,
  hasGoodKeys,
  headAfter,
  isSignedAs,
  judgePack,
  rootState
} from '../trust/pack-chain.ts'
import type {
  CopyFact,
  FirstFact,
  HeadFact,
  LevelFact,
  MisfitFact,
  PackFact,
  Spokesman,
  WaitingFact
} from './pack-facts.ts'
import { copyKey, firstWaitingKey, headKey, levelKey, misfitKey, packKey, waitingKey } from './pack-facts.ts'
import { continueState, putState, readState } from './pack-states.ts'
import { isOwnPack, organisationRoot, packOf } from './packs.ts'
import type { FoldContext, Table } from './projection.ts'

/** Packs whose effect may be another one now: all at a number, or those of them that name one predecessor. */
export interface TouchedPacks {
  readonly packSeq: number
  readonly prevPack?: string
}

/** What one more event with a pack changed among its organisation's packs. */
export interface FoldedPack {
  readonly orgId: string
  readonly hash: string
  readonly pack: AnchorPack
  readonly head: PackHead
  readonly headMoved: boolean
  /** Whether a pack that was valid before has another time now, because an event with a smaller id carries it. */
  readonly timeChanged: boolean
  /** Keys that packs gave which became valid just now, on whichever side of a fork. */
  readonly bound: readonly { readonly kid: string; readonly publicKey: string }[]
  readonly touched: readonly TouchedPacks[]
}

/**
 * Folds a pack into the facts. `null` for an event whose body is no pack, or one of another organisation.
 *
 * Each pack is judged once, when its predecessor is valid; until then it waits, where its predecessor finds it by
 * number and hash. So a pack costs the same however many came before it, and those that wait for nothing hide no
 * other. Of each event with a pack that passed, the signatures are checked once, when the predecessor's keys are known.
 */
export async function foldPack(record: SharedRecord, context: FoldContext): Promise<FoldedPack | null> {
  const reading = packOf(record.event)
  if (!reading.ok) return null
  const { pack } = reading
  if (!isOwnPack(record.event, pack.orgId, context.policy)) return null
  return await new PackFold(pack.orgId, context).take(record, { hash: packHash(record.event.envelope.body), pack })
}

/** What a pack among the facts counts for in an event, as things stand; `null` if it counts. */
export async function effectOfPack(
  facts: Table,
  orgId: string,
  { hash, eventId }: { readonly hash: string; readonly eventId: string }
): Promise<PackEffect | null> {
  const { verdict, packSeq } = (await mustGet(facts, packKey(orgId, hash))) as PackFact
  if (verdict === 'waiting') return effectOfWaiting(await validAt(facts, orgId, packSeq - 1))
  if (verdict === 'unsigned') return 'PACK_SIGNER_FOREIGN'
  if (verdict !== 'valid' && verdict !== 'weak') return verdict
  if ((await facts.get(misfitKey(orgId, eventId))) !== undefined) return 'PACK_SIGNER_FOREIGN'
  return verdict === 'weak' ? 'BODY_INVALID' : effectOfValid(await readHead(facts, orgId), packSeq)
}

/** The time of a valid pack among the facts. */
export async function tsOfPack(facts: Table, orgId: string, hash: string): Promise<number> {
  const { spokesman } = (await mustGet(facts, packKey(orgId, hash))) as PackFact
  if (spokesman === null) throw new Error(`no event carries pack ${hash} of ${orgId}`)
  return spokesman.ts
}

/** The keys after a valid pack among the facts. */
export async function stateOfPack(facts: Pick<Table, 'get'>, orgId: string, hash: string): Promise<PackState> {
  const state = await readState((key) => facts.get(key), orgId, hash)
  if (state === undefined) throw new Error(`the state of pack ${hash} of ${orgId} is not among the facts`)
  return state
}

/** One fold of an event with a pack, with the packs that it releases. */
class PackFold {
  readonly #orgId: string
  readonly #root: OrganisationRoot
  readonly #facts: Table
  readonly #log: LogReader
  readonly #bound: { kid: string; publicKey: string }[] = []
  readonly #touched: TouchedPacks[] = []
  /** Packs whose predecessor became valid just now; a list and no recursion, because a chain of them can be long. */
  readonly #released: { readonly hash: string; readonly logSeq: number }[] = []
  #head: PackHead = NO_PACKS
  /** The state that was continued last: many packs can wait for one. */
  #state: PackState

  constructor(orgId: string, { facts, log, policy }: FoldContext) {
    this.#orgId = orgId
    this.#root = organisationRoot(orgId, policy)
    this.#facts = facts
    this.#log = log
    this.#state = rootState(this.#root)
  }

  async take(record: SharedRecord, hashed: HashedPack): Promise<FoldedPack> {
    const { hash, pack } = hashed
    const before = await readHead(this.#facts, this.#orgId)
    this.#head = before
    const known = (await this.#facts.get(packKey(this.#orgId, hash))) as PackFact | undefined
    if (known === undefined) await this.#takeNew(record, hashed)
    const timeChanged = known !== undefined && (await this.#takeCopy(record, hashed, known))
    await this.#judgeReleased()
    await this.#touchForked(before)
    const headMoved = this.#head !== before
    if (headMoved) this.#facts.put(headKey(this.#orgId), { ...this.#head })
    const [orgId, head, bound, touched] = [this.#orgId, this.#head, this.#bound, this.#touched]
    return { orgId, hash, pack, head, headMoved, timeChanged, bound, touched }
  }

  async #takeNew(record: SharedRecord, hashed: HashedPack): Promise<void> {
    const state = await this.#stateBefore(hashed.pack)
    if (state === undefined) {
      await this.#wait(hashed, record.record.logSeq)
      this.#keepCopy(record, hashed, null)
    } else {
      const judged = judgePack(this.#root, state, hashed)
      const spokesman = judged.ok ? this.#hear(record.event, state, hashed, null) : null
      await this.#conclude(judged, hashed, spokesman)
    }
  }

  /** Takes one more event with a pack that came before. Returns whether that changes the time of a valid one. */
  async #takeCopy(record: SharedRecord, hashed: HashedPack, known: PackFact): Promise<boolean> {
    const { verdict } = known
    if (verdict === 'waiting') this.#keepCopy(record, hashed, known.lastCopy)
    if (verdict !== 'unsigned' && verdict !== 'weak' && verdict !== 'valid') return false
    const state = await this.#stateBefore(hashed.pack)
    if (state === undefined) throw new Error(`pack ${hashed.hash} was judged without a valid predecessor`)
    const spokesman = this.#hear(record.event, state, hashed, known.spokesman)
    if (spokesman === known.spokesman) return false
    if (verdict === 'unsigned') {
      await this.#conclude(judgePack(this.#root, state, hashed), hashed, spokesman)
      return false
    }
    this.#facts.put(packKey(this.#orgId, hashed.hash), { ...known, spokesman })
    return verdict === 'valid'
  }

  #keepCopy({ record, event: { id } }: SharedRecord, { hash, pack }: HashedPack, before: string | null): void {
    const { logSeq } = record
    this.#facts.put(copyKey(this.#orgId, id), { logSeq, before } satisfies CopyFact)
    const fact: PackFact = { packSeq: pack.packSeq, verdict: 'waiting', spokesman: null, lastCopy: id }
    this.#facts.put(packKey(this.#orgId, hash), fact)
  }

  /** Who speaks for the pack with this event: it does itself, if it carries the pack and its id is the smallest. */
  #hear(
    event: VerifiedEvent,
    before: PackState,
    { hash, pack }: HashedPack,
    known: Spokesman | null
  ): Spokesman | null {
    if (isSignedAs(event, before, pack)) {
      return known !== null && known.eventId < event.id ? known : { eventId: event.id, ts: event.envelope.ts }
    }
    this.#facts.put(misfitKey(this.#orgId, event.id), { hash } satisfies MisfitFact)
    return known
  }

  async #judgeReleased(): Promise<void> {
    for (let next = this.#released.pop(); next !== undefined; next = this.#released.pop()) {
      await this.#readAndJudge(next)
    }
  }

  async #readAndJudge({ hash, logSeq }: { readonly hash: string; readonly logSeq: number }): Promise<void> {
    const reading = packOf(await this.#eventAt(logSeq))
    if (!reading.ok) throw new Error(`position ${logSeq} does not hold pack ${hash}`)
    const hashed = { hash, pack: reading.pack }
    const state = await this.#stateBefore(hashed.pack)
    if (state === undefined) throw new Error(`pack ${hash} was released before its predecessor was valid`)
    const judged = judgePack(this.#root, state, hashed)
    const { lastCopy } = (await mustGet(this.#facts, packKey(this.#orgId, hash))) as PackFact
    let spokesman: Spokesman | null = null
    for (let eventId = lastCopy; eventId !== null;) {
      const copy = (await mustGet(this.#facts, copyKey(this.#orgId, eventId))) as CopyFact
      this.#facts.del(copyKey(this.#orgId, eventId))
      if (judged.ok) spokesman = this.#hear(await this.#eventAt(copy.logSeq), state, hashed, spokesman)
      eventId = copy.before
    }
    await this.#conclude(judged, hashed, spokesman)
  }

  async #eventAt(logSeq: number): Promise<VerifiedEvent> {
    const record = await this.#log.read(logSeq)
    const logged = record === undefined ? undefined : parseRecord(record)
    if (logged?.scope !== 'shared') throw new Error(`position ${logSeq} does not hold an event`)
    return logged.event
  }

  async #conclude(judged: JudgedPack, hashed: HashedPack, spokesman: Spokesman | null): Promise<void> {
    const { hash, pack } = hashed
    const verdict = judged.ok ? verdictOf(pack, spokesman) : judged.effect
    const fact: PackFact = { packSeq: pack.packSeq, verdict, spokesman, lastCopy: null }
    this.#facts.put(packKey(this.#orgId, hash), fact)
    if (judged.ok && verdict === 'valid') await this.#accept(judged.state, hashed)
  }

  async #accept(state: PackState, hashed: HashedPack): Promise<void> {
    const { hash, pack } = hashed
    const others = await validAt(this.#facts, this.#orgId, pack.packSeq)
    this.#facts.put(levelKey(this.#orgId, pack.packSeq), { valid: others + 1 } satisfies LevelFact)
    putState(this.#facts, this.#orgId, state, pack.prevPack)
    this.#head = headAfter(this.#head, hashed, others)
    for (const { kid, publicKey } of pack.keys) this.#bound.push({ kid, publicKey })
    const released = await this.#release(pack.packSeq + 1, hash)
    // With the first valid pack at a number, what waits at the next one is no gap any more, whatever it names.
    if (others === 0) this.#touched.push({ packSeq: pack.packSeq + 1 })
    else if (released) this.#touched.push({ packSeq: pack.packSeq + 1, prevPack: hash })
  }

  async #wait({ hash, pack: { packSeq, prevPack } }: HashedPack, logSeq: number): Promise<void> {
    const firstKey = firstWaitingKey(this.#orgId, packSeq, prevPack ?? '')
    const known = (await this.#facts.get(firstKey)) as FirstFact | undefined
    this.#facts.put(waitingKey(this.#orgId, hash), { logSeq, next: known?.first ?? null } satisfies WaitingFact)
    this.#facts.put(firstKey, { first: hash } satisfies FirstFact)
  }

  /** Takes those that wait at a number for a predecessor. Returns whether there were any. */
  async #release(packSeq: number, prevPack: string): Promise<boolean> {
    const firstKey = firstWaitingKey(this.#orgId, packSeq, prevPack)
    const known = (await this.#facts.get(firstKey)) as FirstFact | undefined
    if (known === undefined) return false
    this.#facts.del(firstKey)
    for (let hash: string | null = known.first; hash !== null;) {
      const { logSeq, next } = (await mustGet(this.#facts, waitingKey(this.#orgId, hash))) as WaitingFact
      this.#facts.del(waitingKey(this.#orgId, hash))
      this.#released.push({ hash, logSeq })
      hash = next
    }
    return true
  }

  /** Valid packs that did not stand above a fork before, and do now. */
  async #touchForked({ forkedAt: before }: PackHead): Promise<void> {
    const { forkedAt } = this.#head
    if (forkedAt === null || forkedAt === before) return
    for (let packSeq = forkedAt; packSeq !== before; packSeq += 1) {
      if ((await validAt(this.#facts, this.#orgId, packSeq)) === 0) return
      this.#touched.push({ packSeq })
    }
  }

  /** The state that the pack continues, if its predecessor is a valid pack at the number before its own. */
  async #stateBefore({ packSeq, prevPack }: AnchorPack): Promise<PackState | undefined> {
    if (packSeq === 1 || prevPack === null) return rootState(this.#root)
    if (this.#state.hash !== prevPack) {
      const state = await continueState(this.#facts, this.#orgId, prevPack)
      if (state === undefined) return undefined
      this.#state = state
    }
    return this.#state.packSeq === packSeq - 1 ? this.#state : undefined
  }
}

/** What becomes of a pack that was judged well. */
function verdictOf(pack: AnchorPack, spokesman: Spokesman | null): 'unsigned' | 'weak' | 'valid' {
  if (spokesman === null) return 'unsigned'
  return hasGoodKeys(pack) ? 'valid' : 'weak'
}

async function readHead(facts: Table, orgId: string): Promise<PackHead> {
  return ((await facts.get(headKey(orgId))) as HeadFact | undefined) ?? NO_PACKS
}

async function validAt(facts: Table, orgId: string, packSeq: number): Promise<number> {
  return ((await facts.get(levelKey(orgId, packSeq))) as LevelFact | undefined)?.valid ?? 0
}

async function mustGet(facts: Table, key: string): Promise<JsonObject> {
  const fact = await facts.get(key)
  if (fact === undefined) throw new Error(`${key} is not among the facts`)
  return fact
}

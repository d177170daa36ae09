import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LogReader, SharedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { HashedPack, OrganisationRoot, PackEffect, PackHead, PackState } from '../trust/pack-chain.ts'
import { NO_PACKS, effectOfValid, effectOfWaiting, headAfter, judgePack, rootState } from '../trust/pack-chain.ts'
import type { FirstFact, HeadFact, LevelFact, PackFact, WaitingFact } from './pack-facts.ts'
import {
  decodeState,
  encodeState,
  firstWaitingKey,
  headKey,
  levelKey,
  packKey,
  stateKey,
  waitingKey
} from './pack-facts.ts'
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
  /** Whether a valid pack has another time now, because an event with a smaller id carries it. */
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
 * other.
 */
export async function foldPack(record: SharedRecord, context: FoldContext): Promise<FoldedPack | null> {
  const reading = packOf(record.event)
  if (!reading.ok) return null
  const { pack } = reading
  if (!isOwnPack(record.event, pack.orgId, context.policy)) return null
  const { facts } = context
  const { id, envelope } = record.event
  const hash = packHash(envelope.body)
  const known = (await facts.get(packKey(pack.orgId, hash))) as PackFact | undefined
  if (known === undefined) return await new PackFold(pack.orgId, context).take(record, { hash, pack })
  const earlier = id < known.eventId
  if (earlier) facts.put(packKey(pack.orgId, hash), { ...known, eventId: id, ts: envelope.ts })
  const head = await readHead(facts, pack.orgId)
  const timeChanged = earlier && known.verdict === 'valid'
  return { orgId: pack.orgId, hash, pack, head, headMoved: false, timeChanged, bound: [], touched: [] }
}

/** What a pack among the facts counts for as things stand; `null` if it counts. */
export async function effectOfPack(facts: Table, orgId: string, hash: string): Promise<PackEffect | null> {
  const { verdict, packSeq } = (await mustGet(facts, packKey(orgId, hash))) as PackFact
  if (verdict === 'valid') return effectOfValid(await readHead(facts, orgId), packSeq)
  return verdict === 'waiting' ? effectOfWaiting(await validAt(facts, orgId, packSeq - 1)) : verdict
}

/** The time of a pack among the facts. */
export async function tsOfPack(facts: Table, orgId: string, hash: string): Promise<number> {
  return ((await mustGet(facts, packKey(orgId, hash))) as PackFact).ts
}

/** The keys after a valid pack among the facts. */
export async function stateOfPack(facts: Table, orgId: string, hash: string): Promise<PackState> {
  return decodeState(await mustGet(facts, stateKey(orgId, hash)))
}

/** One fold of a pack that is new, with those that it releases. */
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

  async take({ record: { logSeq }, event }: SharedRecord, { hash, pack }: HashedPack): Promise<FoldedPack> {
    const before = await readHead(this.#facts, this.#orgId)
    this.#head = before
    const fact = { packSeq: pack.packSeq, eventId: event.id, ts: event.envelope.ts }
    const state = await this.#stateBefore(pack)
    if (state === undefined) {
      await this.#wait({ hash, pack }, logSeq)
      this.#facts.put(packKey(this.#orgId, hash), { ...fact, verdict: 'waiting' } satisfies PackFact)
    } else {
      await this.#judge(state, { hash, pack }, fact)
      await this.#judgeReleased()
      await this.#touchForked(before)
    }
    const headMoved = this.#head !== before
    if (headMoved) this.#facts.put(headKey(this.#orgId), { ...this.#head })
    const [orgId, head, bound, touched] = [this.#orgId, this.#head, this.#bound, this.#touched]
    return { orgId, hash, pack, head, headMoved, timeChanged: false, bound, touched }
  }

  async #judgeReleased(): Promise<void> {
    for (let next = this.#released.pop(); next !== undefined; next = this.#released.pop()) {
      await this.#readAndJudge(next)
    }
  }

  async #readAndJudge({ hash, logSeq }: { readonly hash: string; readonly logSeq: number }): Promise<void> {
    const record = await this.#log.read(logSeq)
    const logged = record === undefined ? undefined : parseRecord(record)
    const reading = logged?.scope === 'shared' ? packOf(logged.event) : undefined
    if (reading?.ok !== true) throw new Error(`position ${logSeq} does not hold pack ${hash}`)
    const state = await this.#stateBefore(reading.pack)
    if (state === undefined) throw new Error(`pack ${hash} was released before its predecessor was valid`)
    const fact = (await mustGet(this.#facts, packKey(this.#orgId, hash))) as PackFact
    await this.#judge(state, { hash, pack: reading.pack }, fact)
  }

  async #judge(before: PackState, hashed: HashedPack, fact: Omit<PackFact, 'verdict'>): Promise<void> {
    const judged = judgePack(this.#root, before, hashed)
    const { packSeq, eventId, ts } = fact
    const verdict = judged.ok ? 'valid' : judged.effect
    this.#facts.put(packKey(this.#orgId, hashed.hash), { packSeq, verdict, eventId, ts } satisfies PackFact)
    if (judged.ok) await this.#accept(judged.state, hashed)
  }

  async #accept(state: PackState, hashed: HashedPack): Promise<void> {
    const { hash, pack } = hashed
    const others = await validAt(this.#facts, this.#orgId, pack.packSeq)
    this.#facts.put(levelKey(this.#orgId, pack.packSeq), { valid: others + 1 } satisfies LevelFact)
    this.#facts.put(stateKey(this.#orgId, hash), encodeState(state))
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
      const fact = await this.#facts.get(stateKey(this.#orgId, prevPack))
      if (fact === undefined) return undefined
      this.#state = decodeState(fact)
    }
    return this.#state.packSeq === packSeq - 1 ? this.#state : undefined
  }
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

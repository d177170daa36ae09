import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { EventLog } from '../log/event-log.ts'
import { parseRecord } from '../log/log-reader.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { PackState } from '../trust/pack-chain.ts'
import { rootState } from '../trust/pack-chain.ts'
import type { ProjectionEngine } from './engine.ts'
import type { CopyFact, PackFact, WaitingFact } from './pack-facts.ts'
import { copyKey, packKey, waitingKey } from './pack-facts.ts'
import { readState } from './pack-states.ts'
import { organisationRoot, packOf } from './packs.ts'

/** One of an organisation's packs as this node knows it. */
export interface KnownPack {
  readonly hash: string
  readonly packSeq: number
  /** What the one judgement on it said (`PackFact`). */
  readonly verdict: PackFact['verdict']
}

/** A pack in an event that carries it. */
export interface CarriedPack {
  readonly event: VerifiedEvent
  readonly pack: AnchorPack
}

/** The packs of the organisation at a number, by hash: several where its packs are forked, or some are not valid. */
export async function packsAt(engine: ProjectionEngine, orgId: string, packSeq: number): Promise<KnownPack[]> {
  const found: KnownPack[] = []
  const prefix = packKey(orgId, '')
  for await (const [key, fact] of facts(engine, prefix)) {
    const known = fact as unknown as PackFact
    if (known.packSeq === packSeq) found.push({ hash: key.slice(prefix.length), packSeq, verdict: known.verdict })
  }
  return found
}

/** Whether this node knows the pack, valid or not, at this number. */
export async function knowsPack(
  engine: ProjectionEngine,
  orgId: string,
  { packSeq, hash }: { readonly packSeq: number; readonly hash: string }
): Promise<boolean> {
  const fact = (await factOf(engine, packKey(orgId, hash))) as PackFact | undefined
  return fact?.packSeq === packSeq
}

/**
 * The pack in the event that speaks for it; of one that is not valid, in one that came with it. `undefined` where no
 * such event is remembered: of packs that were refused, only that they were.
 */
export async function carriedPack(
  { engine, log }: { readonly engine: ProjectionEngine; readonly log: EventLog },
  orgId: string,
  hash: string
): Promise<CarriedPack | undefined> {
  const fact = (await factOf(engine, packKey(orgId, hash))) as PackFact | undefined
  if (fact === undefined) return undefined
  const logSeq = await positionOf({ engine, log }, orgId, hash, fact)
  const record = logSeq === undefined ? undefined : await log.read(logSeq)
  const logged = record === undefined ? undefined : parseRecord(record)
  if (logged?.scope !== 'shared') return undefined
  const reading = packOf(logged.event)
  return reading.ok && packHash(reading.pack) === hash ? { event: logged.event, pack: reading.pack } : undefined
}

/** The organisation's keys after a valid pack; before the first one where `hash` is `null`. */
export async function packStateOf(
  engine: ProjectionEngine,
  orgId: string,
  hash: string | null,
  policy: PolicyView
): Promise<PackState | undefined> {
  if (hash === null) return rootState(organisationRoot(orgId, policy))
  return await readState((key) => factOf(engine, key), orgId, hash)
}

async function positionOf(
  { engine, log }: { readonly engine: ProjectionEngine; readonly log: EventLog },
  orgId: string,
  hash: string,
  { spokesman, lastCopy }: PackFact
): Promise<number | undefined> {
  if (spokesman !== null) return (await log.find(spokesman.eventId))?.logSeq
  const waiting = (await factOf(engine, waitingKey(orgId, hash))) as WaitingFact | undefined
  if (waiting !== undefined) return waiting.logSeq
  if (lastCopy === null) return undefined
  return ((await factOf(engine, copyKey(orgId, lastCopy))) as CopyFact | undefined)?.logSeq
}

async function factOf(engine: ProjectionEngine, key: string): Promise<JsonObject | undefined> {
  for await (const [found, fact] of facts(engine, key)) return found === key ? fact : undefined
  return undefined
}

function facts(engine: ProjectionEngine, prefix: string): AsyncGenerator<[string, JsonObject]> {
  return engine.instance('trust-anchors').factsWithPrefix(prefix)
}

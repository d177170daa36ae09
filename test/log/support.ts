import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { decodeEvent, encodeEvent } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { localEvent } from '../../src/events/local.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { fromOwnLog } from '../../src/events/verified.ts'
import type { CheckpointKeeper } from '../../src/log/checkpoint-file.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import type { AppendEntry, EventLog } from '../../src/log/event-log.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { LoggedRecord } from '../../src/log/log-reader.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { Store } from '../../src/log/store.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'

/** A log with what it stands on. */
export interface TestLog {
  readonly log: EventLog
  readonly store: Store
  readonly checkpoint: CheckpointKeeper
  readonly clock: HandClock
  readonly lines: LogLine[]
}

/** Opens a log, in memory unless a store is given. */
export async function openTestLog(
  options: { store?: Store; checkpoint?: CheckpointKeeper; clock?: HandClock } = {}
): Promise<TestLog> {
  const lines: LogLine[] = []
  const parts = {
    store: options.store ?? (await openMemoryStore()),
    checkpoint: options.checkpoint ?? memoryCheckpoint(),
    clock: options.clock ?? createHandClock()
  }
  const log = await openLog({ ...parts, logger: recordingLogger(lines), random: seededRandom('log') })
  return { ...parts, log, lines }
}

const authors = new Map<string, { readonly did: string; readonly kid: string }>()

function authorOf(name: string): { readonly did: string; readonly kid: string } {
  const known = authors.get(name)
  if (known !== undefined) return known
  const { signer } = member(name)
  authors.set(name, signer)
  return signer
}

export interface EventPlan {
  readonly author?: string
  readonly namespace?: string
  readonly before?: VerifiedEvent | null
  readonly body?: JsonObject
}

/** An event as the log is given it: the log does not look at signatures, so this one has none that is good. */
export function unsignedEvent({
  author = 'ada',
  namespace = NAMESPACE,
  before = null,
  body = {}
}: EventPlan): VerifiedEvent {
  const { did, kid } = authorOf(author)
  const envelope: Envelope = {
    v: 1,
    type: 'announce',
    namespace,
    signer: did,
    kid,
    authorSeq: (before?.envelope.authorSeq ?? 0) + 1,
    prev: before?.id ?? null,
    ts: (before?.envelope.ts ?? 1_700_000_000_000) + 1,
    body
  }
  const decoded = decodeEvent(encodeEvent(envelope, [{ kid, signature: new Uint8Array(64) }]))
  if (!decoded.ok) throw new Error(decoded.detail)
  return fromOwnLog(decoded.event)
}

/** A chain of so many events. */
export function unsignedChain(length: number, plan: EventPlan = {}): VerifiedEvent[] {
  const events: VerifiedEvent[] = []
  for (let index = 0; index < length; index += 1) {
    events.push(unsignedEvent({ ...plan, before: events.at(-1) ?? plan.before ?? null, body: { ...plan.body, index } }))
  }
  return events
}

export function shared(event: VerifiedEvent): AppendEntry {
  return { scope: 'shared', event }
}

export function local(body: JsonObject, type: 'policy' | 'batch-sealed' = 'batch-sealed'): AppendEntry {
  return { scope: 'local', event: localEvent(type, 1_700_000_000_000, body) }
}

/** Appends each event by itself, all at the same moment. */
export async function appendAll(log: EventLog, events: readonly VerifiedEvent[]): Promise<LoggedRecord[]> {
  const appended = await Promise.all(events.map((event) => log.append([shared(event)])))
  return appended.flat()
}

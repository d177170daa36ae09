import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { localEvent } from '../events/local.ts'
import type { AppendEntry, EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { OneAtATime } from '../platform/one-at-a-time.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { isPack } from '../projections/packs.ts'
import type { BoundKeyFact, KeyBinding } from '../projections/trust-anchors.ts'
import { BOUND_KEYS_PREFIX, UNLOGGED_KEYS_PREFIX } from '../projections/trust-anchors.ts'
import type { Keyring } from '../trust/keyring.ts'
import type { IngestDoor } from './door.ts'

// One synced batch for the keys of a pack, which has at most as many.
const KEYS_LOGGED_AT_ONCE = 256
// A disk that is full does not become free faster than this.
const RETRY_AFTER_MS = 1_000

/** What keeping the keyring up with the log works with. */
export interface BoundKeysPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly keyring: Keyring
  readonly door: IngestDoor
  readonly clock: Clock
  readonly logger: Logger
}

/** Takes into the keyring every key that the log names as bound. Returns whether anything was new. */
export async function loadBoundKeys(engine: ProjectionEngine, keyring: Keyring): Promise<boolean> {
  let added = false
  for await (const [, fact] of engine.instance('trust-anchors').factsWithPrefix(BOUND_KEYS_PREFIX)) {
    const { holder, kid, publicKey, logged } = fact as BoundKeyFact
    if (logged && keyring.bind(holder, kid, publicKey)) added = true
  }
  return added
}

/**
 * Keeps the keyring up with the log: what a pack or a policy bound is taken in once it is folded, and what waited for
 * it is looked at once more. A key of a pack is logged first, because whether the pack still counts is for the policy
 * of later days to say, and what was admitted under the key must be admitted then as well. Returns the way to stop
 * it.
 */
export async function followBoundKeys(ports: BoundKeysPorts): Promise<() => void> {
  return await new BoundKeysFollower(ports).start()
}

class BoundKeysFollower {
  readonly #ports: BoundKeysPorts
  /** The last record that may have bound a key that was not looked for yet; 0 when there is none. */
  #due: number
  /** The last one of them that was a policy: then all that is bound is read, else only what the log does not name. */
  #policyDue = 0
  /** Where the fold stood when it was looked at last: if it halted there, there is nothing new until it moves. */
  #lookedAt = ''
  /** What was logged here, until the fold knows it. */
  readonly #logged = new Set<string>()
  /** Or two could log the same keys. */
  readonly #look = new OneAtATime(
    () => this.#takeIn(),
    (error) => this.#lookLater(error)
  )
  #stopped = false
  #cancelRetry: (() => void) | null = null

  constructor(ports: BoundKeysPorts) {
    this.#ports = ports
    // The last run may have ended before it logged what it found.
    this.#due = ports.log.head.logSeq
  }

  /** Resolves when what the last run left is logged, or could not be just now: then it is tried again. */
  async start(): Promise<() => void> {
    const stopLog = this.#ports.log.onAppended((records) => this.#note(records))
    const stopEngine = this.#ports.engine.onAdvanced(() => void this.#look.run())
    await this.#look.run()
    return () => {
      this.#stopped = true
      this.#cancelRetry?.()
      stopLog()
      stopEngine()
    }
  }

  #note(records: readonly LoggedRecord[]): void {
    let added = false
    for (const record of records) {
      if (record.scope === 'local' && record.event.type === 'key-bound') added = this.#take(record.event.body) || added
      const isPolicy = record.scope === 'local' && record.event.type === 'policy'
      if (isPolicy) this.#policyDue = record.record.logSeq
      if (isPolicy || isPack(record)) this.#due = record.record.logSeq
    }
    if (added) this.#keysBound()
  }

  /** From the log, because a write that seemed to fail may have bound it all the same. */
  #take(body: JsonObject): boolean {
    const { holder, kid, publicKey } = body as KeyBinding
    return this.#ports.keyring.bind(holder, kid, publicKey)
  }

  #keysBound(): void {
    this.#ports.door.keysBound().catch((error: unknown) => {
      this.#ports.logger.error({ reason: messageOf(error) }, 'events that waited for a key could not be judged')
    })
  }

  #lookLater(error: unknown): void {
    // A log that was closed meanwhile takes nothing more; the next start looks again.
    if (this.#stopped) return
    const { clock, logger } = this.#ports
    logger.error({ reason: messageOf(error) }, 'the keyring could not be brought up to date; it is tried again')
    this.#cancelRetry ??= clock.after(RETRY_AFTER_MS, () => {
      this.#cancelRetry = null
      void this.#look.run()
    })
  }

  async #takeIn(): Promise<void> {
    const { engine, keyring, door } = this.#ports
    const { state, halted } = engine.instance('trust-anchors')
    if (this.#stopped || this.#due === 0) return
    // A fold that halted may have bound keys before it did; those behind it are bound once it is folded anew.
    if (state.cursor < this.#due && halted === null) return
    const place = `${state.generation} ${state.cursor}`
    if (place === this.#lookedAt) return
    const configured = this.#policyDue > 0 && (await loadBoundKeys(engine, keyring))
    await this.#logUnlogged()
    this.#lookedAt = place
    if (state.cursor >= this.#policyDue) this.#policyDue = 0
    if (state.cursor >= this.#due) this.#due = 0
    if (configured) await door.keysBound()
  }

  /** Only what is durable counts: a key that was used and then forgotten would shut out what follows on its chain. */
  async #logUnlogged(): Promise<void> {
    const listed = new Set<string>()
    let unlogged = new Map<string, KeyBinding>()
    const instance = this.#ports.engine.instance('trust-anchors')
    for await (const [key, fact] of instance.factsWithPrefix(UNLOGGED_KEYS_PREFIX)) {
      listed.add(key)
      if (!this.#logged.has(key)) unlogged.set(key, fact as KeyBinding)
      if (unlogged.size < KEYS_LOGGED_AT_ONCE) continue
      await this.#append(unlogged)
      unlogged = new Map()
    }
    await this.#append(unlogged)
    for (const key of this.#logged) if (!listed.has(key)) this.#logged.delete(key)
  }

  async #append(unlogged: ReadonlyMap<string, KeyBinding>): Promise<void> {
    if (unlogged.size === 0 || this.#stopped) return
    const { log, clock } = this.#ports
    const ts = clock.now()
    const events = [...unlogged.values()].map((body) => localEvent('key-bound', ts, body))
    await log.append(events.map((event): AppendEntry => ({ scope: 'local', event })))
    for (const key of unlogged.keys()) this.#logged.add(key)
  }
}

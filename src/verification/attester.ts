import { ATTESTATION_TYPE } from '../../protocols/event/v1/attestation.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AuthoredEvent, Author } from '../authoring/author.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { attestationEffect } from '../policy/effect-rules.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { dueAttestation, dueAttestations } from '../projections/due-attestations.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { viewRows } from '../projections/rows-view.ts'

const PROJECTION = 'attestations'

// What is due stands in the projection, by owner. Of one owner this much comes in a turn, some 16 KiB: who announces
// without end holds up the evidence of others by no more.
const OWNER_DUE = 16
// Peers that have caught up to sign again, a disk that is freed, a clock that passes the last attestation: not sooner.
const RETRY_MS = 30_000
// Somebody who announces much evidence makes this node attest as much. By default others take 600 events a minute of
// one signer; half of them stay for what it announces itself.
const PER_MINUTE_DEFAULT = 300

export interface AttesterPorts {
  readonly author: Author
  /** Hands an event of this node, which is in its log, to the mesh. Does not throw. */
  readonly publish: (authored: AuthoredEvent) => Promise<unknown>
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly logger: Logger
  /** Most attestations in a minute; default 300. */
  readonly perMinute?: number
}

/**
 * Publishes what this node has to attest, where the quorum of a namespace names it: that it verified a timestamp anchor,
 * that it found one invalid, that one which it attested does not hold any more. What is due is a fact of the projection
 * `attestations`, so a restart goes on where the node stopped, and nothing is said twice.
 */
export class Attester {
  readonly #ports: AttesterPorts
  readonly #stop = new AbortController()
  #running: Promise<void> | null = null
  #stopFollowing: () => void = () => {}
  /** Whether projections moved since the last pass began. */
  #hasNews = false
  #wake: () => void = () => {}
  /** Namespaces and own keys of which the operator was told that they don't go together: as many as are configured. */
  readonly #unheard = new Set<string>()
  #window = { sinceMs: 0, published: 0 }

  constructor(ports: AttesterPorts) {
    this.#ports = ports
  }

  start(): void {
    if (this.#running !== null) return
    this.#stopFollowing = this.#ports.engine.onAdvanced(() => {
      this.#hasNews = true
      this.#wake()
    })
    this.#running = this.#run()
  }

  /** Another policy is in force: what it asks of this node is looked for anew. */
  policyChanged(): void {
    this.#hasNews = true
    this.#wake()
  }

  /** Waits for the event in hand; nothing is signed after it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#stopFollowing()
    this.#wake()
    await this.#running
  }

  get #ended(): boolean {
    return this.#stop.signal.aborted || this.#ports.engine.closed
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      this.#hasNews = false
      const isDone = await this.#attestAll()
      if (!isDone) await this.#sleep(RETRY_MS)
      else if (!this.#hasNews && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Returns whether nothing is left that has to be tried again. */
  async #attestAll(): Promise<boolean> {
    const policy = this.#ports.policy()
    const { did } = policy.self
    let isDone = true
    for (const namespace of policy.namespaces) {
      const isAsked = policy.settings(namespace)?.quorum?.of.includes(did) ?? false
      // With another pack, or another key, there is news; until then it would be refused.
      if (!isAsked || !policy.isMember(namespace, did) || this.#ports.author.isCutOff) continue
      if (!this.#isHeard(namespace, policy)) continue
      try {
        isDone = (await this.#attestIn(namespace)) && isDone
      } catch (error) {
        isDone = false
        if (!this.#ended)
          this.#ports.logger.warn(
            { namespace, reason: messageOf(error) },
            'what was verified here could not be attested; it is tried again'
          )
      }
    }
    return isDone
  }

  /** Whether an attestation of this node would have effect; the operator is told once why not. */
  #isHeard(namespace: string, policy: PolicyView): boolean {
    const { author, logger } = this.#ports
    const { kid } = author.signer
    const effect = attestationEffect({ namespace, signer: policy.self.did, kid }, policy)
    const name = `${namespace} ${kid}`
    if (effect === null) this.#unheard.delete(name)
    else if (!this.#unheard.has(name)) {
      this.#unheard.add(name)
      logger.warn(
        { namespace, kid, code: effect.code, detail: effect.detail },
        'nothing is attested: it would not count'
      )
    }
    return effect === null
  }

  async #attestIn(namespace: string): Promise<boolean> {
    // What can't be said yet, of which there is little: what an older kid said under a clock that was ahead.
    const early = new Set<string>()
    for (let owner: string | undefined; ;) {
      const due = await this.#dueAfter(namespace, owner, early)
      if (due === null && owner === undefined) return early.size === 0
      owner = due?.owner
      for (const key of due?.keys ?? []) {
        await this.#keepPace()
        if (this.#ended) return false
        if (!(await this.#attest(namespace, key))) early.add(key)
      }
    }
  }

  /** The first of what is due for the next owner who has some, by their keys. */
  async #dueAfter(
    namespace: string,
    owner: string | undefined,
    early: ReadonlySet<string>
  ): Promise<{ readonly owner: string; readonly keys: readonly string[] } | null> {
    const { engine, store } = this.#ports
    return await viewRows(engine, store, PROJECTION, async (view) => {
      let next: string | null = null
      const keys: string[] = []
      for await (const { key, due } of dueAttestations(view, namespace, owner)) {
        if (early.has(key)) continue
        next ??= due.body['owner'] as string
        if (due.body['owner'] !== next || keys.length === OWNER_DUE) break
        keys.push(key)
      }
      return next === null ? null : { owner: next, keys }
    })
  }

  /** False: it can't be said yet. */
  async #attest(namespace: string, key: string): Promise<boolean> {
    const { author, publish, engine, clock } = this.#ports
    let mustWait = false
    const authored = await author.authorDue(ATTESTATION_TYPE, namespace, async (): Promise<JsonObject | null> => {
      // Now that this node's own chain is whole here: what it said before it lost its store is not said again.
      const due = await this.#stillDue(key)
      if (due === null || due.before === null) return due?.body ?? null
      const { ts, kid } = due.before
      const now = clock.now()
      // By EV-53 the later one counts, whichever kid signed; of one time, the later in the chain.
      mustWait = kid === author.signer.kid ? now < ts : now <= ts
      return mustWait ? null : due.body
    })
    if (mustWait) return false
    if (authored === null) return true
    this.#window.published += 1
    await publish(authored)
    await engine.reached(authored.logSeq, null, PROJECTION)
    return true
  }

  async #stillDue(key: string): ReturnType<typeof dueAttestation> {
    const { engine, store, log } = this.#ports
    await engine.reached(log.head.logSeq, null, PROJECTION)
    return await viewRows(engine, store, PROJECTION, (view) => dueAttestation(view, key))
  }

  async #keepPace(): Promise<void> {
    const { clock, perMinute } = this.#ports
    const elapsedMs = clock.monotonicMs() - this.#window.sinceMs
    if (elapsedMs < 60_000) {
      if (this.#window.published < (perMinute ?? PER_MINUTE_DEFAULT)) return
      await this.#sleep(60_000 - elapsedMs)
    }
    this.#window = { sinceMs: clock.monotonicMs(), published: 0 }
  }

  /** Resolves after the time, or once this stops. */
  async #sleep(delayMs: number): Promise<void> {
    const { signal } = this.#stop
    await untilAborted(this.#ports.clock.sleep(delayMs, signal), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}

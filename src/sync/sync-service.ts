import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { peersToAsk } from '../policy/routing.ts'
import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'
import { fromHex } from '../../protocols/primitives/bytes.ts'
import { MEMBERSHIP_BYTES, SALT_BYTES } from '../../protocols/range-sync/v1/frames.ts'
import type { SessionDoor } from './events-receiver.ts'
import { SESSION_LIMITS } from './limits.ts'
import { LogSyncView } from './log-view.ts'
import { RefusedChains } from './refused-chains.ts'
import type { Course } from './schedule.ts'
import { isPeersFault, NEW_COURSE, nextAfter } from './schedule.ts'
import type { Job } from './job.ts'
import { nameOf } from './job.ts'
import type { Next } from './scheduler.ts'
import { LONG_MS, Scheduler } from './scheduler.ts'
import type { Admission, OpenView, SessionPorts, SessionProgress, SessionReport } from './session.ts'
import { answerSession, initiateSession, notOpened } from './session.ts'
import type { FinishedSession, PeerSyncStatus, SessionEnds } from './session-book.ts'
import { SessionBook, sessionEntry } from './session-book.ts'
import { TipTables } from './tip-tables.ts'

/** The libp2p protocol (SPEC). */
export const RANGE_SYNC_PROTOCOL = '/anchormesh/range-sync/1'

/** Sessions that peers have opened here at the same time, as many as this node opens itself, for each of two sides. */
const ANSWERED_MAX = 8
/** Of one peer: it asks for one namespace at a time, and may ask for the next while the last one ends. */
const ANSWERED_OF_PEER_MAX = 2
/** With those that take long. Each may hold 2 KiB for every chain that is named, so more would be memory. */
const ANSWERED_WITH_LONG_MAX = 16

/** A session that finds both sides equal takes a few milliseconds and a round trip. */
const TAKING_IN_AFTER_MS = 500

/** An answer to the opening of a stream is a round trip; a peer that takes longer is out of reach. */
const OPEN_WITHIN_MS = 10_000

/** What synchronising a node's log works with. */
export interface SyncPorts {
  readonly streams: PeerStreams
  readonly log: EventLog
  readonly store: Store
  readonly door: SessionDoor
  readonly policy: () => PolicyView
  /** Changes whenever keys were bound: what waited for one may be wanted again. */
  readonly keyGeneration: () => number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Time between two sessions with a peer over a namespace that find no difference, in milliseconds. */
  readonly intervalMs: () => number
  /** Called after each session that came to its end. */
  readonly onSession?: (session: FinishedSession) => void
  /** Gets a record of each session that is opened here, and the counts of those that peers open. */
  readonly audit?: CountingTrail
}

interface RunningJob extends Job {
  readonly startedMs: number
  readonly stream: PeerStream
  /** Whether the other side has said anything. */
  isAnswered: boolean
}

/** Keeps this node's log and those of its peers the same: opens sessions, answers them, and says how they went. */
export class SyncService {
  readonly #ports: SyncPorts
  readonly #tables: TipTables
  readonly #scheduler: Scheduler
  readonly #refused: RefusedChains
  readonly #answering = new Set<RunningJob>()
  /** Those that this node has opened and a peer answers. */
  readonly #carrying = new Set<RunningJob>()
  /** The sessions that this node has opened, each behind the one before it with the same peer over the same namespace. */
  readonly #opened = new Map<string, Promise<SessionReport>>()
  readonly #streams = new Set<PeerStream>()
  readonly #book = new SessionBook()
  readonly #stopped = new AbortController()

  constructor(ports: SyncPorts) {
    this.#ports = ports
    this.#tables = new TipTables(ports.log, ports.store)
    this.#refused = new RefusedChains(ports.keyGeneration)
    this.#scheduler = new Scheduler(TRUST_NAMESPACE, {
      clock: ports.clock,
      random: ports.random,
      isAnswering: (namespace) => this.#short(this.#answering).some((job) => job.namespace === namespace),
      run: async (job, course) => await this.#runScheduled(job, course)
    })
  }

  get ends(): SessionEnds {
    return this.#book.ends
  }

  /** A known peer connected. */
  connected(peerId: string): void {
    this.#scheduler.add(peerId, this.#askedOf(peerId))
  }

  /** Its last connection closed. */
  disconnected(peerId: string): void {
    this.#scheduler.remove(peerId)
  }

  /** Tells every peer soon of what came in by neither gossip nor sync. */
  changedHere(): void {
    for (const namespace of this.#ports.policy().namespaces) this.#scheduler.changed(namespace, null)
  }

  /**
   * Another policy is in force: what is shared with each connected peer is synced anew, because what was refused before
   * may be taken now, and sessions over what is not shared any more are broken off.
   */
  policyChanged(): void {
    for (const peerId of this.#ports.streams.connected()) this.#scheduler.share(peerId, this.#sharedWith(peerId))
    for (const { peerId, namespace, stream } of [...this.#answering, ...this.#carrying])
      if (!this.#sharedWith(peerId).includes(namespace)) stream.abort(new Error('the namespace is not shared any more'))
  }

  /** Answers a session that a peer opened; resolves at its end. */
  async serve(stream: PeerStream): Promise<void> {
    const { peerId } = stream
    const jobs: RunningJob[] = []
    let generation = 0
    this.#streams.add(stream)
    const admit = async (namespace: string): Promise<Admission> => {
      const refusal = this.#refusal({ peerId, namespace })
      if (refusal !== null) return refusal
      const job = { peerId, namespace, startedMs: this.#ports.clock.monotonicMs(), stream, isAnswered: true }
      jobs.push(job)
      this.#answering.add(job)
      generation = this.#ports.keyGeneration()
      return { ok: true, opened: await this.#open(namespace), unwanted: this.#refused.of(job) }
    }
    try {
      const report = await answerSession(stream, admit, this.#ports.random.bytes(SALT_BYTES), this.#sessionPorts())
      for (const job of jobs) {
        this.#ended(job, { role: 'responder', generation, report })
        this.#answering.delete(job)
        this.#scheduler.answered(job, job.startedMs, (course) => nextAfter(report, course, this.#ports.intervalMs()))
      }
      if (jobs.length === 0) this.#endedEarly(peerId, report)
    } finally {
      this.#streams.delete(stream)
      for (const job of jobs) this.#answering.delete(job)
    }
  }

  /** PeerIds of the connected peers that may read the namespace, whether routing names them or not. */
  readersOf(namespace: string): readonly string[] {
    return this.#ports.streams.connected().filter((peerId) => this.#sharedWith(peerId).includes(namespace))
  }

  /** Those of them that this node asks, in that order. */
  peersFor(namespace: string): readonly string[] {
    const { random, policy } = this.#ports
    const view = policy()
    const didOf = (peerId: string): string | undefined => view.didOfPeer(peerId)
    return peersToAsk(this.readersOf(namespace), view.routing(namespace), didOf, random)
  }

  /** Runs a session with a connected peer now, behind one that is under way with it over the namespace. */
  async syncNow(job: Job, onProgress: (progress: SessionProgress) => void): Promise<SessionReport> {
    return await this.#initiate(job, onProgress)
  }

  /** Whether a session over the namespace is under way, whoever opened it. */
  isSyncing(namespace: string): boolean {
    const opened = [...this.#opened.keys()].some((name) => name.endsWith(` ${namespace}`))
    return opened || [...this.#answering].some((job) => job.namespace === namespace)
  }

  /** Whether a session has been under way for longer than one that finds nothing takes, and not for long. */
  isTakingIn(): boolean {
    const untilMs = this.#ports.clock.monotonicMs() - TAKING_IN_AFTER_MS
    return this.#short(new Set([...this.#answering, ...this.#carrying])).some(({ startedMs }) => startedMs < untilMs)
  }

  /** One entry for each peer and namespace that is shared with it. */
  status(): readonly PeerSyncStatus[] {
    const policy = this.#ports.policy()
    const jobs = new Map(this.#scheduler.jobs().map((job) => [nameOf(job), job]))
    return policy.policy.peers.flatMap(({ did, peerId }) => {
      if (peerId === undefined || did === policy.self.did) return []
      return this.#sharedWith(peerId).map((namespace) => {
        const job = jobs.get(nameOf({ peerId, namespace }))
        const isRunning = job?.isRunning ?? false
        return { did, namespace, ...this.#book.of({ peerId, namespace }), isRunning, nextAt: job?.dueAt ?? null }
      })
    })
  }

  /** Ends the sessions that are under way and opens no more; resolves when those that this node opened have ended. */
  async stop(): Promise<void> {
    const reason = new Error('the node stops')
    this.#stopped.abort(reason)
    this.#tables.stop()
    for (const stream of this.#streams) stream.abort(reason)
    await this.#scheduler.stop()
    await Promise.allSettled(this.#opened.values())
  }

  /** The namespaces that both may read, the reserved one first. */
  #sharedWith(peerId: string): readonly string[] {
    const policy = this.#ports.policy()
    const did = policy.didOfPeer(peerId)
    return did === undefined ? [] : policy.namespaces.filter((namespace) => policy.isMember(namespace, did))
  }

  /** The namespaces that this node opens sessions with the peer over: all that are shared, but where routing names others. */
  #askedOf(peerId: string): readonly string[] {
    const policy = this.#ports.policy()
    const did = policy.didOfPeer(peerId) ?? ''
    return this.#sharedWith(peerId).filter((namespace) => policy.routing(namespace)?.includes(did) ?? true)
  }

  #refusal({ peerId, namespace }: Job): Admission | null {
    // [REJECT] RS-6.
    if (!this.#sharedWith(peerId).includes(namespace)) {
      return { ok: false, code: 'wrong-namespace', detail: `${namespace} is not carried here, or not for you` }
    }
    const all = [...this.#answering]
    const answering = this.#short(this.#answering)
    const carried = this.#short(this.#carrying).filter(({ isAnswered }) => isAnswered)
    const isBusy =
      this.#stopped.signal.aborted ||
      all.length >= ANSWERED_WITH_LONG_MAX ||
      answering.length >= ANSWERED_MAX ||
      all.filter((other) => other.peerId === peerId).length >= ANSWERED_OF_PEER_MAX ||
      // Two sessions over one namespace would bring the same events.
      [...answering, ...carried].some((other) => other.namespace === namespace) ||
      // Of two that cross each other, that goes on which the node with the smaller DID opened.
      (this.#opened.has(nameOf({ peerId, namespace })) && isBefore(this.#ports.policy(), peerId))
    return isBusy ? { ok: false, code: 'busy', detail: 'as many sessions as this node takes are under way' } : null
  }

  /** Those that don't take long already. */
  #short(running: ReadonlySet<RunningJob>): readonly RunningJob[] {
    const longAgoMs = this.#ports.clock.monotonicMs() - LONG_MS
    return [...running].filter(({ startedMs }) => startedMs > longAgoMs)
  }

  async #open(namespace: string): Promise<OpenView> {
    const { log, store, policy } = this.#ports
    const { tips, logSeq } = await this.#tables.view(namespace)
    const membership = (fromHex(policy().membershipDigest(namespace)) ?? new Uint8Array()).subarray(0, MEMBERSHIP_BYTES)
    return { view: new LogSyncView({ namespace, membership, tips }, log, store), logSeq }
  }

  #sessionPorts(): Pick<SessionPorts, 'door' | 'clock' | 'limits'> {
    const { door, clock } = this.#ports
    return { door, clock, limits: SESSION_LIMITS }
  }

  async #runScheduled(job: Job, course: Course): Promise<Next> {
    try {
      const report = await this.#initiate(job)
      return nextAfter(report, course, this.#ports.intervalMs())
    } catch (error) {
      // A store that can't be read, or a defect: the log says which, and the next session is a while off.
      this.#ports.logger.error({ ...job, reason: messageOf(error) }, 'a sync session could not be run')
      return { course: { ...NEW_COURSE, failures: course.failures + 1 }, delayMs: this.#ports.intervalMs() }
    }
  }

  async #initiate(job: Job, onProgress?: (progress: SessionProgress) => void): Promise<SessionReport> {
    const name = nameOf(job)
    const before = this.#opened.get(name)
    const session = (async () => {
      // How that one ended is its caller's affair.
      await before?.catch(() => undefined)
      return await this.#openSession(job, onProgress)
    })()
    this.#opened.set(name, session)
    try {
      return await session
    } finally {
      if (this.#opened.get(name) === session) this.#opened.delete(name)
    }
  }

  async #openSession(job: Job, onProgress?: (progress: SessionProgress) => void): Promise<SessionReport> {
    const { streams, clock } = this.#ports
    const opening = new AbortController()
    const cancel = clock.after(OPEN_WITHIN_MS, () => opening.abort(new Error('the peer does not answer')))
    const signal = AbortSignal.any([opening.signal, this.#stopped.signal])
    const opened = await streams.open(job.peerId, RANGE_SYNC_PROTOCOL, signal).finally(cancel)
    const generation = this.#ports.keyGeneration()
    const ended = (report: SessionReport, of: Job = job): SessionReport =>
      this.#ended(of, { role: 'initiator', generation, report })
    if (!opened.ok) return ended(notOpened(opened.detail))
    const { stream } = opened
    const running = { ...job, startedMs: clock.monotonicMs(), stream, isAnswered: false }
    // `stop` breaks the streams that it finds; this one has come just after that.
    if (this.#stopped.signal.aborted) {
      stream.abort(new Error('the node stops'))
      return ended(notOpened('the node stops'))
    }
    this.#streams.add(stream)
    this.#carrying.add(running)
    try {
      const view = await this.#open(job.namespace)
      const ports: SessionPorts = {
        ...this.#sessionPorts(),
        onAnswered: () => {
          running.isAnswered = true
        },
        ...(onProgress === undefined ? {} : { onProgress })
      }
      return ended(await initiateSession(stream, view, this.#refused.of(job), ports), running)
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(messageOf(error)))
      throw error
    } finally {
      this.#streams.delete(stream)
      this.#carrying.delete(running)
    }
  }

  /** Whether sessions over the same namespace are under way that don't take long. */
  #othersRun(running: Job): boolean {
    return [...this.#short(this.#answering), ...this.#short(this.#carrying)].some(
      (other) => other !== running && other.namespace === running.namespace
    )
  }

  /** What a peer says before it names a namespace may be wrong as well. */
  #endedEarly(peerId: string, report: SessionReport): void {
    this.#book.noteUnnamed(report)
    if (!isPeersFault(report)) return
    const { end: code } = report
    this.#ports.audit?.count({ action: 'SYNC_SESSION', actor: peerId, subject: 'unnamed', outcome: 'failed', code })
    this.#ports.streams.penalise(peerId)
    this.#ports.logger.warn({ peerId, end: report.end, detail: report.detail }, 'a sync session went wrong')
  }

  /** A peer can open as many sessions as it likes; this node opens one a minute. */
  #audit(session: FinishedSession): void {
    const { audit } = this.#ports
    if (session.role === 'initiator') audit?.record(sessionEntry(session))
    else audit?.count(sessionEntry(session))
  }

  /** Draws the consequences of a session, whoever opened it. */
  #ended(
    running: Job,
    { role, generation, report }: Pick<FinishedSession, 'role' | 'report'> & { readonly generation: number }
  ): SessionReport {
    const { clock, logger, streams, onSession } = this.#ports
    const job = { peerId: running.peerId, namespace: running.namespace }
    const session = { ...job, role, at: clock.now(), othersRun: this.#othersRun(running), report }
    this.#book.note(session)
    this.#audit(session)
    this.#refused.add(job, report.refusedChains, generation)
    if (isPeersFault(report)) {
      streams.penalise(job.peerId)
      // Others may have what this one would not give.
      this.#scheduler.changed(job.namespace, job.peerId)
    } else if (report.received.accepted > 0) this.#scheduler.changed(job.namespace, job.peerId)
    const { end, by, detail, rounds, sent, received } = report
    const fields = { ...job, role, end, by, detail, rounds, sent, received }
    if (isPeersFault(report) || (by === 'peer' && isBlame(end))) logger.warn(fields, 'a sync session went wrong')
    else if (sent + received.accepted > 0) logger.info(fields, 'a sync session moved events')
    else logger.debug(fields, 'a sync session')
    onSession?.(session)
    return report
  }
}

function isBefore(policy: PolicyView, peerId: string): boolean {
  return policy.self.did < (policy.didOfPeer(peerId) ?? '')
}

/** The peer says that this node broke a rule. */
function isBlame(end: SessionReport['end']): boolean {
  return end === 'lied' || end === 'bad-frame' || end === 'too-big'
}

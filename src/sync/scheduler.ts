import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Job } from './job.ts'
import { nameOf } from './job.ts'
import type { Course } from './schedule.ts'
import { NEW_COURSE } from './schedule.ts'

/** Sessions that this node has opened at the same time: each may hold a MiB of frames, and they share the disk. */
export const OPENED_MAX = 4

/** A session that takes longer stands in nobody's way any more, or slow peers would keep the others out. */
export const LONG_MS = 60_000
/** With those that take long. */
const OPENED_WITH_LONG_MAX = 16

/**
 * So long a session waits while peers have theirs over the same namespace, as both would bring the same events. Not
 * longer, or a peer that always has one open would keep this node from asking the others.
 */
const YIELD_MS = 30_000

/** Nodes that connect at the same moment would all begin at once, and with the same peer. */
const CONNECT_JITTER_MS = 250

/** A peer is told of changed tips this soon: what comes in bursts is told together. */
const CHANGED_WITHIN_MS = 100

/** Sessions come between half and one and a half times as late as said, so that they don't fall into step. */
const JITTER_LEAST = 0.5

export interface JobState extends Job {
  readonly course: Course
  /** Wall-clock time (ms) at which the next session is due. */
  readonly dueAt: number
  readonly isRunning: boolean
}

interface Entry extends Job {
  course: Course
  dueAtMs: number
  isRunning: boolean
  startedMs: number
  /** Made due while it ran. */
  isDueAgain: boolean
  /** When it was made due by a change, monotonic. */
  changedMs: number
}

export interface SchedulerPorts {
  readonly clock: Clock
  readonly random: Random
  /** Whether this node is answering a session over the namespace, and not for long already. */
  isAnswering(namespace: string): boolean
  /** Runs a session. */
  run(job: Job, course: Course): Promise<Next>
}

/** How things go with a peer, and when the next session is due, in milliseconds before jitter. */
export interface Next {
  readonly course: Course
  readonly delayMs: number
}

/**
 * Decides which session is opened next: the reserved namespace of a peer before its others, one session with a peer and
 * one over a namespace at a time, and the peer that waited longest first.
 */
export class Scheduler {
  readonly #ports: SchedulerPorts
  readonly #first: string
  /** Grows with the peers that are connected and the namespaces that are shared with them: both are configured. */
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Set<Promise<void>>()
  #cancelTimer: (() => void) | null = null
  #stopped = false

  /** `first`: the namespace that goes before all others of a peer. */
  constructor(first: string, ports: SchedulerPorts) {
    this.#first = first
    this.#ports = ports
  }

  /** A peer connected, with which these namespaces are shared. */
  add(peerId: string, namespaces: readonly string[]): void {
    const dueAtMs = this.#soon(CONNECT_JITTER_MS)
    for (const namespace of namespaces) {
      const key = nameOf({ peerId, namespace })
      const known = this.#entries.get(key)
      if (known === undefined) {
        const idle = { isRunning: false, startedMs: 0, isDueAgain: false, changedMs: 0 }
        this.#entries.set(key, { peerId, namespace, course: NEW_COURSE, dueAtMs, ...idle })
      } else Object.assign(known, { dueAtMs, isDueAgain: known.isRunning })
    }
    this.#arm()
  }

  /** With a connected peer these namespaces are shared from now on, and no others. */
  share(peerId: string, namespaces: readonly string[]): void {
    for (const [key, entry] of this.#entries)
      if (entry.peerId === peerId && !namespaces.includes(entry.namespace)) this.#entries.delete(key)
    this.add(peerId, namespaces)
  }

  /** A peer is gone. */
  remove(peerId: string): void {
    for (const [key, entry] of this.#entries) if (entry.peerId === peerId) this.#entries.delete(key)
  }

  /** Tells all peers, but one where it is given, soon that something changed in the namespace. */
  changed(namespace: string, except: string | null): void {
    const changedMs = this.#ports.clock.monotonicMs()
    for (const entry of this.#entries.values()) {
      if (entry.namespace !== namespace || entry.peerId === except) continue
      entry.changedMs = changedMs
      if (entry.isRunning) entry.isDueAgain = true
      // One that failed is asked again in its time: who is silent would have all others wait after each change.
      else if (entry.course.failures === 0) {
        entry.dueAtMs = Math.min(entry.dueAtMs, this.#soon(CHANGED_WITHIN_MS))
      }
    }
    this.#arm()
  }

  /**
   * A session that the peer opened at `sinceMs` (monotonic) has come to its end: the next one is as late as if this node
   * had opened it, unless something has changed since.
   */
  answered(job: Job, sinceMs: number, next: (course: Course) => Next): void {
    const entry = this.#entries.get(nameOf(job))
    if (entry !== undefined && !entry.isRunning && entry.changedMs < sinceMs) this.#wait(entry, next(entry.course))
    this.#arm()
  }

  /** Every job, for `status`. */
  jobs(): readonly JobState[] {
    const { clock } = this.#ports
    return [...this.#entries.values()].map(({ peerId, namespace, course, dueAtMs, isRunning }) => ({
      peerId,
      namespace,
      course,
      isRunning,
      dueAt: Math.round(clock.now() + dueAtMs - clock.monotonicMs())
    }))
  }

  /** Opens no more sessions; resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer?.()
    await Promise.all(this.#running)
  }

  #soon(withinMs: number): number {
    return this.#ports.clock.monotonicMs() + this.#ports.random.fraction() * withinMs
  }

  /** Runs what is due, as far as the limits allow, and sets the timer for the next. */
  #arm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    if (this.#stopped) return
    const now = this.#ports.clock.monotonicMs()
    for (let entry = this.#next(now); entry !== undefined; entry = this.#next(now)) this.#start(entry)
    const times = [...this.#entries.values()].flatMap(({ isRunning, startedMs, dueAtMs }) =>
      // A session that comes to take long lets others begin.
      isRunning ? [startedMs + LONG_MS] : [dueAtMs, dueAtMs + YIELD_MS]
    )
    const dueAtMs = Math.min(...times.filter((time) => time > now))
    if (dueAtMs === Infinity) return
    this.#cancelTimer = this.#ports.clock.after(Math.max(1, dueAtMs - now), () => this.#arm())
  }

  /** What is due longest among what may run now. */
  #next(now: number): Entry | undefined {
    const running = [...this.#entries.values()].filter(({ isRunning }) => isRunning)
    const short = running.filter(({ startedMs }) => now - startedMs < LONG_MS)
    if (short.length >= OPENED_MAX || running.length >= OPENED_WITH_LONG_MAX) return undefined
    const due = [...this.#entries.values()].filter(
      (entry) =>
        !entry.isRunning &&
        entry.dueAtMs <= now &&
        !running.some(({ peerId }) => peerId === entry.peerId) &&
        !this.#waitsForFirst(entry, now) &&
        (now - entry.dueAtMs >= YIELD_MS || !this.#ports.isAnswering(entry.namespace)) &&
        !short.some(({ namespace }) => namespace === entry.namespace)
    )
    return due.sort((left, right) => left.dueAtMs - right.dueAtMs)[0]
  }

  /** What is signed with a key is of use only once the packs of the reserved namespace have brought the key. */
  #waitsForFirst({ peerId, namespace }: Entry, now: number): boolean {
    const first = this.#entries.get(nameOf({ peerId, namespace: this.#first }))
    return namespace !== this.#first && first !== undefined && !first.isRunning && first.dueAtMs <= now
  }

  #wait(entry: Entry, { course, delayMs }: Next): void {
    entry.course = course
    const jittered = delayMs * (JITTER_LEAST + this.#ports.random.fraction())
    entry.dueAtMs = this.#ports.clock.monotonicMs() + jittered
  }

  #start(entry: Entry): void {
    entry.isRunning = true
    entry.startedMs = this.#ports.clock.monotonicMs()
    entry.isDueAgain = false
    const running = this.#ports
      .run({ peerId: entry.peerId, namespace: entry.namespace }, entry.course)
      .then((next) => {
        this.#wait(entry, next)
        if (entry.isDueAgain && next.course.failures === 0) entry.dueAtMs = this.#soon(CHANGED_WITHIN_MS)
      })
      .finally(() => {
        entry.isRunning = false
        this.#running.delete(running)
        this.#arm()
      })
    this.#running.add(running)
  }
}

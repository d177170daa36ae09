import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { pause } from '../platform/pause.ts'
import type { AnchoringRecord } from '../projections/anchoring-record.ts'
import { RailTally } from '../timestamps/rails.ts'
import type { RailCounts } from '../timestamps/rails.ts'
import { retryDelay } from '../verification/retry-delay.ts'
import { Lines } from './lines.ts'
import type { Stepped, StepPorts, Wait } from './steps.ts'
import { failure, isUnfinished, makeEvidence, verifyEvidence } from './steps.ts'

// Most of a pass is waiting for providers; eight keep several busy.
const PASSES_AT_ONCE = 8
// What was asked for and is not announced: three rails, sealed every ten minutes, while calendars take three weeks.
export const OPEN_JOBS_MAX = 10_000
// Longer delays overflow the timers of the platform; a day later the job is looked at again, and found to be early.
const TIMER_MS_MAX = 86_400_000

// A projection that halted, or a store that can't be read, is not back sooner.
const RESUME_RETRY_MS = 30_000
// What fails for less mends itself: a provider that is restarted, a chain that is slow.
const STALLED_MS = 60 * 60_000

/** How far a batch's evidence on one chain is, for operators. Times are milliseconds since 1970. */
export interface AnchoringResult {
  readonly namespace: string
  readonly batchId: string
  readonly batchRoot: string
  readonly chainId: string
  /** `failed`: too often; an operator has to look, and ask anew. */
  readonly state: 'announced' | 'under-way' | 'failed'
  /** A transaction's hash, or the SHA-256 of a token; null until there is one. */
  readonly evidenceId: string | null
  /** The announce that holds it. */
  readonly eventId: string | null
  readonly code: string | null
  readonly detail: string | null
  /** When it is gone on with; null where that is for an operator to say. */
  readonly lookAgainAt: number | null
  /** The chains that are announced in one event with this one, itself among them. */
  readonly together: readonly string[]
}

export interface AnchoringPorts extends StepPorts {
  readonly random: Random
  /** The DID that this node announces as. */
  readonly self: string
  /** Announces a batch that was sealed here. */
  readonly announce: (request: AnnouncedTogether) => Promise<{ readonly id: string }>
}

interface AnnouncedTogether {
  readonly namespace: string
  readonly batchId: string
  readonly timestampAnchors: readonly JsonObject[]
}

/**
 * What became of evidence since the start, by rail. `announced`: it stands in an announce; `retried`: a step failed, and
 * is taken again; `failed`: too often, so that an operator has to look.
 */
export type AnchoringCounts = RailCounts<AnchoringOutcome>
type AnchoringOutcome = 'announced' | 'retried' | 'failed'

/** The jobs of one batch that are announced in one event. */
export type Group = Pick<AnchoringRecord, 'namespace' | 'batchId' | 'together'>

/** What this process knows of a job beside the log: it may be lost. */
interface Note {
  readonly failures: number
  /** When the first failure of the row came; ms since 1970. `null` where the last step did not fail. */
  readonly failingSince: number | null
  /** Monotonic, ms: a wall clock that is set back puts nothing off. */
  readonly dueMs: number
  readonly wait: Wait
}

/** Jobs that have failed for so long that an operator should know; the oldest is shown. */
export interface StalledJobs {
  readonly count: number
  /** Milliseconds since 1970. */
  readonly since: number
  readonly chainId: string
  readonly why: string
}

/**
 * Brings jobs to their end: makes evidence, has it verified by this node, and announces all of a group in one event once
 * every part of it is whole and final. What fails is tried again; the log is what a restart goes on from. One batch is
 * worked on by one pass at a time.
 */
export class Anchoring {
  readonly #ports: AnchoringPorts
  readonly #stop = new AbortController()
  readonly #lines = new Lines(PASSES_AT_ONCE)
  readonly #notes = new Map<string, Note>()
  /** Passes that wait or run, by group: who asks meanwhile gets the same one. */
  readonly #passes = new Map<string, Promise<void>>()
  readonly #timers = new Map<string, () => void>()
  readonly #outcomes = new RailTally<AnchoringOutcome>({ announced: 0, retried: 0, failed: 0 })
  #started = false
  #resumed: Promise<void> = Promise.resolve()

  constructor(ports: AnchoringPorts) {
    this.#ports = ports
  }

  get counts(): AnchoringCounts {
    return this.#outcomes.counts
  }

  /** From now on jobs are gone on with by themselves, first those that an earlier run has left. */
  start(): void {
    this.#started = true
    this.#resumed = this.#resume()
  }

  /** Goes on with everything now, once the node runs: the settings that it waits for may have come. */
  goOnWithAll(): void {
    if (this.#started) this.#resumed = this.#resumed.then(() => this.#resume(true))
  }

  async stop(): Promise<void> {
    this.#stop.abort(new AnchormeshError('NODE_NOT_RUNNING', 'the node is stopping'))
    await this.#resumed
    for (const cancel of this.#timers.values()) cancel()
    await Promise.all(this.#passes.values())
  }

  /**
   * Writes the jobs that `plan` decides on, given those that there are, while nothing else happens to the batch. Throws
   * `ANCHORINGS_FULL`, and what `plan` throws.
   */
  async plan(
    { namespace, batchId, together }: Group,
    plan: (jobs: readonly (AnchoringRecord | null)[], signal: AbortSignal) => Promise<readonly AnchoringRecord[]>
  ): Promise<void> {
    await this.#lines.inLine(
      lineOf(namespace, batchId),
      async () => {
        const planned = await plan(await this.#jobs({ namespace, batchId, together }), this.#stop.signal)
        if (planned.length === 0) return
        if ((await this.#ports.jobs.open()).length + planned.length > OPEN_JOBS_MAX)
          throw new AnchormeshError('ANCHORINGS_FULL', `${OPEN_JOBS_MAX} batches are being anchored already`, {
            hint: 'anchormesh status shows what keeps them'
          })
        await this.#ports.jobs.write(planned)
      },
      this.#stop.signal
    )
  }

  /** Goes on with a group now, whatever it waits for, and says how far each of its jobs is then. */
  async goOn(group: Group): Promise<readonly AnchoringResult[]> {
    await this.#pass(group, true)
    this.#stop.signal.throwIfAborted()
    const jobs = await this.#jobs(group)
    return jobs.flatMap((job) => (job === null ? [] : [this.resultOf(job)]))
  }

  /**
   * Goes on with the evidence on one chain of a group by itself, and with the others without it: each is announced when
   * it is whole, in two announces. Throws as `plan`.
   */
  async split(group: Group, chainId: string): Promise<readonly Group[]> {
    const parts = [[chainId], group.together.filter((other) => other !== chainId)]
    await this.plan(group, (jobs) =>
      Promise.resolve(
        jobs.flatMap((job) => {
          const together = parts.find((part) => part.includes(job?.chainId ?? ''))
          return job === null || together === undefined || !isOf(group, job) ? [] : [{ ...job, together }]
        })
      )
    )
    const groups = parts.map((together) => ({ ...group, together }))
    for (const part of groups) this.begin(part)
    return groups
  }

  /** Goes on with a group by itself, once the node runs. */
  begin(group: Group): void {
    if (this.#started) void this.#pass(group, false)
  }

  /** What is not announced yet (of a namespace), by group. */
  async openGroups(namespace?: string): Promise<readonly Group[]> {
    const groups = new Map<string, Group>()
    for (const row of await this.#ports.jobs.open(namespace)) groups.set(groupKey(row), row)
    return [...groups.values()].map(({ namespace: of, batchId, together }) => ({ namespace: of, batchId, together }))
  }

  resultOf(job: AnchoringRecord): AnchoringResult {
    const { namespace, batchId, batchRoot, chainId, state, timestampAnchor, eventId, together } = job
    const { clock } = this.#ports
    const isOpen = state !== 'announced' && state !== 'failed'
    const note = isOpen ? this.#notes.get(noteKey(job)) : undefined
    return {
      namespace,
      batchId,
      batchRoot,
      chainId,
      state: isOpen ? 'under-way' : state,
      evidenceId: timestampAnchor === null ? null : evidenceIdOf(timestampAnchor),
      eventId,
      code: note === undefined ? job.code : note.wait.code,
      detail: note?.wait.detail ?? job.detail ?? (isOpen ? waitingFor(job) : null),
      lookAgainAt: note === undefined ? null : Math.round(clock.now() + Math.max(0, note.dueMs - clock.monotonicMs())),
      together
    }
  }

  /** What has failed for an hour or longer, since this node runs; `null` for nothing. */
  stalled(): StalledJobs | null {
    const longAgo = this.#ports.clock.now() - STALLED_MS
    let oldest: { readonly key: string; readonly since: number; readonly wait: Wait } | null = null
    let count = 0
    for (const [key, { failingSince: since, wait }] of this.#notes) {
      if (since === null || since > longAgo) continue
      count += 1
      if (oldest === null || since < oldest.since) oldest = { key, since, wait }
    }
    if (oldest === null) return null
    const { key, since, wait } = oldest
    return { count, since, chainId: key.slice(key.lastIndexOf('!') + 1), why: `${wait.code ?? ''}: ${wait.detail}` }
  }

  /** A projection that halted is no reason for a node not to start. */
  async #resume(all = false): Promise<void> {
    const { clock, logger } = this.#ports
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        for (const group of await untilAborted(this.openGroups(), signal)) void this.#pass(group, all)
        return
      } catch (error) {
        if (signal.aborted) return
        logger.error({ reason: messageOf(error) }, 'what is being anchored can not be read; it is tried again')
        await pause(clock, RESUME_RETRY_MS, signal)
      }
    }
  }

  /** Never rejects: what goes wrong is noted, and tried again. */
  async #pass(group: Group, all: boolean): Promise<void> {
    const key = groupKey(group)
    const running = this.#passes.get(key)
    if (running !== undefined) return await running
    this.#timers.get(key)?.()
    this.#timers.delete(key)
    const pass = this.#lines
      .inLine(lineOf(group.namespace, group.batchId), () => this.#goThrough(group, all), this.#stop.signal)
      .catch((error: unknown) => this.#passFailed(group, error))
      .then((isThere) => {
        this.#passes.delete(key)
        if (isThere) this.#goOnLater(group)
      })
    this.#passes.set(key, pass)
    await pass
  }

  /** False: there is no such group any more. */
  async #goThrough(group: Group, all: boolean): Promise<boolean> {
    const { signal } = this.#stop
    signal.throwIfAborted()
    const nowMs = this.#ports.clock.monotonicMs()
    const isDue = (job: AnchoringRecord): boolean => all || (this.#notes.get(noteKey(job))?.dueMs ?? nowMs) <= nowMs
    const known = (await this.#jobs(group)).flatMap((job) => (job !== null && isOf(group, job) ? [job] : []))
    // It was split meanwhile; its parts have passes of their own.
    if (known.length === 0) return false
    const jobs = await Promise.all(
      known.map(async (job) =>
        isUnfinished(job) && isDue(job) ? await this.#noted(makeEvidence(job, this.#ports, signal)) : job
      )
    )
    // What is left to wait for are jobs that their anchorers have yet to finish…
    for (const job of jobs) if (!isUnfinished(job)) this.#notes.delete(noteKey(job))
    if (!jobs.every(({ state }) => state === 'complete')) return true
    // A crash, or an answer that got lost, may have left the announce in the log already. Then it is made, whatever
    // would be found of its evidence now.
    const eventId = await this.#announcedIn(jobs)
    if (eventId !== null) {
      await this.#finish(jobs, eventId)
      return true
    }
    // …or evidence that has yet to be found final.
    const verified = await Promise.all(jobs.map((job) => verifyEvidence(job, this.#ports, signal)))
    for (const stepped of verified) this.#note(stepped)
    if (verified.every(({ job, wait }) => job.state === 'complete' && wait === null)) await this.#announce(group, jobs)
    return true
  }

  async #announce({ namespace, batchId }: Group, jobs: readonly AnchoringRecord[]): Promise<void> {
    const timestampAnchors = jobs.flatMap(({ timestampAnchor }) =>
      timestampAnchor === null ? [] : [timestampAnchor as unknown as JsonObject]
    )
    const { id } = await this.#ports.announce({ namespace, batchId, timestampAnchors })
    await this.#finish(jobs, id)
  }

  async #finish(jobs: readonly AnchoringRecord[], eventId: string): Promise<void> {
    await this.#ports.jobs.write(jobs.map((job) => ({ ...job, state: 'announced', eventId, code: null, detail: null })))
    for (const job of jobs) {
      this.#notes.delete(noteKey(job))
      this.#outcomes.add(job.chainId, 'announced')
    }
  }

  /** The announce of this node that holds the evidence of all jobs, or `null`. */
  async #announcedIn(jobs: readonly AnchoringRecord[]): Promise<string | null> {
    const rows = await Promise.all(jobs.map((job) => this.#ports.jobs.evidenceRow(job)))
    const [first = null, ...others] = rows.map(
      (row) => row?.announcements.find(({ signer }) => signer === this.#ports.self)?.eventId ?? null
    )
    return first !== null && !others.includes(null) ? first : null
  }

  async #noted(step: Promise<Stepped>): Promise<AnchoringRecord> {
    const stepped = await step
    this.#note(stepped)
    return stepped.job
  }

  #note({ job, wait }: Stepped): void {
    const key = noteKey(job)
    if (job.state === 'failed') this.#outcomes.add(job.chainId, 'failed')
    if (wait === null) {
      this.#notes.delete(key)
      return
    }
    this.#noteWait(job, wait)
  }

  #noteWait(job: Pick<AnchoringRecord, 'namespace' | 'batchId' | 'chainId'>, wait: Wait): void {
    const key = noteKey(job)
    if (wait.failed) this.#outcomes.add(job.chainId, 'retried')
    const { clock, random } = this.#ports
    const before = this.#notes.get(key)
    const failures = wait.failed ? (before?.failures ?? 0) + 1 : 0
    const failingSince = wait.failed ? (before?.failingSince ?? clock.now()) : null
    const dueMs = clock.monotonicMs() + retryDelay(failures, wait.askedMs, random)
    this.#notes.set(key, { failures, failingSince, dueMs, wait })
  }

  /** A store that is full, an own chain that is behind, a role that was taken away, a defect: later again. */
  #passFailed(group: Group, error: unknown): boolean {
    if (this.#stop.signal.aborted) return false
    const { namespace, batchId, together } = group
    this.#ports.logger.warn({ namespace, batchId, reason: messageOf(error) }, 'anchoring a batch is tried again')
    const code = error instanceof AnchormeshError ? error.code : 'INTERNAL'
    const wait = failure(code, messageOf(error))
    for (const chainId of together) this.#noteWait({ namespace, batchId, chainId }, wait)
    return true
  }

  #goOnLater(group: Group): void {
    if (!this.#started || this.#stop.signal.aborted) return
    const key = groupKey(group)
    const { clock } = this.#ports
    // A job that is complete and waits for others has no note, and neither has one that failed for good.
    const due = group.together.flatMap((chainId) => this.#notes.get(noteKey({ ...group, chainId }))?.dueMs ?? [])
    if (due.length === 0) return
    // Whole milliseconds, or the timer may end a moment before anything is due.
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(Math.min(...due) - clock.monotonicMs())))
    this.#timers.set(
      key,
      clock.after(delayMs, () => {
        this.#timers.delete(key)
        void this.#pass(group, false)
      })
    )
  }

  async #jobs({ namespace, batchId, together }: Group): Promise<(AnchoringRecord | null)[]> {
    return await Promise.all(together.map((chainId) => this.#ports.jobs.find(namespace, batchId, chainId)))
  }
}

function waitingFor({ state, together, chainId }: AnchoringRecord): string {
  if (state !== 'complete') return 'is gone on with when the node runs'
  const others = together.filter((other) => other !== chainId).join(', ')
  return others === '' ? 'is whole, and about to be verified here' : `is whole, and announced together with ${others}`
}

/** Whether the job is still announced together with those of the group. */
const isOf = ({ together }: Group, job: AnchoringRecord): boolean => job.together.join(' ') === together.join(' ')

const lineOf = (namespace: string, batchId: string): string => `${namespace}!${batchId}`
const groupKey = ({ namespace, batchId, together }: Group): string =>
  `${lineOf(namespace, batchId)}!${together.join(' ')}`
const noteKey = ({ namespace, batchId, chainId }: Pick<AnchoringRecord, 'namespace' | 'batchId' | 'chainId'>): string =>
  `${lineOf(namespace, batchId)}!${chainId}`

import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { AnchoringRecord } from '../projections/anchoring-record.ts'
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

/** The jobs of one batch that are announced in one event. */
export type Group = Pick<AnchoringRecord, 'namespace' | 'batchId' | 'together'>

/** What this process knows of a job beside the log: it may be lost. */
interface Note {
  readonly failures: number
  readonly dueAt: number
  readonly wait: Wait
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
  #started = false
  #resumed: Promise<void> = Promise.resolve()

  constructor(ports: AnchoringPorts) {
    this.#ports = ports
  }

  /** From now on jobs are gone on with by themselves, first those that an earlier run has left. */
  start(): void {
    this.#started = true
    this.#resumed = this.#resume()
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
    plan: (jobs: readonly (AnchoringRecord | null)[]) => Promise<readonly AnchoringRecord[]>
  ): Promise<void> {
    await this.#lines.inLine(
      lineOf(namespace, batchId),
      async () => {
        const planned = await plan(await this.#jobs({ namespace, batchId, together }))
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
      lookAgainAt: note?.dueAt ?? null,
      together
    }
  }

  /** A projection that halted is no reason for a node not to start. */
  async #resume(): Promise<void> {
    const { clock, logger } = this.#ports
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        for (const group of await untilAborted(this.openGroups(), signal)) void this.#pass(group, false)
        return
      } catch (error) {
        if (signal.aborted) return
        logger.error({ reason: messageOf(error) }, 'what is being anchored can not be read; it is tried again')
        await untilAborted(clock.sleep(RESUME_RETRY_MS, signal), signal).catch(() => undefined)
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
      .then(() => {
        this.#passes.delete(key)
        this.#goOnLater(group)
      })
    this.#passes.set(key, pass)
    await pass
  }

  async #goThrough(group: Group, all: boolean): Promise<void> {
    const { signal } = this.#stop
    signal.throwIfAborted()
    const now = this.#ports.clock.now()
    const isDue = (job: AnchoringRecord): boolean => all || (this.#notes.get(noteKey(job))?.dueAt ?? 0) <= now
    const known = (await this.#jobs(group)).flatMap((job) => job ?? [])
    const jobs = await Promise.all(
      known.map(async (job) =>
        isUnfinished(job) && isDue(job) ? await this.#noted(makeEvidence(job, this.#ports, signal)) : job
      )
    )
    // What is left to wait for are jobs that their anchorers have yet to finish…
    for (const job of jobs) if (!isUnfinished(job)) this.#notes.delete(noteKey(job))
    if (jobs.length === 0 || !jobs.every(({ state }) => state === 'complete')) return
    // …or evidence that has yet to be found final.
    const verified = await Promise.all(jobs.map((job) => verifyEvidence(job, this.#ports, signal)))
    for (const stepped of verified) this.#note(stepped)
    if (verified.every(({ job, wait }) => job.state === 'complete' && wait === null)) await this.#announce(group, jobs)
  }

  /** A crash, or an answer that got lost, may have left the announce in the log already. */
  async #announce({ namespace, batchId }: Group, jobs: readonly AnchoringRecord[]): Promise<void> {
    const { jobs: book, announce } = this.#ports
    const before = await Promise.all(jobs.map((job) => this.#announcedIn(job)))
    const timestampAnchors = jobs.flatMap(({ timestampAnchor }) =>
      timestampAnchor === null ? [] : [timestampAnchor as unknown as JsonObject]
    )
    const [first] = before
    const isDone = first !== undefined && before.every((eventId) => eventId !== undefined)
    const eventId = isDone ? first : (await announce({ namespace, batchId, timestampAnchors })).id
    await book.write(jobs.map((job) => ({ ...job, state: 'announced', eventId, code: null, detail: null })))
    for (const job of jobs) this.#notes.delete(noteKey(job))
  }

  async #announcedIn(job: AnchoringRecord): Promise<string | undefined> {
    const row = await this.#ports.jobs.evidenceRow(job)
    return row?.announcements.find(({ signer }) => signer === this.#ports.self)?.eventId
  }

  async #noted(step: Promise<Stepped>): Promise<AnchoringRecord> {
    const stepped = await step
    this.#note(stepped)
    return stepped.job
  }

  #note({ job, wait }: Stepped): void {
    const key = noteKey(job)
    if (wait === null) {
      this.#notes.delete(key)
      return
    }
    const { clock, random } = this.#ports
    const failures = wait.failed ? (this.#notes.get(key)?.failures ?? 0) + 1 : 0
    this.#notes.set(key, { failures, dueAt: clock.now() + retryDelay(failures, wait.askedMs, random), wait })
  }

  /** A store that is full, an own chain that is behind, a role that was taken away, a defect: later again. */
  #passFailed(group: Group, error: unknown): void {
    if (this.#stop.signal.aborted) return
    const { namespace, batchId, together } = group
    this.#ports.logger.warn({ namespace, batchId, reason: messageOf(error) }, 'anchoring a batch is tried again')
    const code = error instanceof AnchormeshError ? error.code : 'INTERNAL'
    for (const chainId of together) {
      const key = noteKey({ namespace, batchId, chainId })
      const failures = (this.#notes.get(key)?.failures ?? 0) + 1
      const dueAt = this.#ports.clock.now() + retryDelay(failures, 0, this.#ports.random)
      this.#notes.set(key, { failures, dueAt, wait: failure(code, messageOf(error)) })
    }
  }

  #goOnLater(group: Group): void {
    if (!this.#started || this.#stop.signal.aborted) return
    const key = groupKey(group)
    const { clock } = this.#ports
    // A job that is complete and waits for others has no note, and neither has one that failed for good.
    const due = group.together.flatMap((chainId) => this.#notes.get(noteKey({ ...group, chainId }))?.dueAt ?? [])
    if (due.length === 0) return
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.min(...due) - clock.now()))
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

const lineOf = (namespace: string, batchId: string): string => `${namespace}!${batchId}`
const groupKey = ({ namespace, batchId, together }: Group): string =>
  `${lineOf(namespace, batchId)}!${together.join(' ')}`
const noteKey = ({ namespace, batchId, chainId }: Pick<AnchoringRecord, 'namespace' | 'batchId' | 'chainId'>): string =>
  `${lineOf(namespace, batchId)}!${chainId}`

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import type { Logger } from './logger.ts'
import { sharedVerifier } from './shared-verifier.ts'
import { SignatureBatch, jobBytes } from './signature-batch.ts'
import type { SignatureJob, SignatureVerifiers } from './signature-verifiers.ts'
import { verifyJob } from './signature-verifiers.ts'

// A batch is answered as a whole: a larger one would keep its first events waiting, a smaller one costs more messages.
const BATCH_JOBS_MAX = 256
// What a sync frame carries four times over; one job is always let in, and has at most 50 KiB.
const BATCH_BYTES_MAX = 1024 * 1024
// Packed copies of events that are in memory already. What comes beyond is verified in the thread that asks, which
// slows down whoever hands in too much.
const UNDER_WAY_BYTES_MAX = 16 * 1024 * 1024
// The thread that decodes and writes feeds about three others; more would only take 10 MiB each.
const THREADS_MAX = 8
// Starting threads takes some 200 ms; a sync that goes on comes back much sooner than this.
const IDLE_MS = 30_000
// Where a thread ends before it was ready, the next would most likely do so, too.
const RETRY_AFTER_MS = 60_000

export interface SignatureThreadsDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** How many threads; by default as many as there are cores for this process. */
  readonly threads?: number
  /** Starts a thread; tests bring their own. */
  readonly start?: () => Worker
}

interface UnderWay {
  readonly batch: SignatureBatch
  readonly resolve: (verdicts: readonly boolean[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Verifies on all cores. Threads start when the first group comes and end when none has come for a while; until one
 * is ready, and where none can be had, the calling thread verifies.
 */
export class SignatureThreads implements SignatureVerifiers {
  readonly #deps: SignatureThreadsDeps
  readonly #threads: number
  readonly #workers = new Set<Worker>()
  readonly #ready = new Set<Worker>()
  /** What threads work at, by number. Bounded by `UNDER_WAY_BYTES_MAX`. */
  readonly #underWay = new Map<number, UnderWay>()
  readonly #verifyShared = sharedVerifier()
  #bytes = 0
  #batches = 0
  /** Monotonic time before which no thread is started. */
  #notBefore = -Infinity
  #idle = Promise.withResolvers<void>()
  #cancelEnd: (() => void) | null = null
  #closed = false

  constructor(deps: SignatureThreadsDeps) {
    this.#deps = deps
    this.#threads = Math.min(deps.threads ?? availableParallelism(), THREADS_MAX)
    this.#idle.resolve()
  }

  /** How many threads take part now. */
  get ready(): number {
    return this.#ready.size
  }

  async verify(jobs: readonly SignatureJob[]): Promise<readonly boolean[]> {
    this.start()
    const answers = batchesOf(jobs).map((batch) => this.#verifyBatch(batch))
    return answers.length === 1 && answers[0] !== undefined ? await answers[0] : (await Promise.all(answers)).flat()
  }

  /** Starts the threads that are missing. `verify` does so by itself; a group after this may find them ready. */
  start(): void {
    const { clock } = this.#deps
    while (!this.#closed && this.#workers.size < this.#threads && clock.monotonicMs() >= this.#notBefore)
      this.#startOne()
    this.#cancelEnd?.()
    this.#cancelEnd = null
    this.#endWhenIdle()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelEnd?.()
    this.#cancelEnd = null
    await this.#idle.promise
    await this.#end()
  }

  async #verifyBatch(jobs: readonly SignatureJob[]): Promise<readonly boolean[]> {
    const bytes = jobs.reduce((sum, job) => sum + jobBytes(job), 0)
    if (this.#closed || this.#ready.size === 0 || this.#bytes + bytes > UNDER_WAY_BYTES_MAX) return jobs.map(verifyJob)
    const { promise, resolve, reject } = Promise.withResolvers<readonly boolean[]>()
    const batch = SignatureBatch.pack(jobs)
    this.#batches += 1
    const number = this.#batches
    this.#begin(number, { batch, resolve, reject }, bytes)
    for (const worker of this.#ready) worker.postMessage({ number, shared: batch.shared })
    try {
      return await promise
    } finally {
      this.#bytes -= bytes
    }
  }

  #begin(number: number, underWay: UnderWay, bytes: number): void {
    if (this.#underWay.size === 0) {
      this.#idle = Promise.withResolvers()
      this.#cancelEnd?.()
      this.#cancelEnd = null
      // Somebody waits for an answer: the process may not end before it.
      for (const worker of this.#workers) worker.ref()
    }
    this.#underWay.set(number, underWay)
    this.#bytes += bytes
  }

  #done(number: number): void {
    const underWay = this.#underWay.get(number)
    if (underWay === undefined) return
    this.#underWay.delete(number)
    underWay.resolve(underWay.batch.verdicts())
    if (this.#underWay.size > 0) return
    for (const worker of this.#workers) worker.unref()
    this.#idle.resolve()
    this.#endWhenIdle()
  }

  #startOne(): void {
    let worker: Worker
    try {
      worker = (this.#deps.start ?? startThread)()
    } catch (error) {
      this.#noThread(messageOf(error))
      return
    }
    this.#workers.add(worker)
    worker.on('message', (message: 'ready' | number) => {
      if (message !== 'ready') this.#done(message)
      else if (this.#workers.has(worker)) this.#ready.add(worker)
    })
    let reason = 'it was ended from outside'
    worker.on('error', (error) => {
      reason = messageOf(error)
    })
    worker.on('exit', () => this.#exited(worker, reason))
    worker.unref()
  }

  #noThread(reason: string): void {
    this.#notBefore = this.#deps.clock.monotonicMs() + RETRY_AFTER_MS
    this.#deps.logger.warn({ reason }, 'a thread that verifies signatures can not be had; the main thread verifies')
  }

  /** Nobody who waits may notice: what the thread took is done here, and the next group starts another. */
  #exited(worker: Worker, reason: string): void {
    // One that was ended here is not missed.
    if (!this.#workers.delete(worker)) return
    if (!this.#ready.delete(worker)) {
      this.#noThread(reason)
      return
    }
    this.#deps.logger.warn(
      { reason, batches: this.#underWay.size },
      'a thread that verifies signatures has ended; the main thread does what it had taken'
    )
    for (const [number, { batch, reject }] of this.#underWay) {
      try {
        batch.finish(this.#verifyShared)
      } catch (error) {
        reject(error)
      }
      this.#done(number)
    }
  }

  #endWhenIdle(): void {
    if (this.#closed || this.#underWay.size > 0) return
    this.#cancelEnd ??= this.#deps.clock.after(IDLE_MS, () => {
      this.#cancelEnd = null
      this.#end().catch((error: unknown) => {
        this.#deps.logger.warn({ reason: messageOf(error) }, 'a thread that verifies signatures could not be ended')
      })
    })
  }

  async #end(): Promise<void> {
    const workers = [...this.#workers]
    this.#workers.clear()
    this.#ready.clear()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function startThread(): Worker {
  // In the sources and in what is compiled from them the file has the ending that this one has.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new Worker(new URL(`./signature-thread.${ending}`, import.meta.url), { name: 'signatures' })
}

function batchesOf(jobs: readonly SignatureJob[]): (readonly SignatureJob[])[] {
  const batches: SignatureJob[][] = []
  let last: SignatureJob[] = []
  let bytes = 0
  for (const job of jobs) {
    const more = jobBytes(job)
    if (batches.length === 0 || last.length === BATCH_JOBS_MAX || bytes + more > BATCH_BYTES_MAX) {
      last = []
      bytes = 0
      batches.push(last)
    }
    last.push(job)
    bytes += more
  }
  return batches
}

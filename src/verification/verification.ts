import type { PolicyView } from '../policy/policy-view.ts'
import { notCarried } from '../policy/not-carried.ts'
import type { ProviderHealth } from '../timestamps/verifier.ts'
import { RowChecker } from './row-checker.ts'
import type { CheckCounts } from './row-checker.ts'
import type { OnlineQuery, OnlineVerification } from './verify-online.ts'
import { verifyOnline } from './verify-online.ts'
import type { QueueFigures, WorkerPorts, WorkerStatus } from './worker.ts'
import { VerificationWorker } from './worker.ts'

// What fails for less mends itself, or the operator is at it.
const FAILING_MS_MAX = 10 * 60_000
// A warning names this many; more fail for one reason.
const WARNINGS_MAX = 16

export interface VerificationStatus extends WorkerStatus {
  /** Those whom the verifiers ask, in their order. */
  readonly providers: readonly (ProviderHealth & { readonly verifier: string })[]
}

/** What metrics show beside the status. */
export interface VerificationCounts extends QueueFigures {
  readonly checks: CheckCounts
}

/** How this node checks timestamp anchors: in the background, and all of them when it is asked to. */
export class Verification {
  readonly #ports: WorkerPorts
  readonly #stop = new AbortController()
  readonly #checker: RowChecker
  /** Calls off the worker that runs now. */
  #retire = new AbortController()
  #worker: VerificationWorker
  readonly #retired = new Set<Promise<void>>()
  #isStarted = false
  readonly #asked = new Set<Promise<unknown>>()

  constructor(ports: WorkerPorts) {
    this.#ports = ports
    this.#checker = new RowChecker(ports, this.#stop.signal)
    this.#worker = this.#newWorker()
  }

  start(): void {
    this.#isStarted = true
    this.#worker.start()
  }

  /**
   * Another policy is in force, or others verify: all anchors are gone through anew, by those who verify now. What is
   * being checked is found by the rules and the verifiers that it was begun under, and named so.
   */
  settingsChanged(): void {
    const old = this.#worker
    this.#retire.abort()
    const retired = old.stopped().finally(() => this.#retired.delete(retired))
    this.#retired.add(retired)
    this.#retire = new AbortController()
    this.#checker.policyChanged()
    this.#worker = this.#newWorker()
    if (this.#isStarted && !this.#stop.signal.aborted) this.#worker.start()
  }

  #newWorker(): VerificationWorker {
    const signal = AbortSignal.any([this.#stop.signal, this.#retire.signal])
    return new VerificationWorker(this.#ports, this.#checker, signal)
  }

  /** Calls running checks off and waits for them; nothing is logged after it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all([this.#worker.stopped(), ...this.#retired])
    await Promise.allSettled(this.#asked)
  }

  /** See `Operations.verifyOnline`. Throws `NOT_FOUND`. */
  async verifyOnline(
    query: OnlineQuery,
    onProgress: (done: number, total: number) => void
  ): Promise<OnlineVerification> {
    const { engine, store, log, policy } = this.#ports
    await requireKnown(query.namespace, policy(), log)
    const ports = {
      engine,
      store,
      log,
      checker: this.#checker,
      isListed: ({ namespace, chainId }: { namespace: string; chainId: string }): boolean =>
        policy().finality(namespace, chainId) !== undefined
    }
    const asked = verifyOnline(query, ports, onProgress).finally(() => this.#asked.delete(asked))
    this.#asked.add(asked)
    return await asked
  }

  status(): VerificationStatus {
    const providers = this.#ports
      .verifiers()
      .flatMap((verifier) => (verifier.health?.() ?? []).map((health) => ({ verifier: verifier.name, ...health })))
    return { ...this.#worker.status(), providers }
  }

  get counts(): VerificationCounts {
    return { checks: this.#checker.counts, ...this.#worker.figures() }
  }

  /** What the operator should look at. */
  warnings(): readonly string[] {
    const { providers, unconfirmed, unconfirmedSince } = this.status()
    const longAgo = this.#ports.clock.now() - FAILING_MS_MAX
    const failing = providers.flatMap(({ verifier, failure }) =>
      failure === null || failure.since > longAgo
        ? []
        : [`${verifier}: ${failure.detail} (${failure.code}), and nothing else since ${isoTime(failure.since)}`]
    )
    const unseen =
      unconfirmedSince === null || unconfirmedSince > longAgo
        ? []
        : [
            `${unconfirmed} timestamp anchor${unconfirmed === 1 ? '' : 's'} could not be looked at again since ` +
              `${isoTime(unconfirmedSince)}; what was found before stands meanwhile`
          ]
    return [...failing.slice(0, WARNINGS_MAX), ...unseen, ...this.#checker.warnings()]
  }
}

/** One that is carried no more is known as long as the log holds events of it. */
async function requireKnown(namespace: string | undefined, policy: PolicyView, log: WorkerPorts['log']): Promise<void> {
  if (namespace === undefined || policy.carries(namespace) || (await log.count(namespace)) > 0) return
  throw notCarried(namespace, policy.namespaces)
}

const isoTime = (ms: number): string => new Date(ms).toISOString()

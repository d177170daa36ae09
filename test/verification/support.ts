import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { BlobStore } from '../../src/log/blob-store.ts'
import { parseRecord } from '../../src/log/log-reader.ts'
import type { Clock } from '../../src/platform/clock.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { ProjectionUpdate } from '../../src/projections/changes.ts'
import { verdictOf } from '../../src/timestamps/verdict.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../../src/timestamps/verifier.ts'
import { VERIFY_MS_MAX } from '../../src/verification/check.ts'
import type { OnlineQuery, OnlineVerification } from '../../src/verification/verify-online.ts'
import type { VerificationStatus } from '../../src/verification/verification.ts'
import { Verification } from '../../src/verification/verification.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { until } from '../support/until.ts'

export const BTC = {
  chainId: 'btc:mainnet',
  txid: 'b'.repeat(64),
  blockHash: 'a'.repeat(64),
  blockHeight: 7,
  otsProof: { blob: 'c'.repeat(64) }
}
export const EVM = { chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }

/** With `recheckAfterMs` its chain could still be rewritten. */
export const valid = (position: number, provenTime: number, recheckAfterMs?: number): VerifierResult => ({
  outcome: 'valid',
  finality: { depth: 6 },
  provenTime,
  position,
  evidence: { seen: true },
  ...(recheckAfterMs === undefined ? {} : { recheckAfterMs })
})
export const unreachable: VerifierResult = { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 0 }

/** A verifier that does as it is told, chain by chain, and keeps what it was asked. */
export interface ScriptedVerifier extends TimestampVerifier {
  readonly requests: VerifierRequest[]
  /** The answers to come on a chain; the last one stays. */
  script(chainId: string, ...answers: readonly Answer[]): void
}

export type Answer = VerifierResult | ((signal: AbortSignal) => Promise<VerifierResult>)

export function scriptedVerifier(): ScriptedVerifier {
  const scripts = new Map<string, Answer[]>()
  const requests: VerifierRequest[] = []
  return {
    name: 'scripted',
    requests,
    script: (chainId, ...answers) => void scripts.set(chainId, [...answers]),
    handles: (chainId) => scripts.has(chainId),
    async verify(request, signal) {
      requests.push(request)
      const script = scripts.get(request.timestampAnchor.chainId) ?? []
      const answer = script.length > 1 ? script.shift() : script[0]
      if (answer === undefined) throw new Error('nothing is scripted')
      return typeof answer === 'function' ? await answer(signal) : answer
    }
  }
}

/** A worker that was started on a ledger. */
export interface StartedWorker {
  stop(): Promise<void>
  status(): VerificationStatus
  warnings(): readonly string[]
  verifyOnline(query?: OnlineQuery, onProgress?: (done: number, total: number) => void): Promise<OnlineVerification>
  /** After how long what was undecided is looked at again, in the order in which it was found out; milliseconds. */
  readonly retries: readonly number[]
}

/** The same as `openWorker`, started. */
export function startWorker(...parts: Parameters<typeof openWorker>): StartedWorker {
  const worker = openWorker(...parts)
  worker.start()
  return worker
}

/** What checks the anchors of a ledger, in the background once it is started. */
export function openWorker(
  ledger: Ledger,
  verifier: TimestampVerifier | readonly TimestampVerifier[],
  policy: EffectivePolicy,
  logger: Logger = silentLogger,
  blobs: Pick<BlobStore, 'getMany'> = NO_BLOBS
): StartedWorker & { start(): void } {
  const { log, engine, store, clock } = ledger
  const view = viewPolicy(policy)
  const retries: number[] = []
  const after: Clock['after'] = (delayMs, run) => {
    if (delayMs !== VERIFY_MS_MAX) retries.push(delayMs)
    return clock.after(delayMs, run)
  }
  const random = seededRandom('worker')
  const worker = new Verification({
    verifiers: () => ('verify' in verifier ? [verifier] : verifier),
    log,
    engine,
    store,
    blobs,
    policy: () => view,
    clock: { ...clock, after },
    random,
    logger
  })
  return {
    start: () => worker.start(),
    stop: () => worker.stop(),
    status: () => worker.status(),
    warnings: () => worker.warnings(),
    verifyOnline: (query = {}, onProgress = () => {}) => worker.verifyOnline(query, onProgress),
    retries
  }
}

const NO_BLOBS: Pick<BlobStore, 'getMany'> = { getMany: (hashes) => Promise.resolve(hashes.map(() => undefined)) }

/** Waits until the worker has put something off for the `count`-th time, and lets that much time pass. */
export async function passRetry({ clock }: Ledger, { retries }: StartedWorker, count: number): Promise<void> {
  await clock.advance(await until(`something is put off for time ${count}`, () => retries[count - 1]))
}

/** Whatever shows changes of a projection: a ledger or a node. */
interface Followed {
  changes(projection: string): AsyncIterable<ProjectionUpdate>
}

/** The first row, now or later, of which `wanted` holds. */
export async function rowOf(
  followed: Followed,
  projection: string,
  wanted: (row: JsonObject) => boolean
): Promise<JsonObject> {
  for await (const update of followed.changes(projection)) {
    if (update.kind === 'change' && update.row !== null && wanted(update.row)) return update.row
  }
  throw new Error(`${projection} ended without such a row`)
}

export const anchorRow = (followed: Followed, chainId: string, status: string): Promise<JsonObject> =>
  rowOf(followed, 'timestamp-anchors', (row) => row['chainId'] === chainId && row['status'] === status)

/** The verdicts in the log, in order. */
export async function verdicts({ log }: Ledger): Promise<JsonObject[]> {
  const found: JsonObject[] = []
  for await (const record of log.records(0, log.head.logSeq)) {
    const logged = parseRecord(record)
    const verdict = logged.scope === 'local' ? verdictOf(logged.event) : null
    if (verdict !== null) found.push(verdict)
  }
  return found
}

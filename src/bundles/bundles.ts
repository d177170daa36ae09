import type { BundleAnswer } from '../../protocols/bundle/v1/answer.ts'
import { PeerRates } from '../ingest/peer-rates.ts'
import type { RequestGuard } from '../ingest/request-guard.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { CountingTrail } from '../platform/audit.ts'
import { storeWriter } from '../log/store-writer.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { hasNoBatches } from '../policy/not-carried.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { peersToAsk } from '../policy/routing.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { WantedBatch } from '../projections/wanted.ts'
import { wantedBatches, wantedSums } from '../projections/wanted.ts'
import type { Keyring } from '../trust/keyring.ts'
import type { Signer } from '../trust/signer.ts'
import { AttemptBook } from './attempts.ts'
import type { AskFailure, ExchangeWithPeer, ServingPeer } from './client.ts'
import { BundleClient } from './client.ts'
import type { BatchFetch } from './fetch-batch.ts'
import { PageBuilder } from './page-builder.ts'
import type { ForgottenReceipt, QueuedReceipts } from './receipt-keeper.ts'
import { ReceiptKeeper } from './receipt-keeper.ts'
import type { ServedCounts } from './server.ts'
import { BundleServer } from './server.ts'
import { BundleWorker } from './worker.ts'

// Keys of batches that one command goes through, some 25 MiB; the others are fetched in the background.
const BATCHES_FETCHED_MAX = 100_000

/** What receipts need of the mesh. */
export interface BundlePeers {
  /** PeerIds of the peers to which a connection stands. */
  connected(): readonly string[]
  readonly exchange: ExchangeWithPeer
  /** The peer broke the protocol as no honest node does. */
  penalise(peerId: string): void
}

export interface BundlesPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: BlobStore
  readonly queued: QueuedReceipts
  readonly keyring: Keyring
  readonly policy: () => PolicyView
  readonly signer: () => Signer
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The one that requests of all kinds pass. */
  readonly guard: RequestGuard
  /** `null` for a node without a mesh. */
  readonly peers: BundlePeers | null
  /** How much each peer may ask; a table of its own, if absent. */
  readonly peerRates?: PeerRates
  /** Whether the node has more urgent work than fetching receipts; never, if absent. */
  readonly isBusy?: () => boolean
  /** Counts what is given out and what is refused. */
  readonly audit?: CountingTrail
}

/** Receipts that are missing: how many, of how many batches, and for how long the oldest has been (milliseconds). */
export interface MissingReceipts {
  readonly missing: number
  readonly batches: number
  readonly oldestMs: number | null
}

/** The receipts of other organisations, for `status`. */
export interface ReceiptsStatus extends MissingReceipts {
  /** The namespaces whose receipts this node may ask for. */
  readonly namespaces: readonly (MissingReceipts & { readonly namespace: string })[]
  /** Requests that were answered since the start: `page`, and errors by code. */
  readonly served: ServedCounts
}

/** What `bundle fetch` did. */
export interface FetchedBundles {
  readonly namespace: string
  /** Batches of which receipts were missing. */
  readonly batches: number
  /** Receipts that came. */
  readonly held: number
  /** Receipts of those batches that are still missing. */
  readonly missing: number
  /** How often a peer was asked for a batch. */
  readonly asked: number
  /** Why peers did not give what they were asked for, by code. */
  readonly failures: Readonly<Partial<Record<AskFailure, number>>>
}

/** Serving, fetching and forgetting of receipts, as a node has it. */
export class Bundles {
  readonly #ports: BundlesPorts
  readonly #keeper: ReceiptKeeper
  readonly #server: BundleServer
  readonly #worker: BundleWorker
  #ready: Promise<unknown> | null = null

  constructor(ports: BundlesPorts) {
    this.#ports = ports
    const { log, engine, store, blobs, queued, clock, random, policy, peers } = ports
    const write = storeWriter(store, log)
    this.#keeper = new ReceiptKeeper({ log, engine, store, write, blobs, queued, clock })
    const pages = new PageBuilder({ engine, store, blobs, log })
    const peerRates = ports.peerRates ?? new PeerRates(ports)
    this.#server = new BundleServer({ ...ports, pages, peerRates })
    const exchange: ExchangeWithPeer =
      peers?.exchange ?? (() => Promise.resolve({ ok: false, reason: 'unreachable', detail: 'this node has no mesh' }))
    const client = new BundleClient({ ...ports, keeper: this.#keeper, exchange })
    this.#worker = new BundleWorker({
      client,
      engine,
      store,
      random,
      log,
      clock,
      logger: ports.logger,
      attempts: new AttemptBook(store, write),
      servers: (namespace) => this.#servers(namespace),
      penalise: (peerId) => peers?.penalise(peerId),
      isBusy: ports.isBusy ?? (() => false),
      mayRequest: (namespace) => policy().hasRole(namespace, policy().self.did, 'request')
    })
  }

  /** Finishes erasures that a crash interrupted. Call it once, before anything else. */
  async open(): Promise<void> {
    this.#ready ??= this.#keeper.finishErasures().catch((error: unknown) => {
      // What could not be finished now may be the next time that it is asked for.
      this.#ready = null
      throw error
    })
    await this.#ready
  }

  /** Begins to fetch what is missing. */
  start(): void {
    this.#worker.start()
  }

  /** Ends fetching, and waits for what is being written. */
  async stop(): Promise<void> {
    await this.#worker.stop()
    await this.#keeper.idle()
  }

  /** A peer connected. */
  connected(peerId: string): void {
    const did = this.#ports.policy().didOfPeer(peerId)
    if (did === undefined) return
    this.#worker.serverConnected((namespace) => this.#ports.policy().hasRole(namespace, did, 'serve'))
  }

  /** Another policy is in force: what could not be asked for before may be had now, and from others. */
  policyChanged(): void {
    this.#worker.lookAgain()
    for (const peerId of this.#ports.peers?.connected() ?? []) this.connected(peerId)
  }

  /** Answers a request that came over the connection of a peer; `denied` for one that policy binds to no DID. */
  async answer(request: Uint8Array, peerId: string): Promise<BundleAnswer> {
    const did = this.#ports.policy().didOfPeer(peerId)
    if (did === undefined) return { ok: false, code: 'denied', detail: 'this peer is not known' }
    return await this.#server.answer(request, { did, peerId })
  }

  /** Answers a request that came over HTTP: its signature alone says whose it is. */
  async answerClient(request: Uint8Array, address: string): Promise<BundleAnswer> {
    return await this.#server.answer(request, { address })
  }

  /** See `ReceiptKeeper.forget`. */
  async forget(receipt: string, reason: string): Promise<ForgottenReceipt> {
    await this.open()
    return await this.#keeper.forget(receipt, reason)
  }

  /**
   * Fetches now what is missing of a namespace (of one batch). Throws `NOT_FOUND` for a namespace that is not carried,
   * `BATCH_UNKNOWN`, `PUBLISH_REFUSED` (`ROLE_MISSING`) where this node may not ask, and what `fetchBatch` throws.
   */
  async fetch(
    { namespace, batchId }: { readonly namespace: string; readonly batchId?: string },
    onProgress: (held: number, missing: number) => void = () => {}
  ): Promise<FetchedBundles> {
    const { policy, log, engine } = this.#ports
    const view = policy()
    if (view.settings(namespace) === undefined) throw hasNoBatches(namespace, view.namespaces)
    if (!view.hasRole(namespace, view.self.did, 'request'))
      throw new AnchormeshError('PUBLISH_REFUSED', `this node may not ask for receipts of ${namespace}`, {
        hint: 'it needs the role request in peers.yaml and under the namespace in federation.yaml',
        detail: { code: 'ROLE_MISSING' }
      })
    await engine.reached(log.head.logSeq, null, 'batches')
    if (batchId !== undefined && !(await this.#isKnown(namespace, batchId)))
      throw new AnchormeshError('BATCH_UNKNOWN', `nobody announced a batch ${batchId} in ${namespace}`, {
        hint: 'anchormesh query batches shows those that this node has heard of'
      })
    const wanted = await this.#wanted(namespace, batchId)
    const total = wanted.reduce((sum, { missing }) => sum + missing, 0)
    let held = 0
    const fetches: BatchFetch[] = []
    for (const { rowKey } of wanted) {
      const fetched = await this.#fetchTurns(rowKey, (count) => {
        held += count
        onProgress(held, total)
      })
      if (fetched !== null) fetches.push(fetched)
    }
    return summary(namespace, wanted.length, fetches)
  }

  /** Turn after turn, as long as receipts come. */
  async #fetchTurns(rowKey: string, onHeld: (count: number) => void): Promise<BatchFetch | null> {
    const { engine, log } = this.#ports
    let sum = await this.#worker.fetchNow(rowKey, onHeld)
    while (sum?.turnOver === true && sum.missing > 0) {
      await engine.reached(log.head.logSeq, null, 'batches')
      const { held, asked, failures } = sum
      const next: BatchFetch | null = await this.#worker.fetchNow(rowKey, onHeld)
      sum =
        next === null
          ? { ...sum, missing: 0, turnOver: false }
          : { ...next, held: held + next.held, asked: asked + next.asked, failures: added(failures, next.failures) }
    }
    return sum
  }

  async status(): Promise<ReceiptsStatus> {
    const { policy, clock } = this.#ports
    const view = policy()
    const now = clock.now()
    const namespaces: (MissingReceipts & { readonly namespace: string })[] = []
    for (const namespace of view.namespaces) {
      if (!view.hasRole(namespace, view.self.did, 'request') || view.settings(namespace) === undefined) continue
      namespaces.push({ namespace, ...(await this.#missing(namespace, now)) })
    }
    const ages = namespaces.flatMap(({ oldestMs }) => (oldestMs === null ? [] : [oldestMs]))
    return {
      missing: namespaces.reduce((sum, { missing }) => sum + missing, 0),
      batches: namespaces.reduce((sum, { batches }) => sum + batches, 0),
      oldestMs: ages.length === 0 ? null : Math.max(...ages),
      namespaces,
      served: this.#server.counts
    }
  }

  async #missing(namespace: string, now: number): Promise<MissingReceipts> {
    const { engine, store } = this.#ports
    const { missing, batches, since } = await viewRows(engine, store, 'batches', (view) => wantedSums(view, namespace))
    // A clock that was set back makes nothing younger than now.
    return { missing, batches, oldestMs: since === null ? null : Math.max(0, now - since) }
  }

  async #wanted(namespace: string, batchId: string | undefined): Promise<WantedBatch[]> {
    const { engine, store } = this.#ports
    return await viewRows(engine, store, 'batches', async (view) => {
      const wanted: WantedBatch[] = []
      for await (const batch of wantedBatches(view, namespace)) {
        if (batchId !== undefined && batch.rowKey.split('!')[2] !== batchId) continue
        wanted.push(batch)
        if (wanted.length === BATCHES_FETCHED_MAX) break
      }
      return wanted
    })
  }

  async #isKnown(namespace: string, batchId: string): Promise<boolean> {
    const { engine, store } = this.#ports
    return await viewRows(engine, store, 'batches', async (view) => {
      for await (const [, row] of view.range(`${namespace}!`)) if (row['batchId'] === batchId) return true
      return false
    })
  }

  #servers(namespace: string): readonly ServingPeer[] {
    const { peers, policy, random } = this.#ports
    const view = policy()
    const serving = (peers?.connected() ?? []).flatMap((peerId) => {
      const did = view.didOfPeer(peerId)
      return did !== undefined && view.hasRole(namespace, did, 'serve') ? [{ did, peerId }] : []
    })
    return peersToAsk(serving, view.routing(namespace), ({ did }) => did, random)
  }
}

function added(one: BatchFetch['failures'], other: BatchFetch['failures']): BatchFetch['failures'] {
  const sums: Partial<Record<AskFailure, number>> = { ...one }
  for (const [code, count] of Object.entries(other) as [AskFailure, number][]) sums[code] = (sums[code] ?? 0) + count
  return sums
}

function summary(namespace: string, batches: number, fetches: readonly BatchFetch[]): FetchedBundles {
  const failures = fetches.reduce<BatchFetch['failures']>((all, fetched) => added(all, fetched.failures), {})
  const sum = (of: (fetched: BatchFetch) => number): number =>
    fetches.reduce((total, fetched) => total + of(fetched), 0)
  return {
    namespace,
    batches,
    held: sum(({ held }) => held),
    missing: sum(({ missing }) => missing),
    asked: sum(({ asked }) => asked),
    failures
  }
}

import { decodeEvent } from '../protocols/event/v1/codec.ts'
import { NodeAnchoring } from './anchoring/node-anchoring.ts'
import type { AuthoredEvent } from './authoring/author.ts'
import { EquivocationWatch } from './authoring/equivocation-watch.ts'
import { announceBatch, publishPack } from './authoring/publish.ts'
import { sealReceipts } from './authoring/seal.ts'
import { announcedByOwner, findSealedBatch, provenReceipts } from './authoring/sealed-batches.ts'
import { bundleProtocols } from './bundles/streams.ts'
import type { Outcome } from './events/outcome.ts'
import { loadBoundKeys } from './ingest/bound-keys.ts'
import { importEvents } from './ingest/import.ts'
import { listEvents, listed } from './log/list-events.ts'
import { parseRecord } from './log/log-reader.ts'
import { verifyLog } from './log/verify-log.ts'
import type { GossipVerdict } from './network/network.ts'
import type {
  EventsQuery,
  ImportResult,
  LoggedEvent,
  Operations,
  Published,
  PublishedPack,
  ReceiptProof
} from './operations.ts'
import { AnchormeshError, messageOf } from './platform/errors.ts'
import { NO_AUDIT } from './platform/audit.ts'
import { InTurn } from './platform/in-turn.ts'
import { hasNoBatches } from './policy/not-carried.ts'
import type { ChangesQuery, ProjectionUpdate } from './projections/changes.ts'
import { followChanges } from './projections/changes.ts'
import { queryRows } from './projections/query.ts'
import { buildProof } from './proofs/build-proof.ts'
import { queryReceipts } from './proofs/standing-rows.ts'
import { withoutMesh } from './sync/node-sync.ts'
import { NodeTransparency } from './transparency/node-transparency.ts'
import { Attester } from './verification/attester.ts'
import type { AnchormeshNode, NodeParts } from './node-parts.ts'
import { nodeStatus } from './node-status.ts'

/** The projection whose rows show a standing that is not stored. */
const RECEIPTS = 'receipts'

/** The node as `createNode` hands it out. */
export class RunningNode implements AnchormeshNode {
  readonly #parts: NodeParts
  readonly #startedAt: number
  readonly #startedMonotonic: number
  #joined = false
  #closing: Promise<void> | null = null
  /** Two packs that are made at the same time would take the same number, and freeze the organisation. */
  readonly #packs = new InTurn()
  /**
   * Batches whose receipts are being read, as many as there are callers: two seals of one batch could both find that it
   * is new.
   */
  readonly #sealing = new Set<string>()
  readonly #equivocations: EquivocationWatch
  readonly #attester: Attester
  readonly #anchoring: NodeAnchoring
  readonly #transparency: NodeTransparency

  constructor(parts: NodeParts) {
    this.#parts = parts
    this.#startedAt = parts.ports.clock.now()
    this.#startedMonotonic = parts.ports.clock.monotonicMs()
    const { engine, log, policy, ports, config, author } = parts
    const { clock, logger, store } = ports
    this.#equivocations = new EquivocationWatch({ engine, log, policy, self: config.signer.did, clock, logger })
    const publish = (authored: AuthoredEvent): Promise<Published> => this.#published(authored)
    this.#attester = new Attester({ author, publish, log, engine, store, policy: () => policy, clock, logger })
    this.#transparency = new NodeTransparency({
      ...parts,
      store,
      publish,
      policy: () => policy,
      signer: () => config.signer,
      audit: NO_AUDIT,
      clock,
      logger,
      checkpointMs: config.checkpointMs,
      holdsDraft: () => false
    })
    this.#anchoring = new NodeAnchoring({
      ...ports,
      engine,
      log,
      blobs: parts.blobs,
      queue: parts.queue,
      policy: () => policy,
      verifiers: ports.verifiers ?? [],
      anchorers: ports.anchorers ?? [],
      sealing: config.sealing ?? {},
      announce: (request) => this.announce(request)
    })
  }

  async start(): Promise<void> {
    const { ports, verification, sync, bundles } = this.#parts
    await ports.network?.start({
      judge: (namespace, wire, peer) => this.#judgeGossip(namespace, wire, peer),
      protocols: { ...sync?.protocols, ...bundleProtocols(bundles, ports.clock) },
      connected: (peerId) => {
        sync?.connected(peerId)
        bundles.connected(peerId)
      },
      disconnected: (peerId) => sync?.disconnected(peerId)
    })
    this.#joined = true
    verification.start()
    bundles.start()
    this.#equivocations.start()
    this.#attester.start()
    this.#anchoring.start()
    this.#transparency.start()
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  /** Every part is closed, also after one that failed; the first failure is thrown. */
  async #closeAll(): Promise<void> {
    const { ports, engine, log, blobs, bundles, stopFollowing, verification, sync } = this.#parts
    const failures: unknown[] = []
    const parts: (() => Promise<void> | void)[] = [
      // While the mesh can still take the last checkpoint.
      () => this.#transparency.stop(),
      // At once: an announce may wait for peers, whom sync calls off.
      async () => void (await Promise.all([this.#anchoring.stop(), sync?.stop()])),
      () => this.#attester.stop(),
      () => ports.network?.stop(),
      () => verification.stop(),
      () => bundles.stop(),
      () => this.#equivocations.stop(),
      stopFollowing,
      () => ports.signatureVerifiers?.close(),
      () => log.close(),
      () => engine.close(),
      () => ports.store.close(),
      () => blobs.close()
    ]
    for (const close of parts) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  changes(projection: string, query: ChangesQuery = {}): AsyncIterable<ProjectionUpdate> {
    const { engine, ports, log } = this.#parts
    return followChanges(engine, ports.store, log.epoch, projection, query)
  }

  async *events(query: EventsQuery, signal?: AbortSignal): AsyncGenerator<LoggedEvent> {
    const { log, policy } = this.#parts
    const { namespace, follow } = query
    // Nobody has to walk a whole log to learn that it holds nothing of a namespace.
    const unknown = namespace !== undefined && !policy.carries(namespace) && (await log.count(namespace)) === 0
    if (!unknown || follow === true) yield* listEvents(log, query, signal)
  }

  event: Operations['event'] = async (id) => {
    const { log } = this.#parts
    const position = await log.find(id)
    const record = position === undefined ? undefined : await log.read(position.logSeq)
    return record === undefined ? null : listed(parseRecord(record))
  }

  query: Operations['query'] = (projection, query) => {
    const { engine, ports, log } = this.#parts
    if (projection === RECEIPTS) return queryReceipts(engine, ports.store, log.epoch, query)
    return queryRows(engine, ports.store, log.epoch, projection, query)
  }

  digest: Operations['digest'] = (namespace) => {
    const { digests, log } = this.#parts
    return digests.at(log.head.logSeq, namespace)
  }

  submit: Operations['submit'] = async (wire) => {
    const outcome = await this.#parts.door.submit(wire, { via: 'import' })
    if (outcome.outcome !== 'accepted') return outcome
    const decoded = decodeEvent(wire)
    if (decoded.ok) await this.#published({ ...outcome, namespace: decoded.event.envelope.namespace, wire })
    return outcome
  }

  seal: Operations['seal'] = async ({ namespace, batchId, receipts }) => {
    const key = `${namespace}!${batchId}`
    if (this.#sealing.has(key)) throw batchExists(namespace, batchId, 'is being sealed right now')
    this.#sealing.add(key)
    try {
      return await this.#sealNew(namespace, batchId, receipts)
    } finally {
      this.#sealing.delete(key)
    }
  }

  async *proofs(namespace: string, batchId: string): AsyncGenerator<ReceiptProof> {
    const { engine, log, blobs, policy } = this.#parts
    await engine.reached(log.head.logSeq, null, 'batches')
    await engine.reached(log.head.logSeq, null, 'receipts')
    yield* provenReceipts({ engine, blobs }, { namespace, owner: policy.self.orgId, batchId })
  }

  proof: Operations['proof'] = async (request) => {
    const { engine, log, blobs, ports, config } = this.#parts
    return await buildProof({ engine, log, blobs, store: ports.store, self: config.signer.did }, request)
  }

  announce: Operations['announce'] = async (request) =>
    await this.#published(await announceBatch(request, await this.#publishing('batches')))

  publishPack: Operations['publishPack'] = () => this.#packs.run(() => this.#publishNextPack())

  anchor: Operations['anchor'] = async (request) => await this.#anchoring.anchor(request)

  upgradeAnchors: Operations['upgradeAnchors'] = async ({ namespace }, onProgress) =>
    await this.#anchoring.upgrade(namespace, (done, total) => onProgress?.({ done, total, unit: 'batches' }))

  importProof: Operations['importProof'] = async (request) => await this.#anchoring.importProof(request)

  splitAnchors: Operations['splitAnchors'] = async (request) => await this.#anchoring.split(request)

  handIn: Operations['handIn'] = async ({ namespace, receipts }) => await this.#anchoring.handIn(namespace, receipts)

  fetchBundles: Operations['fetchBundles'] = async (query, onProgress) => {
    if (!this.#joined) throw new AnchormeshError('NODE_NOT_RUNNING', 'the node is not in a mesh')
    return await this.#parts.bundles.fetch(query, (done, total) => onProgress?.({ done, total, unit: 'receipts' }))
  }

  forget: Operations['forget'] = async ({ receipt, reason }) => await this.#parts.bundles.forget(receipt, reason)

  verifyLog: Operations['verifyLog'] = async (onProgress) => {
    const { store, checkpoint } = this.#parts.ports
    return await verifyLog(store, checkpoint, (done, total) => onProgress?.({ done, total, unit: 'records' }))
  }

  logCheckpoint: Operations['logCheckpoint'] = () => this.#transparency.proofs.logCheckpoint()

  logInclusion: Operations['logInclusion'] = (query) => this.#transparency.proofs.logInclusion(query)

  logConsistency: Operations['logConsistency'] = (query) => this.#transparency.proofs.logConsistency(query)

  checkCheckpoint: Operations['checkCheckpoint'] = (request) => this.#transparency.proofs.checkCheckpoint(request)

  rebuild: Operations['rebuild'] = async (onProgress) => {
    const { engine, keyring, door } = this.#parts
    const rebuilt = await engine.rebuild(({ projection, done, total }) =>
      onProgress?.({ done, total, unit: `records of ${projection}` })
    )
    // A fold of the packs that had halted may have bound keys only now.
    if (await loadBoundKeys(engine, keyring)) await door.keysBound()
    return rebuilt
  }

  async *exportEvents(namespace?: string): AsyncGenerator<Uint8Array> {
    const { log } = this.#parts
    for await (const { bytes } of listEvents(log, namespace === undefined ? {} : { namespace }))
      yield Buffer.from(bytes, 'base64url')
  }

  importEvents: Operations['importEvents'] = async (events, onProgress): Promise<ImportResult> => {
    const { door, engine, sync } = this.#parts
    const imported = await importEvents(door, events, engine, (done) => {
      onProgress?.({ done, total: null, unit: 'events' })
    })
    if (imported.accepted > 0) sync?.changedHere()
    return imported
  }

  sync: Operations['sync'] = async (request, onProgress) => {
    const { sync } = this.#parts
    if (sync === null) throw withoutMesh()
    return await sync.sync(request, ({ sent, received }) => {
      onProgress?.({ done: sent + received, total: null, unit: 'events' })
    })
  }

  verifyOnline: Operations['verifyOnline'] = async (query, onProgress) =>
    await this.#parts.verification.verifyOnline(query, (done, total) =>
      onProgress?.({ done, total, unit: 'timestamp anchors' })
    )

  status: Operations['status'] = () =>
    nodeStatus(this.#parts, {
      startedAt: this.#startedAt,
      startedMonotonicMs: this.#startedMonotonic,
      isJoined: this.#joined,
      equivocations: this.#equivocations,
      anchoring: this.#anchoring,
      transparency: this.#transparency
    })

  async #sealNew(
    namespace: string,
    batchId: string,
    receipts: Parameters<Operations['seal']>[0]['receipts']
  ): Promise<Awaited<ReturnType<Operations['seal']>>> {
    const { engine, policy, log, blobs, ports } = this.#parts
    if (policy.settings(namespace) === undefined) throw hasNoBatches(namespace, policy.namespaces)
    const identity = { namespace, owner: policy.self.orgId, batchId }
    // A write that seemed to fail may have sealed the batch: the log must know what it holds before it is asked.
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'batches')
    if ((await findSealedBatch({ engine, blobs }, identity)) !== null) {
      throw batchExists(namespace, batchId, 'is sealed already')
    }
    // After a loss of the store its announcement came back by the mesh; a new root beside it would contradict it.
    if (await announcedByOwner(engine, identity)) {
      throw batchExists(namespace, batchId, 'was announced already, though its receipts are not here')
    }
    return await sealReceipts(identity, receipts, { log, blobs, clock: ports.clock, random: ports.random })
  }

  async #publishNextPack(): Promise<PublishedPack> {
    const { orgId, packSeq, packHash, ...authored } = await publishPack(await this.#publishing('trust-anchors'))
    return { ...(await this.#published(authored)), orgId, packSeq, packHash }
  }

  /** What publishing works with, once the projection that it reads is up to date. */
  async #publishing(projection: 'batches' | 'trust-anchors'): Promise<Parameters<typeof announceBatch>[1]> {
    const { engine, author, policy, blobs, ports, log } = this.#parts
    await log.recover()
    await engine.reached(log.head.logSeq, null, projection)
    return { engine, blobs, author, policy: () => policy, clock: ports.clock }
  }

  /**
   * The event is durable here; only now does it leave the node. A mesh that can't take it changes nothing of that: it
   * travels by sync.
   */
  async #published({ id, logSeq, namespace, wire }: AuthoredEvent): Promise<Published> {
    const { network, logger } = this.#parts.ports
    try {
      return { id, logSeq, recipients: (await network?.publish(namespace, wire)) ?? 0 }
    } catch (error) {
      logger.warn({ id, namespace, reason: messageOf(error) }, 'an event is in the log, but the mesh could not take it')
      return { id, logSeq, recipients: 0 }
    }
  }

  #judgeGossip(namespace: string, wire: Uint8Array, peer: string): Promise<GossipVerdict> {
    return new Promise((resolve) => {
      this.#parts.door
        .submit(wire, { via: 'gossip', peer, namespace }, () => resolve('accept'))
        .then(
          (outcome) => resolve(verdictOf(outcome)),
          (error: unknown) => {
            this.#parts.ports.logger.error({ reason: messageOf(error), peer }, 'an event could not be judged')
            resolve('ignore')
          }
        )
    })
  }
}

/** What gossip is told: a policy refusal is never `reject`, or honest peers would graylist each other. */
function verdictOf(outcome: Outcome): GossipVerdict {
  if (outcome.outcome === 'rejected') return 'reject'
  return outcome.outcome === 'accepted' || outcome.outcome === 'duplicate' ? 'accept' : 'ignore'
}

function batchExists(namespace: string, batchId: string, how: string): AnchormeshError {
  return new AnchormeshError('BATCH_EXISTS', `batch ${batchId} of ${namespace} ${how}`, {
    hint: 'choose another batch id'
  })
}

import { toHex } from '../protocols/primitives/bytes.ts'
import { NodeQueries } from './access/node-queries.ts'
import { NodeAnchoring } from './anchoring/node-anchoring.ts'
import type { AuditQuery, AuditRecord } from './audit/operations.ts'
import { NOTHING_AUDITED } from './audit/verify.ts'
import type { AuthoredEvent } from './authoring/author.ts'
import { EquivocationWatch } from './authoring/equivocation-watch.ts'
import { announceBatch } from './authoring/publish.ts'
import { NewBatches } from './authoring/seal-new.ts'
import { provenReceipts } from './authoring/sealed-batches.ts'
import { makeBackup } from './backup/make-backup.ts'
import { bundleProtocols } from './bundles/streams.ts'
import { loadBoundKeys } from './ingest/bound-keys.ts'
import { importEvents } from './ingest/import.ts'
import { listEvents, shownEvent } from './log/list-events.ts'
import { httpTransport } from './http/pack-transport.ts'
import { verifyLog } from './log/verify-log.ts'
import type { NetworkStatus } from './network/network.ts'
import type { EventsQuery, ImportResult, LoggedEvent, Operations, Published, ReceiptProof } from './operations.ts'
import type { CountingTrail } from './platform/audit.ts'
import { NodePackSync } from './pack-sync/node-pack-sync.ts'
import { AnchormeshError } from './platform/errors.ts'
import { NodeTrust } from './packs/node-trust.ts'
import type { ChangesQuery, ProjectionUpdate } from './projections/changes.ts'
import { followChanges } from './projections/changes.ts'
import { buildProof } from './proofs/build-proof.ts'
import { withoutMesh } from './sync/node-sync.ts'
import { NodeTransparency } from './transparency/node-transparency.ts'
import { Attester } from './verification/attester.ts'
import type { AnchormeshNode } from './anchormesh-node.ts'
import type { NodeParts } from './node-parts.ts'
import { MeshDoor } from './mesh-door.ts'
import { NodeReloading } from './node-reload.ts'
import { NodeGateway } from './node-gateway.ts'
import { KeyWatch } from './authoring/key-watch.ts'
import { nodeCounts } from './node-counts.ts'
import { nodeStatus } from './node-status.ts'

/** The node as `createNode` hands it out. */
export class RunningNode implements AnchormeshNode {
  readonly #parts: NodeParts
  readonly #startedAt: number
  readonly #startedMonotonic: number
  #joined = false
  #closing: Promise<void> | null = null
  readonly #meshDoor: MeshDoor
  readonly #newBatches: NewBatches
  readonly #equivocations: EquivocationWatch
  readonly #keyWatch: KeyWatch | null
  readonly #attester: Attester
  readonly #anchoring: NodeAnchoring
  readonly #reloading: NodeReloading
  readonly #trust: NodeTrust
  readonly #packSync: NodePackSync
  readonly #transparency: NodeTransparency
  readonly gateway: NodeGateway
  readonly #queries: NodeQueries

  constructor(parts: NodeParts) {
    this.#parts = parts
    this.gateway = new NodeGateway(parts)
    this.#startedAt = parts.ports.clock.now()
    this.#startedMonotonic = parts.ports.clock.monotonicMs()
    const { engine, log, policy, ports, live, author } = parts
    const { clock, logger, store } = ports
    const mesh = (): NetworkStatus | null => (this.#joined ? (ports.network?.status() ?? null) : null)
    const { access, receiptParts } = this.gateway
    this.#queries = new NodeQueries({ ...parts, store, mesh, visibility: access.visibility, receiptParts })
    this.#equivocations = new EquivocationWatch({ engine, log, policy, self: parts.signer().did, clock, logger })
    const signing = (): string => parts.signer().kid
    const { keys } = live.config()
    this.#keyWatch =
      keys === undefined
        ? null
        : new KeyWatch({ engine, policy, signing, schedule: () => live.config().keys ?? keys, clock, logger })
    this.#meshDoor = new MeshDoor({ door: parts.door, network: ports.network, logger })
    this.#newBatches = new NewBatches({ ...parts, clock, random: ports.random })
    const publish = (authored: AuthoredEvent): Promise<Published> => this.#meshDoor.publish(authored)
    this.#attester = new Attester({ author, publish, log, engine, store, policy, clock, logger })
    this.#transparency = new NodeTransparency({
      ...parts,
      store,
      publish,
      clock,
      logger,
      checkpointMs: () => live.config().checkpointMs,
      holdsDraft: () => this.#trust.holdsDraft
    })
    this.#anchoring = new NodeAnchoring({
      ...ports,
      engine,
      log,
      blobs: parts.blobs,
      queue: parts.queue,
      policy,
      verifiers: live.verifiers,
      anchorers: live.anchorers,
      sealing: () => live.config().sealing ?? {},
      announce: (request) => this.announce(request)
    })
    this.#reloading = new NodeReloading(parts, {
      anchoring: this.#anchoring,
      attester: this.#attester,
      transparency: this.#transparency,
      gateway: this.gateway
    })
    this.#trust = new NodeTrust({
      ...ports,
      ...parts,
      send: publish,
      reload: async () => {
        if (ports.configuration === undefined) return false
        await this.#reloading.reloadConfig()
        return true
      }
    })
    this.#packSync = new NodePackSync({
      ...ports,
      engine,
      log,
      policy,
      audit: parts.audit,
      skewMs: () => live.config().requestSkewMs,
      submit: (wire, source) => this.#meshDoor.submit(wire, source),
      streams: ports.network ?? null,
      sources: () => live.config().packSources ?? {},
      http: (address) => httpTransport(address, clock)
    })
  }

  async start(): Promise<void> {
    const { ports, verification, sync, bundles } = this.#parts
    await ports.network?.start({
      judge: (namespace, wire, peer) => this.#meshDoor.judge(namespace, wire, peer),
      protocols: { ...sync?.protocols, ...bundleProtocols(bundles, ports.clock), ...this.#packSync.protocols },
      connected: (peerId) => {
        sync?.connected(peerId)
        bundles.connected(peerId)
      },
      disconnected: (peerId) => sync?.disconnected(peerId)
    })
    this.#joined = true
    await this.#trust.start()
    verification.start()
    bundles.start()
    this.#equivocations.start()
    this.#keyWatch?.start()
    this.#attester.start()
    this.#anchoring.start()
    this.#parts.nodeAudit?.start()
    this.#transparency.start()
    await this.gateway.start()
  }

  reload: AnchormeshNode['reload'] = (next) => this.#reloading.reload(next)

  backup: Operations['backup'] = async (request, onProgress) => {
    const { ports, log, live, signer, audit } = this.#parts
    const { backup: source } = ports
    if (source === undefined) throw new AnchormeshError('NODE_NOT_RUNNING', 'this node has no folder to back up')
    return await makeBackup(
      request,
      {
        ...ports,
        log,
        source,
        audit,
        did: signer().did,
        release: live.config().version,
        treeRoot: async (size) => toHex(await (await log.tree.ready()).root(size))
      },
      (done, total) => onProgress?.({ done, total, unit: 'entries' })
    )
  }

  reloadConfig: Operations['reloadConfig'] = () => this.#reloading.reloadConfig()

  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  /** Every part is closed, also after one that failed; the first failure is thrown. */
  async #closeAll(): Promise<void> {
    const { ports, engine, log, blobs, bundles, stopFollowing, verification, sync, nodeAudit } = this.#parts
    const failures: unknown[] = []
    const parts: (() => Promise<void> | void)[] = [
      () => this.gateway.stop(),
      // While the mesh can still take the last checkpoint.
      () => this.#transparency.stop(),
      // At once: an announce may wait for peers, whom sync calls off.
      async () => void (await Promise.all([this.#anchoring.stop(), sync?.stop(), this.#packSync.stop()])),
      () => this.#attester.stop(),
      () => ports.network?.stop(),
      () => verification.stop(),
      () => bundles.stop(),
      () => this.#equivocations.stop(),
      () => this.#trust.stop(),
      () => this.#keyWatch?.stop(),
      stopFollowing,
      () => ports.signatureVerifiers?.close(),
      () => nodeAudit?.close(),
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
    const unknown = namespace !== undefined && !policy().carries(namespace) && (await log.count(namespace)) === 0
    if (!unknown || follow === true) yield* listEvents(log, query, signal)
  }

  event: Operations['event'] = async (id) => {
    const record = await this.#parts.log.readEvent(id)
    return record === undefined ? null : shownEvent(id, record)
  }

  query: Operations['query'] = (projection, query, scope) => this.#queries.query(projection, query, scope)

  createToken: Operations['createToken'] = (request) => this.gateway.tokens.createToken(request)
  tokens: Operations['tokens'] = () => this.gateway.tokens.tokens()
  revokeToken: Operations['revokeToken'] = (id) => this.gateway.tokens.revokeToken(id)

  digest: Operations['digest'] = (namespace) => {
    const { digests, log } = this.#parts
    return digests.at(log.head.logSeq, namespace)
  }

  submit: Operations['submit'] = (wire) => this.#meshDoor.submit(wire, { via: 'import' })

  seal: Operations['seal'] = async ({ namespace, batchId, receipts }) =>
    await this.#newBatches.seal(namespace, batchId, receipts)

  async *proofs(namespace: string, batchId: string): AsyncGenerator<ReceiptProof> {
    const { engine, log, blobs, policy } = this.#parts
    await engine.reached(log.head.logSeq, null, 'batches')
    await engine.reached(log.head.logSeq, null, 'receipts')
    yield* provenReceipts({ engine, blobs }, { namespace, owner: policy().self.orgId, batchId })
  }

  proof: Operations['proof'] = async (request) => {
    const { engine, log, blobs, ports, signer } = this.#parts
    return await buildProof({ engine, log, blobs, store: ports.store, self: signer().did }, request)
  }

  announce: Operations['announce'] = async (request) =>
    await this.#meshDoor.publish(await announceBatch(request, await this.#announcing()))

  signers: Operations['signers'] = () => this.#trust.signers()
  addKey: Operations['addKey'] = (request) => this.#trust.addKey(request)
  rotateKey: Operations['rotateKey'] = (request) => this.#trust.rotateKey(request)
  retireKey: Operations['retireKey'] = (request) => this.#trust.retireKey(request)
  revokeKey: Operations['revokeKey'] = (request) => this.#trust.revokeKey(request)
  setKeyThreshold: Operations['setKeyThreshold'] = (request) => this.#trust.setKeyThreshold(request)
  publishPack: Operations['publishPack'] = (request) => this.#trust.publishPack(request)
  draftPack: Operations['draftPack'] = (request) => this.#trust.draftPack(request)
  signPack: Operations['signPack'] = (draft, request) => this.#trust.signPack(draft, request)
  completePack: Operations['completePack'] = (draft) => this.#trust.completePack(draft)
  packs: Operations['packs'] = (query) => this.#trust.packs(query)
  viewDraft: Operations['viewDraft'] = (draft) => this.#trust.viewDraft(draft)
  trustProof: Operations['trustProof'] = (query) => this.#trust.trustProof(query)
  pinPack: Operations['pinPack'] = (pin) => this.#trust.pinPack(pin)

  planPackSync: Operations['planPackSync'] = (query) => this.#packSync.planPackSync(query)

  pullPacks: Operations['pullPacks'] = (query, onProgress) => this.#packSync.pullPacks(query, onProgress)

  pushPacks: Operations['pushPacks'] = (query, onProgress) => this.#packSync.pushPacks(query, onProgress)

  get packServing(): AnchormeshNode['packServing'] {
    return this.#packSync.server
  }

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

  async *audit(query: AuditQuery, signal?: AbortSignal): AsyncGenerator<AuditRecord> {
    yield* this.#parts.nodeAudit?.audit(query, signal) ?? []
  }

  verifyAudit: Operations['verifyAudit'] = async (onProgress) =>
    (await this.#parts.nodeAudit?.verifyAudit(onProgress)) ?? NOTHING_AUDITED

  get auditTrail(): CountingTrail {
    return this.#parts.audit
  }

  status: Operations['status'] = () =>
    nodeStatus(this.#parts, {
      startedAt: this.#startedAt,
      startedMonotonicMs: this.#startedMonotonic,
      isJoined: this.#joined,
      equivocations: this.#equivocations,
      anchoring: this.#anchoring,
      trust: this.#trust,
      keyWatch: this.#keyWatch,
      transparency: this.#transparency,
      findings: this.gateway.findings
    })

  counts: AnchormeshNode['counts'] = () => {
    const running = { anchoring: this.#anchoring, packSync: this.#packSync, transparency: this.#transparency }
    return nodeCounts(this.#parts, { gateway: this.gateway, ...running })
  }

  /** What announcing works with, once the projection that it reads is up to date. */
  async #announcing(): Promise<Parameters<typeof announceBatch>[1]> {
    const { engine, author, policy, blobs, log } = this.#parts
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'batches')
    return { engine, blobs, author, policy }
  }
}

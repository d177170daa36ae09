import { toHex } from '../protocols/primitives/bytes.ts'
import { NodeQueries } from './access/node-queries.ts'
import type { AuditQuery, AuditRecord } from './audit/operations.ts'
import { NOTHING_AUDITED } from './audit/verify.ts'
import { NewBatches } from './authoring/seal-new.ts'
import { provenReceipts } from './authoring/sealed-batches.ts'
import { makeBackup } from './backup/make-backup.ts'
import { loadBoundKeys } from './ingest/bound-keys.ts'
import { importEvents } from './ingest/import.ts'
import { listEvents, shownEvent } from './log/list-events.ts'
import { verifyLog } from './log/verify-log.ts'
import type { NetworkStatus } from './network/network.ts'
import type { EventsQuery, ImportResult, LoggedEvent, Operations, ReceiptProof } from './operations.ts'
import type { CountingTrail } from './platform/audit.ts'
import { AnchormeshError } from './platform/errors.ts'
import type { ChangesQuery, ProjectionUpdate } from './projections/changes.ts'
import { followChanges } from './projections/changes.ts'
import { buildProof } from './proofs/build-proof.ts'
import { withoutMesh } from './sync/node-sync.ts'
import type { AnchormeshNode } from './anchormesh-node.ts'
import type { NodeParts } from './node-parts.ts'
import type { NodeGateway } from './node-gateway.ts'
import { NodeLife } from './node-life.ts'
import { nodeCounts } from './node-counts.ts'
import { nodeStatus } from './node-status.ts'

/** The node as `createNode` hands it out: its operations, over its parts and what of them works by itself. */
export class RunningNode implements AnchormeshNode {
  readonly #parts: NodeParts
  readonly #life: NodeLife
  readonly #queries: NodeQueries
  readonly #newBatches: NewBatches
  readonly gateway: NodeGateway

  constructor(parts: NodeParts) {
    this.#parts = parts
    this.#life = new NodeLife(parts)
    this.gateway = this.#life.gateway
    const { store, clock, random } = parts.ports
    const { access, receiptParts } = this.gateway
    const mesh = (): NetworkStatus | null => this.#life.mesh
    this.#queries = new NodeQueries({ ...parts, store, mesh, visibility: access.visibility, receiptParts })
    this.#newBatches = new NewBatches({ ...parts, clock, random })
  }

  start(): Promise<void> {
    return this.#life.start()
  }

  close(): Promise<void> {
    return this.#life.close()
  }

  reload: AnchormeshNode['reload'] = (next) => this.#life.reloading.reload(next)

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

  reloadConfig: Operations['reloadConfig'] = () => this.#life.reloading.reloadConfig()

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

  submit: Operations['submit'] = (wire) => this.#life.meshDoor.submit(wire, { via: 'import' })

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

  announce: Operations['announce'] = (request) => this.#life.announce(request)

  signers: Operations['signers'] = () => this.#life.trust.signers()
  addKey: Operations['addKey'] = (request) => this.#life.trust.addKey(request)
  rotateKey: Operations['rotateKey'] = (request) => this.#life.trust.rotateKey(request)
  retireKey: Operations['retireKey'] = (request) => this.#life.trust.retireKey(request)
  revokeKey: Operations['revokeKey'] = (request) => this.#life.trust.revokeKey(request)
  setKeyThreshold: Operations['setKeyThreshold'] = (request) => this.#life.trust.setKeyThreshold(request)
  publishPack: Operations['publishPack'] = (request) => this.#life.trust.publishPack(request)
  draftPack: Operations['draftPack'] = (request) => this.#life.trust.draftPack(request)
  signPack: Operations['signPack'] = (draft, request) => this.#life.trust.signPack(draft, request)
  completePack: Operations['completePack'] = (draft) => this.#life.trust.completePack(draft)
  packs: Operations['packs'] = (query) => this.#life.trust.packs(query)
  viewDraft: Operations['viewDraft'] = (draft) => this.#life.trust.viewDraft(draft)
  trustProof: Operations['trustProof'] = (query) => this.#life.trust.trustProof(query)
  pinPack: Operations['pinPack'] = (pin) => this.#life.trust.pinPack(pin)

  planPackSync: Operations['planPackSync'] = (query) => this.#life.packSync.planPackSync(query)

  pullPacks: Operations['pullPacks'] = (query, onProgress) => this.#life.packSync.pullPacks(query, onProgress)

  pushPacks: Operations['pushPacks'] = (query, onProgress) => this.#life.packSync.pushPacks(query, onProgress)

  get packServing(): AnchormeshNode['packServing'] {
    return this.#life.packSync.server
  }

  anchor: Operations['anchor'] = async (request) => await this.#life.anchoring.anchor(request)

  upgradeAnchors: Operations['upgradeAnchors'] = async ({ namespace }, onProgress) =>
    await this.#life.anchoring.upgrade(namespace, (done, total) => onProgress?.({ done, total, unit: 'batches' }))

  importProof: Operations['importProof'] = async (request) => await this.#life.anchoring.importProof(request)

  splitAnchors: Operations['splitAnchors'] = async (request) => await this.#life.anchoring.split(request)

  handIn: Operations['handIn'] = async ({ namespace, receipts }) =>
    await this.#life.anchoring.handIn(namespace, receipts)

  fetchBundles: Operations['fetchBundles'] = async (query, onProgress) => {
    if (!this.#life.isJoined) throw new AnchormeshError('NODE_NOT_RUNNING', 'the node is not in a mesh')
    return await this.#parts.bundles.fetch(query, (done, total) => onProgress?.({ done, total, unit: 'receipts' }))
  }

  forget: Operations['forget'] = async ({ receipt, reason }) => await this.#parts.bundles.forget(receipt, reason)

  verifyLog: Operations['verifyLog'] = async (onProgress) => {
    const { store, checkpoint } = this.#parts.ports
    return await verifyLog(store, checkpoint, (done, total) => onProgress?.({ done, total, unit: 'records' }))
  }

  logCheckpoint: Operations['logCheckpoint'] = () => this.#life.transparency.proofs.logCheckpoint()

  logInclusion: Operations['logInclusion'] = (query) => this.#life.transparency.proofs.logInclusion(query)

  logConsistency: Operations['logConsistency'] = (query) => this.#life.transparency.proofs.logConsistency(query)

  checkCheckpoint: Operations['checkCheckpoint'] = (request) => this.#life.transparency.proofs.checkCheckpoint(request)

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

  status: Operations['status'] = () => nodeStatus(this.#parts, this.#life)

  counts: AnchormeshNode['counts'] = () => nodeCounts(this.#parts, this.#life)
}

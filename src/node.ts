import { encodeCanonical } from '../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../protocols/canonical-json/v1/json.ts'
import { toHex } from '../protocols/primitives/bytes.ts'
import { Author } from './authoring/author.ts'
import type { AuthoredEvent } from './authoring/author.ts'
import { announceBatch, publishPack } from './authoring/publish.ts'
import { sealReceipts } from './authoring/seal.ts'
import { findSealedBatch, provenReceipts } from './authoring/sealed-batches.ts'
import { localEvent } from './events/local.ts'
import type { Outcome } from './events/outcome.ts'
import type { ImportResult, NodeStatus, Operations, Published } from './http/operations.ts'
import { followBoundKeys, loadBoundKeys } from './ingest/bound-keys.ts'
import { IngestDoor } from './ingest/door.ts'
import { importEvents } from './ingest/import.ts'
import { BlobStore } from './log/blob-store.ts'
import type { CheckpointKeeper } from './log/checkpoint-file.ts'
import type { EventLog } from './log/event-log.ts'
import { listEvents, listed } from './log/list-events.ts'
import { parseRecord } from './log/log-reader.ts'
import { openLog } from './log/open-log.ts'
import type { Store } from './log/store.ts'
import { verifyLog } from './log/verify-log.ts'
import type { GossipVerdict, Network } from './network/network.ts'
import type { Clock } from './platform/clock.ts'
import { AnchormeshError, messageOf } from './platform/errors.ts'
import type { Logger } from './platform/logger.ts'
import type { Random } from './platform/random.ts'
import type { EffectivePolicy } from './policy/policy.ts'
import type { PolicyView } from './policy/policy-view.ts'
import { viewPolicy } from './policy/policy-view.ts'
import { PROJECTIONS } from './projections/all.ts'
import type { ChangesQuery, ProjectionChange } from './projections/changes.ts'
import { followChanges } from './projections/changes.ts'
import { digestNamespace } from './projections/digest.ts'
import { ProjectionEngine } from './projections/engine.ts'
import { queryRows } from './projections/query.ts'
import { Keyring } from './trust/keyring.ts'
import type { Signer } from './trust/signer.ts'

/** Who the node is and what it may do. */
export interface NodeConfig {
  readonly policy: EffectivePolicy
  readonly signer: Signer
  /** The release, for `status`. */
  readonly version: string
  /** How far ahead an event's `ts` may be, in milliseconds; default two minutes. */
  readonly futureSkewMs?: number
}

/** Everything that the node needs of the world. Simulations bring their own. */
export interface NodePorts {
  readonly store: Store
  readonly blobs: Store
  readonly checkpoint: CheckpointKeeper
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Without one the node works on its log alone. */
  readonly network?: Network
}

/** A federation node: its operations, changes of projections, and its life. */
export interface AnchormeshNode extends Operations {
  /** Joins the mesh, if a network was given. Throws `PORT_IN_USE`, `CONFIG_INVALID`. */
  start(): Promise<void>
  /** The rows of a projection, then each change; see `followChanges`. */
  changes(projection: string, query?: ChangesQuery): AsyncIterable<ProjectionChange>
  /** Leaves the mesh, finishes what was taken in, and closes the stores. */
  close(): Promise<void>
}

const FUTURE_SKEW_MS_DEFAULT = 120_000

/** Opens the log, takes the policy into it, brings the projections up to date, and offers the node. Call `start` to join the mesh. */
export async function createNode(config: NodeConfig, ports: NodePorts): Promise<AnchormeshNode> {
  const log = await openLog(ports)
  const policy = viewPolicy(config.policy)
  await enforcePolicy(log, config.policy, ports.clock)
  const engine = await ProjectionEngine.start(PROJECTIONS, { log, store: ports.store, clock: ports.clock, logger: ports.logger })
  await engine.reached(log.head.logSeq, null, 'trust-anchors')
  const keyring = new Keyring()
  await loadBoundKeys(engine, keyring)
  const futureSkewMs = config.futureSkewMs ?? FUTURE_SKEW_MS_DEFAULT
  const door = new IngestDoor({ log, keyring, policy: () => policy, clock: ports.clock, logger: ports.logger, futureSkewMs })
  const author = new Author({ signer: config.signer, log, door, clock: ports.clock })
  const stopFollowing = followBoundKeys({ log, engine, keyring, door, logger: ports.logger })
  return new RunningNode({ config, ports, policy, log, engine, door, author, blobs: new BlobStore(ports.blobs), stopFollowing })
}

/** Each policy that comes into force is a local event, because folds read policy only in the log. */
async function enforcePolicy(log: EventLog, policy: EffectivePolicy, clock: Clock): Promise<void> {
  const body = policy as unknown as JsonObject
  const last = await log.lastPolicy(log.head.logSeq)
  if (last !== undefined && encodeCanonical(last) === encodeCanonical(body)) return
  await log.append([{ scope: 'local', event: localEvent('policy', clock.now(), body) }])
}

interface NodeParts {
  readonly config: NodeConfig
  readonly ports: NodePorts
  readonly policy: PolicyView
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly door: IngestDoor
  readonly author: Author
  readonly blobs: BlobStore
  readonly stopFollowing: () => void
}

class RunningNode implements AnchormeshNode {
  readonly #parts: NodeParts
  readonly #startedAt: number
  readonly #startedMonotonic: number
  /** Batches whose receipts are being read, as many as there are callers: two seals of one batch could both find that it is new. */
  readonly #sealing = new Set<string>()

  constructor(parts: NodeParts) {
    this.#parts = parts
    this.#startedAt = parts.ports.clock.now()
    this.#startedMonotonic = parts.ports.clock.monotonicMs()
  }

  async start(): Promise<void> {
    const { ports } = this.#parts
    await ports.network?.start({ judge: (namespace, wire, peer) => this.#judgeGossip(namespace, wire, peer) })
  }

  async close(): Promise<void> {
    const { ports, engine, log, blobs, stopFollowing } = this.#parts
    await ports.network?.stop()
    stopFollowing()
    await log.close()
    await engine.close()
    await ports.store.close()
    await blobs.close()
  }

  changes(projection: string, query: ChangesQuery = {}): AsyncIterable<ProjectionChange> {
    const { engine, ports, log } = this.#parts
    return followChanges(engine, ports.store, log.epoch, projection, query)
  }

  events: Operations['events'] = (query, signal) => listEvents(this.#parts.log, query, signal)

  event: Operations['event'] = async (id) => {
    const { log } = this.#parts
    const position = await log.find(id)
    const record = position === undefined ? undefined : await log.read(position.logSeq)
    return record === undefined ? null : listed(parseRecord(record))
  }

  query: Operations['query'] = (projection, query) => {
    const { engine, ports, log } = this.#parts
    return queryRows(engine, ports.store, log.epoch, projection, query)
  }

  digest: Operations['digest'] = (namespace) => {
    const { engine, ports, log, policy } = this.#parts
    return digestNamespace(engine, ports.store, policy, log.head.logSeq, namespace)
  }

  submit: Operations['submit'] = async (wire) => {
    const outcome = await this.#parts.door.submit(wire, { via: 'import' })
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

  proofs: Operations['proofs'] = (namespace, batchId) => {
    const { engine, blobs, policy } = this.#parts
    return provenReceipts({ engine, blobs }, { namespace, owner: policy.self.orgId, batchId })
  }

  announce: Operations['announce'] = async (request) => await this.#published(await announceBatch(request, await this.#publishing()))

  publishPack: Operations['publishPack'] = async () => {
    const { orgId, packSeq, packHash, ...authored } = await publishPack(await this.#publishing())
    return { ...(await this.#published(authored)), orgId, packSeq, packHash }
  }

  verifyLog: Operations['verifyLog'] = async (onProgress) => {
    const { store, checkpoint } = this.#parts.ports
    return await verifyLog(store, checkpoint, (done, total) => onProgress?.({ done, total, unit: 'records' }))
  }

  rebuild: Operations['rebuild'] = async (onProgress) =>
    await this.#parts.engine.rebuild(({ projection, done, total }) => onProgress?.({ done, total, unit: `records of ${projection}` }))

  async *exportEvents(namespace?: string): AsyncGenerator<Uint8Array> {
    const { log } = this.#parts
    for await (const { bytes } of listEvents(log, namespace === undefined ? {} : { namespace })) yield Buffer.from(bytes, 'base64url')
  }

  importEvents: Operations['importEvents'] = async (events, onProgress): Promise<ImportResult> =>
    await importEvents(this.#parts.door, events, (done) => onProgress?.({ done, total: null, unit: 'events' }))

  status: Operations['status'] = async (): Promise<NodeStatus> => {
    const { config, ports, policy, log, engine, door } = this.#parts
    const { logSeq, hash } = log.head
    const storeBytes = await ports.store.sizeBytes()
    const namespaces = []
    for (const namespace of policy.namespaces) {
      namespaces.push({ namespace, members: policy.members(namespace).length, events: await log.count(namespace) })
    }
    const projections = engine.status()
    const reasons = projections.filter(({ state }) => state === 'halted').map(({ name, reason }) => `projection ${name} ${reason ?? 'halted'}`)
    if (log.fault !== null) reasons.push(`the log can't be written: ${log.fault}`)
    return {
      did: config.signer.did,
      orgId: policy.self.orgId,
      kid: config.signer.kid,
      version: config.version,
      startedAt: this.#startedAt,
      uptimeMs: Math.round(ports.clock.monotonicMs() - this.#startedMonotonic),
      health: { ok: reasons.length === 0, reasons },
      log: { logSeq, epoch: log.epoch, headHash: toHex(hash), storeBytes, bytesPerEvent: logSeq === 0 ? 0 : Math.round(storeBytes / logSeq) },
      namespaces,
      projections,
      ingest: door.status(),
      network: ports.network?.status() ?? null
    }
  }

  async #sealNew(namespace: string, batchId: string, receipts: Parameters<Operations['seal']>[0]['receipts']): Promise<Awaited<ReturnType<Operations['seal']>>> {
    const { engine, policy, log, blobs, ports } = this.#parts
    if (policy.settings(namespace) === undefined) {
      throw new AnchormeshError('NOT_FOUND', `this node does not carry ${namespace}`, { hint: `it carries: ${policy.namespaces.join(', ')}` })
    }
    const identity = { namespace, owner: policy.self.orgId, batchId }
    await engine.reached(log.head.logSeq, null, 'batches')
    if ((await findSealedBatch({ engine, blobs }, identity)) !== null) {
      throw batchExists(namespace, batchId, 'is sealed already')
    }
    return await sealReceipts(identity, receipts, { log, blobs, clock: ports.clock, random: ports.random })
  }

  async #publishing(): Promise<Parameters<typeof announceBatch>[1]> {
    const { engine, author, policy, blobs, ports, log } = this.#parts
    await engine.reached(log.head.logSeq, null)
    return { engine, blobs, author, policy: () => policy, clock: ports.clock }
  }

  /** The event is durable here; only now does it leave the node. */
  async #published({ id, logSeq, namespace, wire }: AuthoredEvent): Promise<Published> {
    return { id, logSeq, recipients: (await this.#parts.ports.network?.publish(namespace, wire)) ?? 0 }
  }

  #judgeGossip(namespace: string, wire: Uint8Array, peer: string): Promise<GossipVerdict> {
    return new Promise((resolve) => {
      this.#parts.door.submit(wire, { via: 'gossip', peer, namespace }, () => resolve('accept')).then(
        (outcome) => resolve(verdictOf(outcome)),
        (error: unknown) => {
          this.#parts.ports.logger.error({ reason: messageOf(error), peer }, 'an event could not be judged')
          resolve('ignore')
        }
      )
    })
  }
}

/** What gossip is told (DESIGN section 4): a policy refusal is never `reject`, or honest peers would graylist each other. */
function verdictOf(outcome: Outcome): GossipVerdict {
  if (outcome.outcome === 'rejected') return 'reject'
  return outcome.outcome === 'accepted' || outcome.outcome === 'duplicate' ? 'accept' : 'ignore'
}

function batchExists(namespace: string, batchId: string, how: string): AnchormeshError {
  return new AnchormeshError('BATCH_EXISTS', `batch ${batchId} of ${namespace} ${how}`, { hint: 'choose another batch id' })
}

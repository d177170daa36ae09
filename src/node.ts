import { encodeCanonical } from '../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../protocols/canonical-json/v1/json.ts'
import { ReceiptQueue } from './anchoring/receipt-queue.ts'
import { Author } from './authoring/author.ts'
import type { SigningGate } from './authoring/author.ts'
import { Bundles } from './bundles/bundles.ts'
import { bundlePeers } from './bundles/streams.ts'
import { localEvent } from './events/local.ts'
import { followBoundKeys, loadBoundKeys } from './ingest/bound-keys.ts'
import { IngestDoor } from './ingest/door.ts'
import { BlobStore } from './log/blob-store.ts'
import type { EventLog } from './log/event-log.ts'
import { openLog } from './log/open-log.ts'
import type { Clock } from './platform/clock.ts'
import { AnchormeshError, messageOf } from './platform/errors.ts'
import type { EffectivePolicy } from './policy/policy.ts'
import { viewPolicy } from './policy/policy-view.ts'
import { refuseCutOffKey } from './packs/own-key-gate.ts'
import { PROJECTIONS } from './projections/all.ts'
import { NamespaceDigests } from './projections/digest.ts'
import { ProjectionEngine } from './projections/engine.ts'
import { NodeSync } from './sync/node-sync.ts'
import { Keyring } from './trust/keyring.ts'
import { Verification } from './verification/verification.ts'
import type { AnchormeshNode, NodeConfig, NodePorts } from './node-parts.ts'
import { RunningNode } from './running-node.ts'

export type { AnchormeshNode, NodeConfig, NodePorts } from './node-parts.ts'

const FUTURE_SKEW_MS_DEFAULT = 120_000
const REQUEST_SKEW_MS_DEFAULT = 300_000
const SYNC_INTERVAL_MS_DEFAULT = 60_000

/**
 * Opens the log, takes the policy into it, brings the projections up to date, and offers the node. Call `start` to join
 * the mesh.
 */
export async function createNode(config: NodeConfig, ports: NodePorts): Promise<AnchormeshNode> {
  const log = await openLog(ports)
  const policy = viewPolicy(config.policy)
  await enforcePolicy(log, config.policy, ports.clock)
  const engine = await ProjectionEngine.start(PROJECTIONS, {
    log,
    store: ports.store,
    clock: ports.clock,
    logger: ports.logger
  })
  await keysFolded(engine, log.head.logSeq)
  const keyring = new Keyring()
  await loadBoundKeys(engine, keyring)
  const futureSkewMs = config.futureSkewMs ?? FUTURE_SKEW_MS_DEFAULT
  const door = new IngestDoor({
    log,
    keyring,
    policy: () => policy,
    clock: ports.clock,
    logger: ports.logger,
    futureSkewMs,
    signatureVerifiers: ports.signatureVerifiers
  })
  const { network } = ports
  const sync =
    network === undefined
      ? null
      : new NodeSync({
          ...ports,
          streams: network,
          log,
          door,
          self: config.signer,
          policy: () => policy,
          keyGeneration: () => keyring.generation,
          intervalMs: config.syncIntervalMs ?? SYNC_INTERVAL_MS_DEFAULT
        })
  const chains = sync?.ownChains
  const gate: SigningGate = {
    ready: async (namespace) => {
      await chains?.ready(namespace)
      await refuseCutOffKey({ engine, policy: () => policy }, config.signer.kid, namespace)
    },
    signing: (eventId) => chains?.signing(eventId),
    signed: (eventId) => chains?.signed(eventId)
  }
  const author = new Author({ signer: config.signer, log, door, clock: ports.clock, gate })
  const stopFollowing = await followBoundKeys({ log, engine, keyring, door, clock: ports.clock, logger: ports.logger })
  const { store, clock, random, logger, verifiers = [] } = ports
  const blobs = new BlobStore(ports.blobs)
  const verification = new Verification({
    verifiers,
    log,
    engine,
    store,
    blobs,
    policy: () => policy,
    clock,
    random,
    logger
  })
  const digests = new NamespaceDigests({ engine, store, policy: () => policy })
  const queue = new ReceiptQueue({ blobs, clock, random })
  const bundles = new Bundles({
    log,
    engine,
    store,
    blobs,
    queued: queue,
    keyring,
    policy: () => policy,
    signer: config.signer,
    clock,
    random,
    logger,
    requestSkewMs: config.requestSkewMs ?? REQUEST_SKEW_MS_DEFAULT,
    peers: ports.network === undefined ? null : bundlePeers(ports.network, clock),
    isBusy: () => sync?.isTakingIn() ?? false
  })
  await finishErasures(bundles, ports)
  return new RunningNode({
    config,
    ports,
    policy,
    log,
    engine,
    keyring,
    door,
    author,
    digests,
    blobs,
    queue,
    bundles,
    stopFollowing,
    verification,
    sync
  })
}

/**
 * A fold of the packs that halted binds no further keys, but the node opens: or nobody could look at it and rebuild it.
 */
async function keysFolded(engine: ProjectionEngine, logSeq: number): Promise<void> {
  try {
    await engine.reached(logSeq, null, 'trust-anchors')
  } catch (error) {
    if (!(error instanceof AnchormeshError) || error.code !== 'PROJECTION_HALTED') throw error
  }
}

/** Before anything is served. What can't be finished now is at the next start; the node must open to be asked why. */
async function finishErasures(bundles: Bundles, { logger }: NodePorts): Promise<void> {
  try {
    await bundles.open()
  } catch (error) {
    logger.error({ reason: messageOf(error) }, 'receipts that were to be forgotten could not be deleted yet')
  }
}

/** Each policy that comes into force is a local event, because folds read policy only in the log. */
async function enforcePolicy(log: EventLog, policy: EffectivePolicy, clock: Clock): Promise<void> {
  const body = policy as unknown as JsonObject
  const last = await log.lastPolicy(log.head.logSeq)
  if (last !== undefined && encodeCanonical(last) === encodeCanonical(body)) return
  await log.append([{ scope: 'local', event: localEvent('policy', clock.now(), body) }])
}

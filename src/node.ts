import { ReceiptQueue } from './anchoring/receipt-queue.ts'
import { CountedTrail } from './audit/counted-trail.ts'
import { NodeAudit } from './audit/node-audit.ts'
import { Author } from './authoring/author.ts'
import { Bundles } from './bundles/bundles.ts'
import { bundlePeers } from './bundles/streams.ts'
import { followBoundKeys, loadBoundKeys } from './ingest/bound-keys.ts'
import { IngestDoor } from './ingest/door.ts'
import { NonceBook } from './ingest/nonce-book.ts'
import { PeerRates } from './ingest/peer-rates.ts'
import { RequestGuard } from './ingest/request-guard.ts'
import { BlobStore } from './log/blob-store.ts'
import type { EventLog } from './log/event-log.ts'
import { openLog } from './log/open-log.ts'
import { storeWriter } from './log/store-writer.ts'
import { NO_AUDIT } from './platform/audit.ts'
import { messageOf } from './platform/errors.ts'
import { PROJECTIONS } from './projections/all.ts'
import { NamespaceDigests } from './projections/digest.ts'
import { ProjectionEngine } from './projections/engine.ts'
import { NodeSync } from './sync/node-sync.ts'
import { Keyring } from './trust/keyring.ts'
import { Verification } from './verification/verification.ts'
import { LiveSettings } from './live-settings.ts'
import { enforcePolicy, keysFolded } from './node-reload.ts'
import type { AnchormeshNode } from './anchormesh-node.ts'
import type { NodeConfig, NodePorts } from './node-parts.ts'
import { RunningNode } from './running-node.ts'

export type { AnchormeshNode } from './anchormesh-node.ts'
export type { NodeConfig, NodePorts } from './node-parts.ts'

const FUTURE_SKEW_MS_DEFAULT = 120_000
const REQUEST_SKEW_MS_DEFAULT = 300_000
const SYNC_INTERVAL_MS_DEFAULT = 60_000
const RETENTION_DEFAULT = { retentionMs: 365 * 24 * 60 * 60_000, maxRecords: 1_000_000 }

/**
 * Opens the log, takes the policy into it, brings the projections up to date, and offers the node. Call `start` to join
 * the mesh.
 */
export async function createNode(config: NodeConfig, ports: NodePorts): Promise<AnchormeshNode> {
  const log = await openLog(ports)
  const { verifiers = [], anchorers = [] } = ports
  const live = new LiveSettings(config, { verifiers, anchorers })
  const { policy, signer } = live
  const nodeAudit = ports.audit === undefined ? await openAudit(log, config, ports) : null
  const audit = nodeAudit?.trail ?? new CountedTrail(ports.audit ?? NO_AUDIT, ports.clock)
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
  const { network } = ports
  const peerRates = new PeerRates({
    clock: ports.clock,
    onExcess: (peerId) => network?.penalise(peerId, 'rate')
  })
  const door = new IngestDoor({
    log,
    keyring,
    policy,
    clock: ports.clock,
    logger: ports.logger,
    futureSkewMs: () => live.config().futureSkewMs ?? FUTURE_SKEW_MS_DEFAULT,
    signatureVerifiers: ports.signatureVerifiers,
    peerRates,
    audit
  })
  const sync =
    network === undefined
      ? null
      : new NodeSync({
          ...ports,
          streams: network,
          log,
          door,
          signer,
          policy,
          // A policy may let in what was refused, as a key may.
          keyGeneration: () => keyring.generation + live.generation(),
          intervalMs: () => live.config().syncIntervalMs ?? SYNC_INTERVAL_MS_DEFAULT,
          audit
        })
  const gate = sync === null ? {} : { gate: sync.ownChains }
  const author = new Author({
    signer,
    log,
    door,
    clock: ports.clock,
    isCutOff: ({ did, kid }) => engine.trust.restriction(policy().orgOf(did), kid) !== undefined,
    ...gate
  })
  const stopFollowing = await followBoundKeys({ log, engine, keyring, door, clock: ports.clock, logger: ports.logger })
  const { store, clock, random, logger } = ports
  const blobs = new BlobStore(ports.blobs)
  const verification = new Verification({
    verifiers: live.verifiers,
    log,
    engine,
    store,
    blobs,
    policy,
    clock,
    random,
    logger
  })
  const digests = new NamespaceDigests({ engine, store, policy })
  const queue = new ReceiptQueue({ blobs, clock, random })
  const guard = new RequestGuard({
    nonces: new NonceBook({ store, write: storeWriter(store, log), clock }),
    clock,
    self: () => policy().self.did,
    skewMs: () => live.config().requestSkewMs ?? REQUEST_SKEW_MS_DEFAULT
  })
  const bundles = new Bundles({
    log,
    engine,
    store,
    blobs,
    queued: queue,
    keyring,
    policy,
    signer,
    clock,
    random,
    logger,
    guard,
    audit,
    peers: ports.network === undefined ? null : bundlePeers(ports.network, clock),
    peerRates,
    isBusy: () => sync?.isTakingIn() ?? false
  })
  await finishErasures(bundles, ports)
  return new RunningNode({
    live,
    ports,
    audit,
    nodeAudit,
    policy,
    signer,
    log,
    engine,
    keyring,
    door,
    author,
    digests,
    blobs,
    queue,
    guard,
    bundles,
    stopFollowing,
    verification,
    sync
  })
}

async function openAudit(log: EventLog, config: NodeConfig, ports: NodePorts): Promise<NodeAudit> {
  return await NodeAudit.open({
    ...ports,
    log,
    retention: config.audit ?? RETENTION_DEFAULT,
    syslog: ports.syslog ?? null,
    notes: ports.auditNotes ?? null
  })
}

/** Before anything is served. What can't be finished now is at the next start; the node must open to be asked why. */
async function finishErasures(bundles: Bundles, { logger }: NodePorts): Promise<void> {
  try {
    await bundles.open()
  } catch (error) {
    logger.error({ reason: messageOf(error) }, 'receipts that were to be forgotten could not be deleted yet')
  }
}

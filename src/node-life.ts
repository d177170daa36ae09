import { NodeAnchoring } from './anchoring/node-anchoring.ts'
import type { AuthoredEvent } from './authoring/author.ts'
import { EquivocationWatch } from './authoring/equivocation-watch.ts'
import { KeyWatch } from './authoring/key-watch.ts'
import { announceBatch } from './authoring/publish.ts'
import { bundleProtocols } from './bundles/streams.ts'
import { httpTransport } from './http/pack-transport.ts'
import { MeshDoor } from './mesh-door.ts'
import type { NetworkStatus } from './network/network.ts'
import { NodeGateway } from './node-gateway.ts'
import type { NodeParts } from './node-parts.ts'
import { NodeReloading } from './node-reload.ts'
import type { Operations, Published } from './operations.ts'
import { NodePackSync } from './pack-sync/node-pack-sync.ts'
import { NodeTrust } from './packs/node-trust.ts'
import { NodeTransparency } from './transparency/node-transparency.ts'
import { Attester } from './verification/attester.ts'

/** What of a node works by itself: put together here, begun in one order and ended in another. */
export class NodeLife {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly startedMonotonicMs: number
  readonly gateway: NodeGateway
  readonly meshDoor: MeshDoor
  readonly equivocations: EquivocationWatch
  /** `null` where no schedule was given. */
  readonly keyWatch: KeyWatch | null
  readonly anchoring: NodeAnchoring
  readonly reloading: NodeReloading
  readonly trust: NodeTrust
  readonly packSync: NodePackSync
  readonly transparency: NodeTransparency
  readonly #attester: Attester
  readonly #parts: NodeParts
  #joined = false
  #closing: Promise<void> | null = null

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { engine, log, policy, ports, live, author } = parts
    const { clock, logger, store } = ports
    this.startedAt = clock.now()
    this.startedMonotonicMs = clock.monotonicMs()
    this.gateway = new NodeGateway(parts)
    this.equivocations = new EquivocationWatch({ engine, log, policy, self: parts.signer().did, clock, logger })
    const signing = (): string => parts.signer().kid
    const { keys } = live.config()
    this.keyWatch =
      keys === undefined
        ? null
        : new KeyWatch({ engine, policy, signing, schedule: () => live.config().keys ?? keys, clock, logger })
    this.meshDoor = new MeshDoor({ door: parts.door, network: ports.network, logger })
    const publish = (authored: AuthoredEvent): Promise<Published> => this.meshDoor.publish(authored)
    this.#attester = new Attester({ author, publish, log, engine, store, policy, clock, logger })
    this.transparency = new NodeTransparency({
      ...parts,
      store,
      publish,
      clock,
      logger,
      checkpointMs: () => live.config().checkpointMs,
      holdsDraft: () => this.trust.holdsDraft
    })
    this.anchoring = new NodeAnchoring({
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
    this.reloading = new NodeReloading(parts, {
      anchoring: this.anchoring,
      attester: this.#attester,
      transparency: this.transparency,
      gateway: this.gateway,
      isClosing: () => this.#closing !== null
    })
    this.trust = new NodeTrust({
      ...ports,
      ...parts,
      send: publish,
      reload: async () => {
        if (ports.configuration === undefined) return false
        await this.reloading.reloadConfig()
        return true
      }
    })
    this.packSync = new NodePackSync({
      ...ports,
      engine,
      log,
      policy,
      audit: parts.audit,
      skewMs: () => live.config().requestSkewMs,
      submit: (wire, source) => this.meshDoor.submit(wire, source),
      streams: ports.network ?? null,
      sources: () => live.config().packSources ?? {},
      http: (address) => httpTransport(address, clock)
    })
  }

  /** The mesh as it is now; `null` without a network, and before it is joined. */
  get mesh(): NetworkStatus | null {
    return this.#joined ? (this.#parts.ports.network?.status() ?? null) : null
  }

  /** Whether it joined the mesh. */
  get isJoined(): boolean {
    return this.#joined
  }

  /** Announces a batch, once the projection that is read for it is up to date. */
  async announce(request: Parameters<Operations['announce']>[0]): Promise<Published> {
    const { engine, author, policy, blobs, log } = this.#parts
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'batches')
    return await this.meshDoor.publish(await announceBatch(request, { engine, blobs, author, policy }))
  }

  /** See `AnchormeshNode.start`. */
  async start(): Promise<void> {
    const { ports, verification, sync, bundles } = this.#parts
    await ports.network?.start({
      judge: (namespace, wire, peer) => this.meshDoor.judge(namespace, wire, peer),
      protocols: { ...sync?.protocols, ...bundleProtocols(bundles, ports.clock), ...this.packSync.protocols },
      connected: (peerId) => {
        sync?.connected(peerId)
        bundles.connected(peerId)
      },
      disconnected: (peerId) => sync?.disconnected(peerId)
    })
    this.#joined = true
    await this.trust.start()
    verification.start()
    bundles.start()
    this.equivocations.start()
    this.keyWatch?.start()
    this.#attester.start()
    this.anchoring.start()
    this.#parts.nodeAudit?.start()
    this.transparency.start()
    await this.gateway.start()
  }

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
      () => this.transparency.stop(),
      // At once: an announce may wait for peers, whom sync calls off.
      async () => void (await Promise.all([this.anchoring.stop(), sync?.stop(), this.packSync.stop()])),
      () => this.#attester.stop(),
      () => ports.network?.stop(),
      () => verification.stop(),
      () => bundles.stop(),
      () => this.equivocations.stop(),
      () => this.trust.stop(),
      () => this.keyWatch?.stop(),
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
}

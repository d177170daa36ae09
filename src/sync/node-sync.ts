import { AnchormeshError } from '../platform/errors.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { PeerStream } from '../streams/peer-stream.ts'
import type { OwnChainsPorts } from './own-chains.ts'
import { OwnChains } from './own-chains.ts'
import type { SessionProgress } from './session.ts'
import type { SyncRequest, SyncResult } from './sync-operation.ts'
import { syncNamespace } from './sync-operation.ts'
import type { PeerSyncStatus, SessionEnds } from './session-book.ts'
import type { SyncPorts } from './sync-service.ts'
import { RANGE_SYNC_PROTOCOL, SyncService } from './sync-service.ts'

/** Everything that range-sync is to a node that has a mesh. */
export class NodeSync {
  readonly ownChains: OwnChains
  /** The streams that peers open for it, by protocol. */
  readonly protocols: Readonly<Record<string, (stream: PeerStream) => Promise<void>>>
  readonly #ports: NodeSyncPorts
  readonly #service: SyncService

  constructor(ports: NodeSyncPorts) {
    this.#ports = ports
    const connected = (): readonly string[] => ports.streams.connected()
    const isSyncing = (namespace: string): boolean => this.#service.isSyncing(namespace)
    const ownChains = new OwnChains({ ...ports, connected, isSyncing })
    this.ownChains = ownChains
    this.#service = new SyncService({ ...ports, onSession: (session) => ownChains.noteSession(session) })
    this.protocols = { [RANGE_SYNC_PROTOCOL]: (stream) => this.#service.serve(stream) }
  }

  connected(peerId: string): void {
    this.ownChains.noteConnected()
    this.#service.connected(peerId)
  }

  disconnected(peerId: string): void {
    this.#service.disconnected(peerId)
  }

  /** Another policy is in force. */
  policyChanged(): void {
    this.ownChains.policyChanged()
    this.#service.policyChanged()
  }

  /** Events came in by neither gossip nor sync: peers are asked whether they have them. */
  changedHere(): void {
    this.#service.changedHere()
  }

  /** Whether a session is taking in more than a moment's events. */
  isTakingIn(): boolean {
    return this.#service.isTakingIn()
  }

  status(): readonly PeerSyncStatus[] {
    return this.#service.status()
  }

  get ends(): SessionEnds {
    return this.#service.ends
  }

  /** What the operator should know. */
  warnings(): readonly string[] {
    const behind = this.ownChains.behind.map(
      (namespace) =>
        `peers hold more of this node's own chain in ${namespace}: nothing is signed until it has caught up`
    )
    return [...behind, ...this.#unrouted()]
  }

  /** Namespaces for which nobody can be asked, because none of those whom routing names is connected. */
  #unrouted(): readonly string[] {
    const { policy, streams } = this.#ports
    const view = policy()
    const connected = new Set(streams.connected().map((peerId) => view.didOfPeer(peerId)))
    return view.namespaces
      .filter((namespace) => view.routing(namespace)?.some((did) => connected.has(did)) === false)
      .map((namespace) => `none of the peers that routing.ask names for ${namespace} is connected: nobody is asked`)
  }

  /** See `syncNamespace`. */
  async sync(
    request: SyncRequest,
    onProgress: (progress: SessionProgress) => void = () => {}
  ): Promise<readonly SyncResult[]> {
    const { policy, clock } = this.#ports
    return await syncNamespace({ service: this.#service, policy: policy(), clock }, request, onProgress)
  }

  async stop(): Promise<void> {
    this.ownChains.stop()
    await this.#service.stop()
  }
}

/** What range-sync works with. */
export type NodeSyncPorts = Omit<SyncPorts, 'onSession'> &
  Omit<OwnChainsPorts, 'connected' | 'isSyncing' | 'log'> & { readonly policy: () => PolicyView }

/** The failure of a node that has no mesh. */
export function withoutMesh(): AnchormeshError {
  return new AnchormeshError('NODE_NOT_RUNNING', 'there is nobody to sync with: the node has no mesh', {
    hint: 'start it first: anchormesh start'
  })
}

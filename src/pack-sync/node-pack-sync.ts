import { toHex } from '../../protocols/primitives/bytes.ts'
import type { Outcome } from '../events/outcome.ts'
import type { EventSource } from '../ingest/source.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { organisationRoot, storedPacks } from '../projections/packs.ts'
import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'
import { storedAnchorStore } from './anchor-store.ts'
import { fileTransport } from './file-transport.ts'
import { logShelf } from './log-shelf.ts'
import { nodeAnchorStore } from './node-anchors.ts'
import type { PlanQuery, SyncPlan } from './plan.ts'
import { planAnchorSync } from './plan.ts'
import { PackSyncBook } from './outcomes.ts'
import type { PackSyncCounts } from './outcomes.ts'
import type { PackPushResult } from './push.ts'
import { pushAnchorPack } from './push.ts'
import type { SyncResult } from './result.ts'
import { runAnchorSync } from './run.ts'
import type { PackAsker } from './server.ts'
import { PackServer } from './server.ts'
import type { PackShelf } from './shelf.ts'
import { packSyncProtocols, streamTransport } from './streams.ts'
import type { AnchorDoor, AnchorSyncOptions, SyncedOrganisation } from './sync-options.ts'
import type { PackTransport } from './transport.ts'

// A key that a pack brings is bound within a second of the disk; then what waited for it is taken up by itself.
const SETTLE_MS_MAX = 5_000

export type PackPullQuery = PlanQuery

export interface PackPushQuery {
  /** Whose sources get this organisation's packs; all that have any, where neither is said. */
  readonly orgId?: string
  /** `http(s)://…`, `file:PATH` or the DID of a peer. */
  readonly to?: string
}

type OnProgress = (progress: { readonly done: number; readonly total: number | null; readonly unit: string }) => void

/** Packs beside the mesh, for those who operate a node. */
export interface PackSyncOperations {
  /** What `pullPacks` would do. Throws `NOT_FOUND` for an organisation that nobody knows, `USAGE` for its own. */
  planPackSync(query: PackPullQuery): Promise<SyncPlan>
  /** Pulls the packs of other organisations from their sources. Throws as `planPackSync`. */
  pullPacks(query: PackPullQuery, onProgress?: OnProgress): Promise<readonly SyncResult[]>
  /** Gives this organisation's packs to others. Throws `NOT_FOUND`, and `USAGE` where there is nobody to give them to. */
  pushPacks(query: PackPushQuery, onProgress?: OnProgress): Promise<readonly PackPushResult[]>
}

export interface NodePackSyncPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly audit: AuditTrail
  /** From how far a clock is off a person is told, in milliseconds; default five minutes. */
  readonly skewMs: () => number | undefined
  /** Takes an event in by the door, and passes what is new on. */
  readonly submit: (wire: Uint8Array, source: EventSource) => Promise<Outcome>
  /** `null` without a mesh. */
  readonly streams: PeerStreams | null
  /** Where packs can be had, by organisation. */
  readonly sources: () => Readonly<Record<string, readonly string[]>>
  /** What speaks HTTP to a source. */
  readonly http: (address: string) => PackTransport
}

/** The part of a node that exchanges packs with organisations beside the mesh, and serves its own to them. */
export class NodePackSync implements PackSyncOperations {
  readonly server: PackServer
  readonly #ports: NodePackSyncPorts
  readonly #shelf: PackShelf
  /** Two syncs of one organisation would write each other's state. */
  readonly #inTurn = new InTurn()
  readonly #stop = new AbortController()
  readonly #book = new PackSyncBook()

  constructor(ports: NodePackSyncPorts) {
    this.#ports = ports
    const { log, engine, policy, clock, logger, audit, submit } = ports
    this.#shelf = logShelf({ log, engine, knows: (orgId) => knownOrganisations(policy()).has(orgId) })
    const take = (wire: Uint8Array, { via, address }: PackAsker): Promise<Outcome> =>
      submit(wire, { via, peer: address, namespace: TRUST_NAMESPACE })
    this.server = new PackServer({ shelf: this.#shelf, policy, submit: take, clock, logger, audit })
  }

  /** What serves the streams of peers. */
  get protocols(): Readonly<Record<string, (stream: PeerStream) => Promise<void>>> {
    const { policy, clock } = this.#ports
    return packSyncProtocols(this.server, (peerId) => policy().didOfPeer(peerId), clock)
  }

  get counts(): PackSyncCounts {
    return this.#book.counts
  }

  planPackSync = async (query: PackPullQuery): Promise<SyncPlan> => {
    this.#requireOther(query.orgId)
    await this.#folded()
    return await planAnchorSync(this.#options(query), query)
  }

  pullPacks = async (query: PackPullQuery, onProgress: OnProgress = () => {}): Promise<readonly SyncResult[]> =>
    await this.#inTurn.run(async () => {
      const plan = await this.planPackSync(query)
      const told = ({ packs, total }: { readonly packs: number; readonly total: number }): void =>
        onProgress({ done: packs, total, unit: 'packs' })
      const run = { signal: this.#stop.signal, onProgress: told }
      return this.#book.pulled(await runAnchorSync(plan, this.#options(query), run))
    })

  pushPacks = async (query: PackPushQuery, onProgress: OnProgress = () => {}): Promise<readonly PackPushResult[]> =>
    await this.#inTurn.run(() => this.#push(query, onProgress))

  /** Ends what is under way; it goes on at the next sync. */
  async stop(): Promise<void> {
    this.#stop.abort(new AnchormeshError('NODE_NOT_RUNNING', 'the node is stopping'))
    await this.#inTurn.idle()
  }

  async #push({ orgId, to }: PackPushQuery, onProgress: OnProgress): Promise<readonly PackPushResult[]> {
    this.#stop.signal.throwIfAborted()
    this.#requireOther(orgId)
    await this.#folded()
    const { policy, audit, random } = this.#ports
    const view = policy()
    const results: PackPushResult[] = []
    for (const target of this.#targets(orgId, to)) {
      const transport = this.#transport(target.address)
      if (transport === null)
        throw new AnchormeshError('USAGE', `nothing here speaks to ${target.address}`, { hint: SOURCES_HINT })
      const self = view.self.orgId
      const request = { orgId: self, from: self, to: target.orgId, transport, shelf: this.#shelf, policy: view.policy }
      const requestId = toHex(random.bytes(8))
      const told = (done: number, total: number): void => onProgress({ done, total, unit: 'packs' })
      const run = { signal: this.#stop.signal, onProgress: told }
      results.push(this.#book.pushed(await pushAnchorPack({ ...request, audit, requestId }, run)))
    }
    return results
  }

  #requireOther(orgId: string | undefined): void {
    if (orgId === undefined) return
    const view = this.#ports.policy()
    if (orgId === view.self.orgId)
      throw new AnchormeshError('USAGE', `${orgId} is this node's own organisation`, { hint: 'Name another one.' })
    if (!knownOrganisations(view).has(orgId))
      throw new AnchormeshError('NOT_FOUND', `peers.yaml knows no organisation ${orgId}`, {
        hint: 'Add one of its nodes under `peers`, with its keys, and itself under `organisations`.'
      })
  }

  #targets(
    orgId: string | undefined,
    to: string | undefined
  ): { readonly address: string; readonly orgId: string | null }[] {
    const sources = this.#ports.sources()
    const ownerOf = (address: string): string | null => {
      if (address.startsWith('file:')) return null
      const byDid = this.#ports.policy().orgOf(address)
      return byDid ?? Object.entries(sources).find(([, listed]) => listed.includes(address))?.[0] ?? orgId ?? '*'
    }
    if (to !== undefined) return [{ address: to, orgId: ownerOf(to) }]
    const chosen = orgId === undefined ? Object.values(sources).flat() : (sources[orgId] ?? [])
    if (chosen.length === 0) {
      const whom = orgId === undefined ? 'any organisation' : orgId
      throw new AnchormeshError('USAGE', `no source of ${whom} is configured`, { hint: SOURCES_HINT })
    }
    return chosen.map((address) => ({ address, orgId: ownerOf(address) }))
  }

  #transport = (source: string): PackTransport | null => {
    const { clock, http, streams, policy } = this.#ports
    if (source.startsWith('file:')) return fileTransport(source.slice('file:'.length), clock)
    if (/^https?:\/\//.test(source) && URL.canParse(source)) return http(source)
    const peerId = policy().policy.peers.find(({ did }) => did === source)?.peerId
    if (streams === null || peerId === undefined) return null
    return streamTransport({ streams, peerId, name: source, clock })
  }

  #options({ orgId }: PackPullQuery): AnchorSyncOptions {
    const { store, policy, clock, audit, random, engine } = this.#ports
    const skewMs = this.#ports.skewMs()
    const view = policy()
    return {
      store: nodeAnchorStore(storedAnchorStore(store), { engine, log: this.#ports.log, policy: () => view }),
      orgId: view.self.orgId,
      policy: view.policy,
      organisations: this.#organisations(view, orgId),
      transport: this.#transport,
      clock,
      audit,
      requestId: () => toHex(random.bytes(8)),
      door: this.#door(),
      ...(skewMs === undefined ? {} : { skewMs })
    }
  }

  #organisations(view: PolicyView, only: string | undefined): SyncedOrganisation[] {
    const sources = this.#ports.sources()
    const others = [...knownOrganisations(view)].filter((orgId) => orgId !== view.self.orgId)
    return others
      .filter((orgId) => only === undefined || orgId === only)
      .toSorted()
      .map((orgId) => ({
        root: organisationRoot(orgId, view),
        dids: view.policy.peers.filter((peer) => peer.orgId === orgId).map(({ did }) => did),
        sources: sources[orgId] ?? []
      }))
  }

  #door(): AnchorDoor {
    return {
      submit: (wire) => this.#ports.submit(wire, { via: 'import' }),
      settled: (orgId, hash) => this.#settled(orgId, hash)
    }
  }

  /** Waits a little for keys that are bound behind the fold, and for what waited for them. */
  async #settled(orgId: string, hash: string | null): Promise<void> {
    const { engine, policy, clock } = this.#ports
    let late = false
    let wake = (): void => {}
    const cancel = clock.after(SETTLE_MS_MAX, () => {
      late = true
      wake()
    })
    const stopEngine = engine.onAdvanced(() => wake())
    const stopped = (): void => wake()
    this.#stop.signal.addEventListener('abort', stopped)
    try {
      for (;;) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await this.#folded()
        const { head, frozen } = await storedPacks(engine, orgId, policy())
        if (late || frozen || hash === null || head.hash === hash || this.#stop.signal.aborted) return
        await promise
      }
    } finally {
      cancel()
      stopEngine()
      this.#stop.signal.removeEventListener('abort', stopped)
    }
  }

  async #folded(): Promise<void> {
    const { engine, log } = this.#ports
    await engine.reached(log.head.logSeq, null, 'trust-anchors')
  }
}

const SOURCES_HINT =
  'A source is http(s)://…, file:PATH or the DID of a peer; peers.yaml lists them under organisations.'

function knownOrganisations({ policy, self }: PolicyView): ReadonlySet<string> {
  return new Set([
    self.orgId,
    ...policy.peers.map(({ orgId }) => orgId),
    ...policy.organisations.map(({ orgId }) => orgId)
  ])
}

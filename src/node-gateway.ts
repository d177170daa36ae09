import { ReaderAccess } from './access/reader-access.ts'
import { AccessTokens } from './access/tokens.ts'
import { Deliveries } from './deliveries/deliveries.ts'
import type { FederationServing } from './deliveries/federation.ts'
import { nodeDocument } from './deliveries/node-document.ts'
import { storeWriter } from './log/store-writer.ts'
import { Findings } from './findings/findings.ts'
import { MeshDoor } from './mesh-door.ts'
import type { NodeParts } from './node-parts.ts'
import { PartnerRegistry } from './partners/partner-registry.ts'
import { PartnerRequests } from './partners/partner-requests.ts'
import { ReceiptParts } from './proofs/receipt-parts.ts'
import { readinessReasons } from './readiness.ts'
import { SubscriptionHub } from './subscriptions/hub.ts'
import { LogProofs } from './transparency/log-proofs.ts'

/** What a node offers apps and partners beside its operations. */
export class NodeGateway {
  readonly tokens: AccessTokens
  /** Who may read what. */
  readonly access: ReaderAccess
  /** Who follows the node's projections. */
  readonly subscriptions: SubscriptionHub
  /** What rows of `receipts` show on request. */
  readonly receiptParts: ReceiptParts
  /** Who may sign requests over HTTP. */
  readonly partners: PartnerRegistry
  /** What every kind of request that partners sign goes through. */
  readonly requests: PartnerRequests
  readonly federation: FederationServing
  /** What partners deliver. */
  readonly deliveries: Deliveries
  /** What agents report for tenants, and what is said of it. */
  readonly findings: Findings
  readonly #parts: NodeParts
  #state: 'opening' | 'started' | 'stopping' = 'opening'

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { ports, log, engine, policy, guard, audit } = parts
    this.tokens = new AccessTokens({ ...ports, ...parts, write: storeWriter(ports.store, log) })
    this.access = new ReaderAccess({ ...ports, ...parts, tokens: this.tokens })
    this.receiptParts = new ReceiptParts({ ...parts, store: ports.store })
    this.subscriptions = new SubscriptionHub({
      ...ports,
      engine,
      policy,
      epoch: log.epoch,
      again: (scope) => this.access.again(scope),
      visibility: this.access.visibility
    })
    this.access.onRevoked(this.settingsChanged)
    this.partners = new PartnerRegistry({ ...ports, ...parts })
    this.requests = new PartnerRequests({ guard, partners: this.partners, audit })
    this.deliveries = new Deliveries({
      ...ports,
      ...parts,
      requests: this.requests,
      proofs: new LogProofs({ ...ports, ...parts })
    })
    this.federation = federationOf(parts, this.partners, this.deliveries)
    this.findings = new Findings({ ...ports, ...parts, partners: this.partners })
  }

  /** Begins what works by itself. */
  async start(): Promise<void> {
    await this.partners.start()
    this.#state = 'started'
  }

  /** Ends what works by itself; subscribers are told. */
  async stop(): Promise<void> {
    this.#state = 'stopping'
    this.partners.stop()
    await this.subscriptions.stop()
    await this.findings.idle()
  }

  /** What readers may see may be another now: those who follow rows are looked at again. */
  readonly settingsChanged = (): void => this.subscriptions.recheck()

  /** Moves whenever an answer from projections or the log may be another than before. */
  readonly revision = (): number => this.#parts.engine.revision

  /** Why apps should be sent to another node, one sentence each; empty: this one is ready. */
  readonly readiness = (): readonly string[] => readinessReasons(this.#parts, this.#state)

  /** Whose client certificate has this pin, by the configuration in force. */
  readonly didOfPin = (pin: string): string | null => this.#parts.live.config().certificatePins?.get(pin) ?? null
}

function federationOf(parts: NodeParts, partners: PartnerRegistry, deliveries: Deliveries): FederationServing {
  const { ports, bundles, door, policy, signer } = parts
  const meshDoor = new MeshDoor({ door, network: ports.network, logger: ports.logger })
  return {
    announce: (wire, address) => meshDoor.submit(wire, { via: 'http', peer: address }),
    request: (wire, address) => bundles.answerClient(wire, address),
    challenge: (body, address) => deliveries.challenge(body, { address, subject: 'challenge' }),
    deliver: (body, address) => deliveries.deliver(body, { address, subject: 'deliver' }),
    document: () =>
      nodeDocument({ policy: policy(), signer: signer(), partners, peerId: ports.network?.status().peerId ?? null })
  }
}

import type { Author, AuthoredEvent } from '../authoring/author.ts'
import type { IngestDoor } from '../ingest/door.ts'
import type { EventLog } from '../log/event-log.ts'
import type { AuditTrail } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { knowsPack } from '../projections/pack-history.ts'
import { isPack } from '../projections/packs.ts'
import { memorySignerRegistry } from '../trust/memory-signer-registry.ts'
import type { SignerRegistry } from '../trust/signer-registry.ts'
import type { TrustPins } from '../trust/trust-pins.ts'
import { audited } from './audited.ts'
import { FreezeWatch } from './freeze-watch.ts'
import { NodeKeys } from './node-keys.ts'
import { NodePacks } from './node-packs.ts'
import type { NodePacksPorts } from './node-packs.ts'
import { readDraft } from './pack-draft.ts'
import type { PackOperations } from './pack-operations.ts'
import { proveKey, viewDraft, viewPacks } from './pack-views.ts'

export interface NodeTrustPorts {
  readonly author: Author
  readonly door: IngestDoor
  readonly engine: ProjectionEngine
  readonly log: EventLog
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly audit?: AuditTrail | undefined
  /** By default one in memory, which holds the node's own key. */
  readonly signers?: SignerRegistry | undefined
  /** Without it packs can't be pinned by command. */
  readonly pins?: TrustPins | undefined
  /**
   * Has the node take its configuration and keys in anew; it must not wait for an event of this node. Answers whether it
   * has; by default it has to be started again.
   */
  readonly reload?: (() => Promise<boolean>) | undefined
  readonly send: (event: AuthoredEvent) => ReturnType<NodePacksPorts['send']>
}

const DRAFT_WAITS =
  'a draft of a pack waits for signatures; until then no other pack is made and no checkpoint is gossiped ' +
  '(anchormesh pack publish FILE completes it, --discard-draft makes another one)'

/** A node's part in keys and packs: `PackOperations`, and what it does by itself when packs come. */
export class NodeTrust implements PackOperations {
  readonly #ports: NodeTrustPorts
  readonly #audit: AuditTrail
  readonly #registry: SignerRegistry
  readonly #packs: NodePacks
  readonly #keys: NodeKeys
  readonly #freezes: FreezeWatch
  #stopFollowing: () => void = () => {}
  /** Whether packs came that were not looked at yet. */
  #isDue = true
  #following: Promise<void> | null = null
  #isStopped = false

  constructor(ports: NodeTrustPorts) {
    this.#ports = ports
    const { author, clock, random, signers, audit = NO_AUDIT } = ports
    this.#audit = audit
    this.#registry = signers ?? memorySignerRegistry(author.signer, random)
    const signer = () => author.signer
    const shared = { ...ports, audit, registry: this.#registry, signer, clock }
    this.#packs = new NodePacks({ ...shared, signerMoved: () => this.#reload() })
    this.#keys = new NodeKeys({ ...shared, packs: this.#packs })
    this.#freezes = new FreezeWatch(ports)
  }

  /**
   * From now on what packs bring is taken note of as it comes: a key that is good now, a draft that is done. Resolves
   * when what came before is.
   */
  async start(): Promise<void> {
    this.#stopFollowing = this.#ports.log.onAppended((records) => {
      this.#isDue ||= records.some(isPack)
      this.#goOn()
    })
    this.#goOn()
    await this.#following
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopFollowing()
    await this.#following
  }

  /** Whether a draft of this node waits for signatures; nothing else may take its place in the chain meanwhile. */
  get holdsDraft(): boolean {
    return this.#packs.holdsDraft
  }

  /** What the operator should know of this node's keys, and of the packs of all organisations. */
  async warnings(): Promise<readonly string[]> {
    const freezes = await this.#freezes.warnings()
    const { kid } = this.#ports.author.signer
    const { keys, signing } = await this.#registry.held()
    const waiting = [...freezes, ...(await this.#draftWarnings())]
    if (signing === kid || !keys.some((key) => key.kid === signing)) return waiting
    return [
      ...waiting,
      `events are still signed with ${kid}: start the node again to sign with ${signing}, which the packs have now`
    ]
  }

  async #draftWarnings(): Promise<readonly string[]> {
    try {
      return (await this.#packs.waitingDraft()) === null ? [] : [DRAFT_WAITS]
    } catch (error) {
      // A file that somebody damaged must not keep the rest of the status from them.
      return [`the draft of a pack that waits here can't be read: ${messageOf(error)}`]
    }
  }

  signers: PackOperations['signers'] = () => this.#keys.list()
  addKey: PackOperations['addKey'] = (request) => this.#keys.add(request)
  rotateKey: PackOperations['rotateKey'] = (request) => this.#keys.rotate(request)
  retireKey: PackOperations['retireKey'] = (request) => this.#keys.retire(request)
  revokeKey: PackOperations['revokeKey'] = (request) => this.#keys.revoke(request)
  setKeyThreshold: PackOperations['setKeyThreshold'] = ({ threshold }) => this.#keys.setThreshold(threshold)
  publishPack: PackOperations['publishPack'] = (request = {}) => this.#packs.publish(request)
  draftPack: PackOperations['draftPack'] = (request = {}) => this.#packs.draft(request)
  signPack: PackOperations['signPack'] = (draft, request = {}) => this.#packs.sign(draft, request)
  completePack: PackOperations['completePack'] = (draft) => this.#packs.complete(draft)
  packs: PackOperations['packs'] = (query) => this.#packs.inTurn(() => viewPacks(this.#ports, query))
  viewDraft: PackOperations['viewDraft'] = (draft) => this.#packs.inTurn(() => viewDraft(this.#ports, readDraft(draft)))
  trustProof: PackOperations['trustProof'] = (query) => this.#packs.inTurn(() => proveKey(this.#ports, query))

  pinPack: PackOperations['pinPack'] = async (pin) => {
    const { pins, engine } = this.#ports
    const { orgId, packSeq, hash } = pin
    const pinned = await audited(
      this.#audit,
      { action: 'TRUST_PINNED', actor: 'operator', subject: orgId },
      () =>
        this.#packs.inTurn(async () => {
          if (pins === undefined) {
            throw new AnchormeshError('PINS_NOT_KEPT', 'this node was given its configuration, and can’t change it', {
              hint: 'Name the pin under organisations[].pins of the policy that you give it.'
            })
          }
          const isKnown = await knowsPack(engine, orgId, pin)
          const isChanged = await pins.pin(pin)
          return { ...pin, isKnown, isChanged }
        }),
      ({ isKnown, isChanged }) => ({ packSeq, hash, isKnown, isChanged })
    )
    return { ...pinned, isInForce: pinned.isChanged ? await this.#reload() : true }
  }

  async #reload(): Promise<boolean> {
    return (await this.#ports.reload?.()) ?? false
  }

  #goOn(): void {
    if (!this.#isDue || this.#isStopped) return
    this.#following ??= this.#follow().finally(() => {
      this.#following = null
      this.#goOn()
    })
  }

  async #follow(): Promise<void> {
    try {
      while (this.#isDue && !this.#isStopped) {
        this.#isDue = false
        await this.#packs.settle()
        await this.#freezes.look()
      }
    } catch (error) {
      // The registry's file may be away just now; the next pack, or the next start, looks again.
      if (!this.#isStopped)
        this.#ports.logger.error({ reason: messageOf(error) }, 'what packs changed could not be noted')
    }
  }
}

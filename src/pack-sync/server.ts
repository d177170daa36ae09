import type { PackErrorCode, PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { PackRequest } from '../../protocols/pack-sync/v1/request.ts'
import type { Outcome } from '../events/outcome.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { checkCrossOrgPolicy } from '../policy/cross-org.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { PackShelf } from './shelf.ts'
import { servePage } from './shelf.ts'
import type { PullAnswer, PushAnswer } from './transport.ts'
import { isPackEvent } from './walk.ts'

// A page under way is up to 1 MiB, and as much again in the events that it is made of.
export const PACK_REQUESTS_AT_ONCE_MAX = 8
// One asker must not keep the others out; by itself a node has one under way.
export const PACK_REQUESTS_OF_ASKER_MAX = 2

/** Who asks: the DID that a connection proved, or only where it came from. */
export interface PackAsker {
  /** `null` where the transport proves nobody. */
  readonly did: string | null
  /** The PeerId, or the address of an HTTP client (IPv6: its network): what the door's limits count. */
  readonly address: string
  readonly via: 'sync' | 'http'
}

export interface PackServerPorts {
  readonly shelf: PackShelf
  readonly policy: () => PolicyView
  readonly submit: (wire: Uint8Array, asker: PackAsker) => Promise<Outcome>
  readonly clock: Clock
  readonly logger: Logger
  readonly audit: AuditTrail
}

/** What others ask of this node's packs, whatever they ask by. */
export interface PackServing {
  packPage(request: PackRequest, asker: PackAsker): Promise<PullAnswer>
  takePack(wire: Uint8Array, asker: PackAsker): Promise<PushAnswer>
}

/** Answers those who pull packs from this node, or push theirs. Never rejects: what goes wrong here is `busy`. */
export class PackServer implements PackServing {
  readonly #ports: PackServerPorts
  readonly #underWay = new Map<string, number>()
  #running = 0

  constructor(ports: PackServerPorts) {
    this.#ports = ports
  }

  async packPage(request: PackRequest, asker: PackAsker): Promise<PullAnswer> {
    return await this.#limited(asker, async () => {
      const { shelf, clock, policy } = this.#ports
      // Packs are public; only who is known can be one whom policy keeps from them.
      const from = asker.did === null ? undefined : policy().orgOf(asker.did)
      if (asker.did !== null && from === undefined) return refused('denied', `${asker.did} is not known here`)
      const check =
        from === undefined
          ? { ok: true as const }
          : checkCrossOrgPolicy(policy().policy, { from, to: request.orgId, operation: 'pack-pull' })
      return check.ok ? await servePage(shelf, request, clock) : refused('denied', check.detail)
    })
  }

  async takePack(wire: Uint8Array, asker: PackAsker): Promise<PushAnswer> {
    return await this.#limited(asker, async () => {
      const decoding = decodeEvent(wire)
      if (!decoding.ok) return said({ outcome: 'rejected', code: decoding.code, detail: decoding.detail })
      const { event } = decoding
      const { namespace, signer } = event.envelope
      if (namespace !== TRUST_NAMESPACE)
        return said({ outcome: 'ignored', code: 'NAMESPACE_NOT_CARRIED', detail: `only events of ${TRUST_NAMESPACE}` })
      const view = this.#ports.policy()
      const from = view.orgOf(asker.did ?? signer)
      if (from === undefined)
        return said({
          outcome: 'ignored',
          code: 'SIGNER_NOT_MEMBER',
          detail: `${asker.did ?? signer} is not known here`
        })
      const check = checkCrossOrgPolicy(view.policy, { from, to: view.self.orgId, operation: 'pack-push' })
      const { orgId } = event.envelope.body
      const subject = typeof orgId === 'string' ? orgId : from
      if (!check.ok) {
        if (isPackEvent(event)) this.#audit(asker, subject, 'refused', check.code)
        return refused('denied', check.detail)
      }
      const outcome = await this.#ports.submit(wire, asker)
      const code = 'code' in outcome ? outcome.code : ''
      const isTaken = outcome.outcome === 'accepted' || outcome.outcome === 'duplicate'
      if (isPackEvent(event) && outcome.outcome !== 'duplicate')
        this.#audit(asker, subject, isTaken ? 'ok' : 'refused', isTaken ? null : code)
      return said({ outcome: outcome.outcome, code, detail: 'detail' in outcome ? outcome.detail : '' })
    })
  }

  async #limited<Answer>(asker: PackAsker, work: () => Promise<Answer>): Promise<Answer | Refused> {
    const name = asker.did ?? asker.address
    const underWay = this.#underWay.get(name) ?? 0
    if (this.#running >= PACK_REQUESTS_AT_ONCE_MAX || underWay >= PACK_REQUESTS_OF_ASKER_MAX)
      return refused('busy', 'as many requests as are taken are under way')
    this.#running += 1
    this.#underWay.set(name, underWay + 1)
    try {
      return await work()
    } catch (error) {
      this.#ports.logger.error({ reason: messageOf(error), asker: name }, 'a request for packs could not be answered')
      return refused('busy', 'the node can not answer just now')
    } finally {
      this.#running -= 1
      const left = (this.#underWay.get(name) ?? 1) - 1
      if (left === 0) this.#underWay.delete(name)
      else this.#underWay.set(name, left)
    }
  }

  #audit(asker: PackAsker, subject: string, outcome: 'ok' | 'refused', code: string | null): void {
    const action = outcome === 'ok' ? 'FED_ANCHOR_SYNC_APPLY' : 'FED_ANCHOR_SYNC_REJECT'
    const detail = { source: `pushed by ${asker.did ?? asker.address}` }
    this.#ports.audit.record({ action, actor: asker.did ?? asker.address, subject, outcome, code, detail })
  }
}

type Refused = { readonly ok: false; readonly reason: 'refused'; readonly code: PackErrorCode; readonly detail: string }

function refused(code: PackErrorCode, detail: string): Refused {
  return { ok: false, reason: 'refused', code, detail }
}

function said(outcome: PushOutcome): PushAnswer {
  return { ok: true, outcome }
}

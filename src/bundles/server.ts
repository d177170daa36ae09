import type { BundleAnswer, BundleErrorCode } from '../../protocols/bundle/v1/answer.ts'
import type { BundlePage } from '../../protocols/bundle/v1/page.ts'
import { encodePage } from '../../protocols/bundle/v1/page.ts'
import type { BundleRequest } from '../../protocols/bundle/v1/request.ts'
import { decodeRequest } from '../../protocols/bundle/v1/request.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { PeerRates } from '../ingest/peer-rates.ts'
import type { RequestCheck, RequestCode, RequestGuard } from '../ingest/request-guard.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { Places } from '../platform/places.ts'
import type { CrossOrgVerdict } from '../policy/cross-org.ts'
import { checkCrossOrgPolicy } from '../policy/cross-org.ts'
import type { Signer } from '../trust/signer.ts'
import type { PageBuilder } from './page-builder.ts'
import { checkSigner } from './signature-check.ts'
import type { SignatureCheckPorts } from './signature-check.ts'

// A page under way is up to 1 MiB of records and twice that as text.
export const REQUESTS_AT_ONCE_MAX = 8
// One peer must not keep the others out. An asker has four under way by itself, and one that a person asked for.
export const REQUESTS_OF_PEER_MAX = 5

export interface BundleServerPorts extends SignatureCheckPorts {
  readonly signer: () => Signer
  readonly guard: RequestGuard
  readonly pages: PageBuilder
  readonly clock: Clock
  readonly logger: Logger
  readonly peerRates: PeerRates
  /** Counts what is given out and what is refused. */
  readonly audit?: CountingTrail
}

/** Over whose connection a request came. */
export interface AskingPeer {
  readonly did: string
  readonly peerId: string
}

/** From where a request came that no connection proves anybody for. */
export interface AskingClient {
  readonly address: string
}

/** What a request came to, since the start: pages, and errors by code. */
export type ServedCounts = Readonly<Record<string, number>>

type DecodedRequest = Extract<ReturnType<typeof decodeRequest>, { ok: true }>['decoded']

type Refusal = { readonly ok: false; readonly code: BundleErrorCode; readonly detail: string }

/** Answers requests for receipts (protocols/bundle/v1). */
export class BundleServer {
  readonly #ports: BundleServerPorts
  readonly #underWay = new Places({ all: REQUESTS_AT_ONCE_MAX, ofHolder: REQUESTS_OF_PEER_MAX })
  readonly #counts: Record<string, number> = {}

  constructor(ports: BundleServerPorts) {
    this.#ports = ports
  }

  get counts(): ServedCounts {
    return { ...this.#counts }
  }

  /**
   * Answers one request. `from` is the peer over whose connection it came, or the address of a client where the transport
   * proves nobody. Never rejects: what goes wrong here is `busy` for the asker, and logged.
   */
  async answer(wire: Uint8Array, from: AskingPeer | AskingClient): Promise<BundleAnswer> {
    const peer = 'peerId' in from ? from : null
    const decoding = decodeRequest(wire)
    const answer = decoding.ok ? await this.#limited(decoding.decoded, from) : decoding
    const code = answer.ok ? null : answer.code
    const name = code ?? 'page'
    this.#counts[name] = (this.#counts[name] ?? 0) + 1
    const request = decoding.ok ? decoding.decoded.request : null
    this.#ports.audit?.count({
      action: 'BUNDLES_SERVED',
      // Before a signature was good, who signed is only what somebody says.
      actor: peer?.did ?? (answer.ok && request !== null ? request.signer : 'unknown'),
      subject: request?.namespace ?? 'unknown',
      outcome: code === null ? 'ok' : 'refused',
      code
    })
    return answer
  }

  async #limited(decoded: DecodedRequest, from: AskingPeer | AskingClient): Promise<BundleAnswer> {
    const peer = 'peerId' in from ? from : null
    const { signer, namespace } = decoded.request
    // Before any costly work; what is asked for elsewhere counts together, or names could be made up.
    if (peer !== null && !this.#withinRate(peer, namespace)) return refused('busy', 'it asks faster than policy allows')
    // Not by who a stranger says that he is, or he would keep that one out.
    const asker = 'peerId' in from ? from.did : from.address
    const giveBack = this.#underWay.take(asker)
    if (giveBack === null) return refused('busy', 'as many requests as are taken are under way')
    try {
      return await this.#answer(decoded, peer?.did ?? null)
    } catch (error) {
      this.#ports.logger.error({ reason: messageOf(error), signer }, 'a request for receipts could not be answered')
      return refused('busy', 'the node can not answer just now')
    } finally {
      giveBack()
    }
  }

  async #answer({ request, hash, signature }: DecodedRequest, peerDid: string | null): Promise<BundleAnswer> {
    const refusal = this.#refusal(request, peerDid)
    if (refusal !== null) return refusal
    // [REJECT] BU-8: the signature is good under a key that the signer may use.
    const signed = await checkSigner(request.signer, signature, this.#ports)
    if (!signed.ok) return refused(signed.code, signed.detail)
    // [REJECT] BU-8: its organisation may have receipts of these owners.
    for (const { owner } of request.want ?? []) {
      const allowed = this.#mayHave(request.signer, owner)
      if (!allowed.ok) return refused('denied', `${allowed.code}: ${allowed.detail}`)
    }
    // [REJECT] BU-8: no request with this signer and nonce was answered.
    const { guard, pages } = this.#ports
    const taken = await guard.nonce(request)
    if (!taken.ok) return unguarded(taken)
    const content = await pages.build(request, (owner) => this.#mayHave(request.signer, owner).ok)
    if (request.want !== undefined && content.parts.length === 0)
      return refused('not-held', 'none of the leaves is held here')
    const { clock } = this.#ports
    const signer = this.#ports.signer()
    const page: BundlePage = {
      v: 1,
      namespace: request.namespace,
      signer: signer.did,
      kid: signer.kid,
      audience: request.signer,
      ts: clock.now(),
      request: hash,
      ...content
    }
    return { ok: true, page: await encodePage(page, (input) => signer.sign(input)) }
  }

  /** What can be said before the signature is looked at. */
  #refusal(request: BundleRequest, peerDid: string | null): Refusal | null {
    const policy = this.#ports.policy()
    const { did } = this.#ports.signer()
    const { namespace, signer } = request
    // [REJECT] BU-6: who asks is who the connection proved.
    if (peerDid !== null && peerDid !== signer) return refused('denied', 'the connection is not the signer’s')
    // [REJECT] BU-7.
    const { guard } = this.#ports
    const audience = guard.audience(request)
    if (!audience.ok) return unguarded(audience)
    // [REJECT] BU-8: the namespace and both roles. Which of them is missing is nobody's business.
    if (!policy.hasRole(namespace, did, 'serve') || !policy.hasRole(namespace, signer, 'request'))
      return refused('denied', `no receipts of ${namespace} for ${signer} here`)
    // [REJECT] BU-8: `ts` within the skew.
    const time = guard.time(request)
    return time.ok ? null : unguarded(time)
  }

  #withinRate({ peerId }: AskingPeer, namespace: string): boolean {
    const { peerRates, policy } = this.#ports
    const view = policy()
    return peerRates.takeOfPeer(
      peerId,
      'requests',
      view.carries(namespace) ? namespace : '',
      view.rate(namespace).perPeer
    )
  }

  #mayHave(signer: string, owner: string): CrossOrgVerdict {
    const view = this.#ports.policy()
    const from = view.orgOf(signer)
    // Nobody without an organisation has a role, so it does not come to this.
    if (from === undefined) return { ok: false, code: 'CROSS_ORG_DENIED', detail: `${signer} is of no organisation` }
    return checkCrossOrgPolicy(view.policy, { from, to: owner, operation: 'bundle' })
  }
}

const WIRE_CODES: Readonly<Record<RequestCode, BundleErrorCode>> = {
  WRONG_AUDIENCE: 'wrong-audience',
  TIMESTAMP_SKEW: 'skew',
  REPLAY: 'replay',
  OVERLOADED: 'busy'
}

function unguarded({ code, detail }: Extract<RequestCheck, { ok: false }>): Refusal {
  return refused(WIRE_CODES[code], detail)
}

function refused(code: BundleErrorCode, detail: string): Refusal {
  return { ok: false, code, detail }
}

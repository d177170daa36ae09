import { onTestFinished } from 'vitest'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { SignedReceipt } from '../../../protocols/delivery/v1/receipt.ts'
import type { Challenge, Delivery } from '../../../protocols/delivery/v1/request.ts'
import { encodeSignedBody } from '../../../protocols/delivery/v1/signed-body.ts'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { sha256 } from '../../../protocols/primitives/sha256.ts'
import type { VirtualClock } from '../../../simulations/ports/virtual-clock.ts'
import type { Problem } from '../../../src/http/errors.ts'
import type { Signer } from '../../../src/trust/signer.ts'
import type { MemoryNode, NodeOptions } from '../../node/nodes.ts'
import { openNode } from '../../node/nodes.ts'
import type { TestMember } from '../../support/identities.ts'
import { NAMESPACE, member, policyOf } from '../../support/identities.ts'
import { AUTHORIZED, adminListener, publicListener } from './listeners.ts'

/** A node in memory behind real listeners; its own clock goes on only by `clock.advance`. */
export interface PartnerNode {
  readonly memory: MemoryNode
  readonly self: TestMember
  readonly clock: VirtualClock
  readonly url: string
  readonly adminUrl: string
  register(signer: Signer, more?: JsonObject): Promise<Response>
}

export const HOME = member('home')
export const PEER = member('peer')

/** Serves a node, and starts it unless it is in a mesh: those of a hub are started. */
export async function servePartners(memory: MemoryNode, isStarted = false): Promise<PartnerNode> {
  const { node, self, ports } = memory
  onTestFinished(() => node.close())
  if (!isStarted) await node.start()
  const { url } = await publicListener({ operations: node, federation: node.gateway.federation, clock: ports.clock })
  const { listener } = await adminListener({ operations: node, nodes: node.gateway.partners, audit: node.auditTrail })
  return {
    memory,
    self,
    clock: ports.clock,
    url,
    adminUrl: listener.url,
    register: async ({ did, kid, publicKey }, more = {}) =>
      await postJson(`${listener.url}/v1/admin/nodes`, { did, kid, publicKey: toBase64url(publicKey), ...more })
  }
}

/** A node of `HOME` with the member `PEER`, which takes deliveries. */
export async function startPartnerNode(options: NodeOptions = {}): Promise<PartnerNode> {
  const policy = options.policy ?? policyOf(HOME, [HOME, PEER])
  return await servePartners(await openNode(HOME, [], { ...options, policy }))
}

export async function postJson(url: string, body: unknown): Promise<Response> {
  return await postText(url, JSON.stringify(body))
}

export async function postText(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<Response> {
  return await fetch(url, { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'application/json' }, body })
}

export const postWire = async (url: string, body: Uint8Array): Promise<Response> =>
  await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(body)
  })

/** What came back: a problem's code and detail beside the status, or the JSON. */
export interface Answer {
  readonly status: number
  readonly code?: string
  readonly detail?: string
  readonly token?: string
  readonly expiresAt?: number
  readonly receipt?: SignedReceipt
}

export async function answerOf(response: Response): Promise<Answer> {
  return { ...((await response.json()) as Partial<Problem>), status: response.status }
}

let nonces = 0

/** A nonce that no other request of the test has. */
export function freshNonce(): string {
  nonces += 1
  return toBase64url(sha256(`nonce ${nonces}`).subarray(0, 16))
}

/** A node outside the mesh, as its requests show it. */
export class Partner {
  readonly signer: Signer
  readonly #node: PartnerNode

  constructor(node: PartnerNode, signer: Signer) {
    this.#node = node
    this.signer = signer
  }

  challengeOf(changes: Partial<Challenge> = {}): Challenge {
    const { did: signer, kid } = this.signer
    const audience = this.#node.self.signer.did
    return { v: 1, audience, kid, nonce: freshNonce(), signer, ts: this.#node.clock.now(), ...changes }
  }

  deliveryOf(token: string, changes: Partial<Delivery> = {}): Delivery {
    return { ...this.challengeOf(), namespace: NAMESPACE, payload: { report: 'r-1' }, token, ...changes }
  }

  async challengeBody(changes: Partial<Challenge> = {}): Promise<string> {
    return await this.sign(this.challengeOf(changes), 'challenge')
  }

  async deliveryBody(token: string, changes: Partial<Delivery> = {}): Promise<string> {
    return await this.sign(this.deliveryOf(token, changes), 'delivery')
  }

  async sign(value: JsonObject & { readonly kid: string }, purpose: string): Promise<string> {
    return (await encodeSignedBody(value, purpose, (input) => this.signer.sign(input))).body
  }

  async post(route: 'challenge' | 'deliver', body: string): Promise<Answer> {
    return await answerOf(await postText(`${this.#node.url}/v1/federation/${route}`, body))
  }

  async challenge(changes: Partial<Challenge> = {}): Promise<Answer> {
    return await this.post('challenge', await this.challengeBody(changes))
  }

  async deliver(token: string, changes: Partial<Delivery> = {}): Promise<Answer> {
    return await this.post('deliver', await this.deliveryBody(token, changes))
  }

  /** A token. Throws where none is given. */
  async token(): Promise<string> {
    const { token, code, detail } = await this.challenge()
    if (token === undefined) throw new Error(`${code}: ${detail}`)
    return token
  }
}

/** A partner that the operator registered. */
export async function registeredPartner(node: PartnerNode, name = 'partner', more: JsonObject = {}): Promise<Partner> {
  const { signer } = member(name)
  const response = await node.register(signer, more)
  if (response.status !== 201) throw new Error(await response.text())
  return new Partner(node, signer)
}

import { onTestFinished } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import { encodeFeedback } from '../../protocols/feedback/v1/feedback.ts'
import type { Feedback, FeedbackData } from '../../protocols/feedback/v1/feedback.ts'
import type { Finding } from '../../protocols/telemetry/v1/finding.ts'
import { encodeTelemetry, fingerprintOf } from '../../protocols/telemetry/v1/telemetry.ts'
import type { Telemetry, TelemetryPayload } from '../../protocols/telemetry/v1/telemetry.ts'
import type { AuditRecord } from '../../src/audit/operations.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { FindingRow } from '../../src/projections/findings.ts'
import type { ProjectionPage } from '../../src/projections/query.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { publicListener } from '../http/support/listeners.ts'
import type { MemoryNode, NodeOptions } from '../node/nodes.ts'
import { openNode, quiet } from '../node/nodes.ts'
import { member, policyOf } from '../support/identities.ts'
import type { PolicyOptions } from '../support/identities.ts'

/** The tenant of the one namespace that the node carries. */
export const TENANT = 'test'
export const MEASUREMENT = sha256Hex('a measured environment')

export const HOME = member('home')
/** A peer of the policy whose key is in the key domain of the tenant. */
export const AGENT = member('agent', 'agents')
/** Of the same organisation, with a key of another tenant. */
export const SIBLING = member('sibling', 'agents')
/** Of another organisation, with a key of another tenant; a rule lets it judge what agents report. */
export const JUDGE = member('judge', 'judges')
/** As the judge, without a rule. */
export const STRANGER = member('stranger', 'strangers')
/** Of the policy, with a key of no tenant. */
export const NOBODYS = member('nobodys', 'nobodys')
/** Registered by the operator for the tenant. */
export const REVIEWER = member('reviewer')
/** Not known at all. */
export const UNKNOWN = member('unknown')

const TENANTS: Readonly<Record<string, string>> = {
  [AGENT.signer.did]: TENANT,
  [SIBLING.signer.did]: 'other',
  [JUDGE.signer.did]: 'other',
  [STRANGER.signer.did]: 'other'
}

/** The policy of the node. */
export function findingsPolicy(options: PolicyOptions = {}): EffectivePolicy {
  const members = [HOME, AGENT, SIBLING, JUDGE, STRANGER, NOBODYS]
  const crossOrg = [{ from: 'judges', to: 'agents', operations: ['feedback'] }]
  const policy = policyOf(HOME, members, { crossOrg, ...options })
  const peers = policy.peers.map((peer) => {
    const tenant = TENANTS[peer.did]
    return tenant === undefined ? peer : { ...peer, keys: peer.keys.map((key) => ({ ...key, tenant })) }
  })
  return { ...policy, peers }
}

export interface FindingsNode {
  readonly memory: MemoryNode
  readonly url: string
}

/** A started node behind a real listener. */
export async function startFindingsNode(options: NodeOptions = {}): Promise<FindingsNode> {
  return await serveFindings(await openNode(HOME, [], { policy: findingsPolicy(), ...options }))
}

export async function serveFindings(memory: MemoryNode): Promise<FindingsNode> {
  const { node } = memory
  onTestFinished(() => node.close())
  await node.start()
  const { did, kid, publicKey } = REVIEWER.signer
  const registered = await node.gateway.partners.register({
    did,
    kid,
    publicKey: toBase64url(publicKey),
    tenant: TENANT
  })
  if (!registered.ok) throw new Error(registered.detail)
  const { url } = await publicListener({ operations: node, findings: node.gateway.findings })
  return { memory, url }
}

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** `201`, or the problem's code. */
export const codeOf = ({ status, body }: Answer): string => (status === 201 ? '201' : String(body['code']))

let drawn = 0

/** A nonce that no other request has. */
export function freshNonce(): string {
  drawn += 1
  return toBase64url(sha256(`nonce ${drawn}`).subarray(0, 16))
}

export function findingOf(findingId: string, changes: Partial<Finding> = {}): Finding {
  return { findingId, kind: 'open-port', severity: 'high', score: 700, ...changes }
}

export function payloadOf(findings: readonly Finding[], changes: Partial<TelemetryPayload> = {}): TelemetryPayload {
  return { execution: { id: 'run-1' }, attestationMeasurementHash: MEASUREMENT, findings, ...changes }
}

/** One who signs requests to a node. */
export class TenantClient {
  readonly #node: FindingsNode
  readonly signer: Signer

  constructor(node: FindingsNode, { signer }: { readonly signer: Signer }) {
    this.#node = node
    this.signer = signer
  }

  get now(): number {
    return this.#node.memory.ports.clock.now()
  }

  telemetryOf(payload: TelemetryPayload, changes: Partial<Telemetry> = {}): Telemetry {
    const { did, kid } = this.signer
    const audience = HOME.signer.did
    return {
      v: 1,
      audience,
      signer: did,
      kid,
      tenant: TENANT,
      timestamp: this.now,
      nonce: freshNonce(),
      payload,
      ...changes
    }
  }

  fingerprint(payload: TelemetryPayload): string {
    return fingerprintOf(this.telemetryOf(payload))
  }

  feedbackOf(data: FeedbackData, changes: Partial<Feedback> = {}): Feedback {
    const { did, kid } = this.signer
    const schema = 'anchormesh.feedback/1'
    const audience = HOME.signer.did
    return {
      v: 1,
      audience,
      signer: did,
      kid,
      tenant: TENANT,
      signedAt: this.now,
      nonce: freshNonce(),
      schema,
      data,
      ...changes
    }
  }

  async signTelemetry(telemetry: Telemetry): Promise<string> {
    return (await encodeTelemetry(telemetry, (input) => this.signer.sign(input))).body
  }

  async signFeedback(feedback: Feedback): Promise<string> {
    return (await encodeFeedback(feedback, (input) => this.signer.sign(input))).body
  }

  async report(payload: TelemetryPayload, changes: Partial<Telemetry> = {}): Promise<Answer> {
    return await this.post('telemetry', await this.signTelemetry(this.telemetryOf(payload, changes)))
  }

  async judge(data: FeedbackData, changes: Partial<Feedback> = {}): Promise<Answer> {
    return await this.post('feedback', await this.signFeedback(this.feedbackOf(data, changes)))
  }

  async post(route: 'telemetry' | 'feedback', body: string, tenant: string = TENANT): Promise<Answer> {
    return await post(this.#node, `/v1/tenants/${tenant}/${route}`, body)
  }
}

export async function post({ url }: FindingsNode, path: string, body: string): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url + path, { method: 'POST', headers, body })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

export async function get({ url }: FindingsNode, path: string): Promise<Answer> {
  const response = await fetch(url + path)
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

/** The rows of a page, once the node has folded what it logged. */
export async function rowsOf(node: FindingsNode, path: string): Promise<ProjectionPage['rows']> {
  const { log } = await node.memory.node.status()
  const { status, body } = await get(node, `${path}${path.includes('?') ? '&' : '?'}waitFor=${log.logSeq}`)
  if (status !== 200) throw new Error(JSON.stringify(body))
  return (body as unknown as ProjectionPage).rows
}

export async function findingRow(node: FindingsNode, findingId: string): Promise<FindingRow | undefined> {
  const rows = (await rowsOf(node, `/v1/tenants/${TENANT}/findings`)) as unknown as FindingRow[]
  return rows.find((row) => row.findingId === findingId)
}

/** The audit records of what was asked for tenants, those of the last minute included. */
export async function auditOf({ memory }: FindingsNode, action: string): Promise<readonly AuditRecord[]> {
  await memory.ports.clock.advance(61_000)
  await quiet(memory)
  return await Array.fromAsync(memory.node.audit({ action }))
}

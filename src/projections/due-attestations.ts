import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { NOT_FINAL, parseAttestation } from '../../protocols/event/v1/attestation.ts'
import { attestationEffect } from '../policy/effect-rules.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { EvidenceIdentity } from '../timestamps/verdict.ts'
import type { AttestationRow, KnownVerdict } from './attested.ts'
import type { Table } from './projection.ts'
import type { RowsView } from './rows-view.ts'

/**
 * What this node has to attest, as facts of the projection `attestations`: one entry for each piece of evidence of
 * which it was asked for its word, and of which its own attestation does not say what its newest verdict says.
 */

const DUE_PREFIX = 'due!'

/** An attestation that this node owes. */
export type DueAttestation = {
  readonly namespace: string
  readonly body: JsonObject
  /** Of this node's attestation that counts so far: a new one under another kid must be later than it. */
  readonly before: { readonly ts: number; readonly kid: string } | null
}

/**
 * What is due on a piece of evidence after a verdict, `own` being this node's attestation that counts; `null` where that
 * says it already, where nothing can be said, and where nobody asked.
 */
export function dueStatement(
  identity: EvidenceIdentity,
  verdict: KnownVerdict | null,
  own: AttestationRow | undefined,
  policy: PolicyView
): DueAttestation | null {
  const { namespace, owner, batchId, batchRoot, chainId, evidenceId, evidenceHash } = identity
  const isAsked = policy.settings(namespace)?.quorum?.of.includes(policy.self.did) ?? false
  if (!isAsked || verdict === null || policy.finality(namespace, chainId) === undefined) return null
  // What was said under a key that does not count there was said to nobody.
  const heard = own === undefined || attestationEffect(own, policy) !== null ? undefined : own
  const statement = statementOf(verdict, heard)
  if (statement === null) return null
  const evidence = { owner, batchId, batchRoot, chainId, evidenceId, evidenceHash }
  const before = own === undefined ? null : { ts: own.ts, kid: own.kid }
  return { namespace, body: withFinality({ ...evidence, ...statement }, verdict), before }
}

/** Keeps the list; `evidence` is the key of the evidence. */
export async function putDue(facts: Table, evidence: string, due: DueAttestation | null): Promise<void> {
  const key = DUE_PREFIX + evidence
  if (due !== null) facts.put(key, due)
  else if ((await facts.get(key)) !== undefined) facts.del(key)
}

/** What this node owes in a namespace, by the keys of the facts, owner by owner, from the owner after `after` on. */
export async function* dueAttestations(
  view: RowsView,
  namespace: string,
  after?: string
): AsyncGenerator<{ readonly key: string; readonly due: DueAttestation }> {
  const prefix = `${DUE_PREFIX}${namespace}!`
  // `"` is the character after `!`.
  const from = after === undefined ? prefix : `${prefix}${after}"`
  for await (const [key, fact] of view.factsRange(prefix, from)) yield { key, due: fact as DueAttestation }
}

/** What is due by that key still; `null` for what is not any more. */
export async function dueAttestation(view: RowsView, key: string): Promise<DueAttestation | null> {
  const [fact] = await view.facts([key])
  return (fact as DueAttestation | undefined) ?? null
}

function statementOf(verdict: KnownVerdict, own: AttestationRow | undefined): JsonObject | null {
  const { outcome, provenTime, position, code } = verdict
  if (outcome === 'verified') {
    const isSaid = own?.outcome === 'verified' && own.provenTime === provenTime && own.position === position
    return isSaid ? null : { outcome, provenTime, position }
  }
  // A chain that can't be asked says nothing against what it said before.
  if (outcome === 'unreachable') return null
  const isRefuted = own?.outcome === 'refuted'
  const wasVerified = own?.outcome === 'verified'
  const isDue = outcome === 'invalid' ? !isRefuted : wasVerified
  return isDue ? { outcome: 'refuted', code: code ?? NOT_FINAL } : null
}

/** Verifiers say in words of their own in which way evidence is final; what the SPEC (EV-51) has no room for stays here. */
function withFinality(body: JsonObject, { outcome, finality }: KnownVerdict): JsonObject {
  if (outcome !== 'verified' || finality === null) return body
  const told = { ...body, finality }
  return parseAttestation(told).ok ? told : body
}

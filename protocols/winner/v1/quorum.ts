/**
 * What is said of one piece of evidence: by this node's own verdict, or by an attestation (event/v1 EV-50). Time and
 * position (milliseconds since 1970; block height, or genTime) stand where it was verified, else `null`.
 */
export type EvidenceFinding =
  | { readonly outcome: 'verified'; readonly provenTime: number; readonly position: number }
  | { readonly outcome: 'refuted'; readonly provenTime: null; readonly position: null }

/** What a member of the quorum attests, and the `ts` of its event (milliseconds since 1970). */
export type QuorumStatement = EvidenceFinding & { readonly ts: number }

/** `proposed`: nothing that counts is verified here; `verified`: here; `settled`: and by the quorum (SPEC WIN-9). */
export type WinnerState = 'proposed' | 'verified' | 'settled'

/** Whose attestations count in a namespace, and how many of them it takes. DIDs, none twice. */
export interface QuorumRule {
  readonly k: number
  readonly of: readonly string[]
}

/** How a quorum stands to one piece of evidence; the three lists are sorted and share the DIDs of the rule out. */
export type QuorumCount = {
  readonly k: number
  /** How many are asked. */
  readonly of: number
  readonly attested: readonly string[]
  readonly contradicting: readonly string[]
  readonly missing: readonly string[]
}

/** Whether two findings on one piece of evidence say the same (SPEC WIN-7). */
export function agrees(one: EvidenceFinding, other: EvidenceFinding): boolean {
  return one.outcome === other.outcome && one.provenTime === other.provenTime && one.position === other.position
}

/** What members of a quorum say of a winner, by their DIDs. */
export interface QuorumStatements {
  /** Of its own evidence: of each the attestation that counts (event/v1 EV-53). */
  readonly own: ReadonlyMap<string, QuorumStatement>
  /** Of other evidence for the same root of the batch on the same chain: on each piece the one that counts. */
  readonly other: ReadonlyMap<string, readonly QuorumStatement[]>
}

/**
 * Counts what the members of a quorum say of evidence against what was found here (SPEC WIN-8). Signers that the rule
 * does not name are left out. `validUntil`: of the last pack in force of the organisation whose batch it is, `null` where
 * there is none; what agrees and is later counts as missing.
 */
export function countQuorum(
  { k, of }: QuorumRule,
  found: EvidenceFinding,
  { own, other }: QuorumStatements,
  validUntil: number | null
): QuorumCount {
  const attested: string[] = []
  const contradicting: string[] = []
  const missing: string[] = []
  const counts = (statement: QuorumStatement): boolean =>
    agrees(found, statement) && (validUntil === null || statement.ts <= validUntil)
  for (const did of of.toSorted()) {
    const statement = own.get(did)
    if (statement !== undefined && !agrees(found, statement)) contradicting.push(did)
    else if ([...(statement === undefined ? [] : [statement]), ...(other.get(did) ?? [])].some(counts))
      attested.push(did)
    else missing.push(did)
  }
  return { k, of: of.length, attested, contradicting, missing }
}

/** The state of a batch (SPEC WIN-9); `quorum` is `null` where the namespace asks for none. */
export function winnerState(hasWinner: boolean, quorum: QuorumCount | null): WinnerState {
  if (!hasWinner) return 'proposed'
  return quorum !== null && quorum.attested.length >= quorum.k ? 'settled' : 'verified'
}

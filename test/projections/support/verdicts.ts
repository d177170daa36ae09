import fc from 'fast-check'
import type { AppendEntry } from '../../../src/log/event-log.ts'
import type { EvidenceIdentity } from '../../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../../support/events.ts'
import { evidenceIn, identityName } from './evidence.ts'
import { EVERYBODY } from './world.ts'

/** What a node found out, on some evidence, after some of the groups of events. */
export interface VerdictChoice {
  readonly after: number
  readonly evidence: number
  readonly verified: boolean
  readonly position: number
}

export const someVerdicts: fc.Arbitrary<VerdictChoice[]> = fc.array(
  fc.record({ after: fc.nat(30), evidence: fc.nat(200), verified: fc.boolean(), position: fc.nat(3) }),
  { maxLength: 12, size: 'max' }
)

/**
 * The verdicts among the groups: on evidence of announces that are in the log by then, as any policy may have its
 * owner.
 */
export function withVerdicts(
  groups: readonly (readonly AppendEntry[])[],
  choices: readonly VerdictChoice[]
): AppendEntry[][] {
  const held: SignedEvent['envelope'][] = []
  return groups.map((group, index) => {
    for (const entry of group) if (entry.scope === 'shared') held.push(entry.event.envelope)
    const evidence = held.flatMap(evidenceOf)
    const here = choices.filter(({ after }) => after % groups.length === index && evidence.length > 0)
    return [...group, ...here.map((choice) => verdictEntry(choice, evidence))]
  })
}

function verdictEntry(
  { evidence: pick, verified, position }: VerdictChoice,
  evidence: readonly EvidenceIdentity[]
): AppendEntry {
  const identity = evidence[pick % evidence.length] as EvidenceIdentity
  const found = verified
    ? // As attestations in these worlds say it.
      ({ outcome: 'verified', code: null, provenTime: 1_700_000_000_000 + position, position } as const)
    : ({ outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', provenTime: null, position: null } as const)
  return {
    scope: 'local',
    event: verdictEvent(1_700_000_000_000, { ...identity, ...found, evidence: {}, policyDigest: '' })
  }
}

/** With every organisation as the owner that an announce leaves open. */
function evidenceOf(envelope: SignedEvent['envelope']): EvidenceIdentity[] {
  const organisations = [...new Set(EVERYBODY.map(({ orgId }) => orgId))]
  const all = organisations.flatMap((orgId) => evidenceIn({ envelope }, () => orgId))
  return [...new Map(all.map((identity) => [identityName(identity), identity])).values()]
}

import fc from 'fast-check'
import { evidenceHashOf, evidenceIdOf, parseAnnounce } from '../../../protocols/event/v1/announce.ts'
import type { AppendEntry } from '../../../src/log/event-log.ts'
import type { EvidenceIdentity } from '../../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../../support/events.ts'
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
    ? ({ outcome: 'verified', code: null, provenTime: 1_700_000_000_000 + position, position } as const)
    : ({ outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', provenTime: null, position: null } as const)
  return {
    scope: 'local',
    event: verdictEvent(1_700_000_000_000, { ...identity, ...found, evidence: {}, policyDigest: '' })
  }
}

function evidenceOf({ type, namespace, body }: SignedEvent['envelope']): EvidenceIdentity[] {
  const reading = type === 'announce' && namespace !== '_trust' ? parseAnnounce(body) : null
  if (reading?.ok !== true) return []
  const { batchId, batchRoot, owner, timestampAnchors } = reading.announce
  const owners = owner === undefined ? [...new Set(EVERYBODY.map(({ orgId }) => orgId))] : [owner]
  return owners.flatMap((named) =>
    timestampAnchors.map((anchor) => {
      const { chainId } = anchor
      return {
        namespace,
        batchId,
        chainId,
        evidenceId: evidenceIdOf(anchor),
        owner: named,
        batchRoot,
        evidenceHash: evidenceHashOf(anchor)
      }
    })
  )
}

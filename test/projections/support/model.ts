import { chainIdOf } from '../../../src/events/chain.ts'
import { encodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { evidenceHashOf, evidenceIdOf, parseAnnounce } from '../../../protocols/event/v1/announce.ts'
import type { Announce } from '../../../protocols/event/v1/announce.ts'
import { parseAttestation } from '../../../protocols/event/v1/attestation.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import { viewPolicy } from '../../../src/policy/policy-view.ts'
import type { SignedEvent } from '../../support/events.ts'
import { keyModel } from './key-model.ts'

/**
 * What the projections have to show of a set of events under a policy, worked out the slow and plain way from the
 * whole set, without a look at the folds. Rows as sorted JCS lines of their shared fields; of `sequences` without the
 * packs.
 */
export function expectedLines(events: readonly SignedEvent[], policy: EffectivePolicy): Record<string, string[]> {
  const { cutOff } = keyModel(events, policy)
  return {
    batches: lines(expectedBatches(events, policy)),
    'timestamp-anchors': lines(expectedTimestampAnchors(events, policy)),
    winners: lines(expectedWinners(events, policy)),
    attestations: lines(expectedAttestations(events.filter(({ id }) => !cutOff.has(id)))),
    sequences: lines(expectedSequences(events)),
    equivocations: lines(expectedEquivocations(events))
  }
}

interface Claimed {
  readonly event: SignedEvent
  readonly announce: Announce
  readonly owner: string
  readonly byOwner: boolean
  /** It has effect, whoever owns the batch. */
  readonly counts: boolean
}

function claims(events: readonly SignedEvent[], policy: EffectivePolicy): Claimed[] {
  const view = viewPolicy(policy)
  const { cutOff } = keyModel(events, policy)
  return events.flatMap((event) => {
    const { type, namespace, signer, body } = event.envelope
    const reading = type === 'announce' && namespace !== '_trust' ? parseAnnounce(body) : null
    if (reading?.ok !== true) return []
    const organisation = view.orgOf(signer)
    const owner = reading.announce.owner ?? organisation
    if (owner === undefined) return []
    return [
      {
        event,
        announce: reading.announce,
        owner,
        byOwner: owner === organisation,
        counts: view.hasRole(namespace, signer, 'announce') && !cutOff.has(event.id)
      }
    ]
  })
}

function expectedBatches(events: readonly SignedEvent[], policy: EffectivePolicy): JsonValue[] {
  const byRoot = Object.groupBy(claims(events, policy), ({ event, owner, announce }) =>
    JSON.stringify([event.envelope.namespace, owner, announce.batchId, announce.batchRoot])
  )
  return Object.entries(byRoot).map(([name, group = []]) => {
    const [namespace = '', owner = '', batchId = '', batchRoot = ''] = JSON.parse(name) as string[]
    const first = firstOfEachSigner(group, countingFirst)
    const ofOwner = first.filter(({ byOwner }) => byOwner).sort(countingFirst)[0]
    return {
      namespace,
      owner,
      batchId,
      batchRoot,
      receiptCount: ofOwner?.announce.receiptCount ?? null,
      announcements: named(first)
    }
  })
}

function expectedTimestampAnchors(events: readonly SignedEvent[], policy: EffectivePolicy): JsonValue[] {
  const announced = claims(events, policy).flatMap((claim) =>
    claim.announce.timestampAnchors.map((timestampAnchor) => {
      const { announce, event, owner } = claim
      const row = {
        namespace: event.envelope.namespace,
        batchId: announce.batchId,
        chainId: timestampAnchor.chainId,
        evidenceId: evidenceIdOf(timestampAnchor),
        owner,
        batchRoot: announce.batchRoot,
        evidenceHash: evidenceHashOf(timestampAnchor)
      }
      return { row, claim }
    })
  )
  const byRow = Object.groupBy(announced, ({ row }) => JSON.stringify(row))
  return Object.values(byRow).map((group = []) => {
    const announcements = named(
      firstOfEachSigner(
        group.map(({ claim }) => claim),
        byEventId
      )
    )
    return { ...group[0]?.row, announcements }
  })
}

function expectedWinners(events: readonly SignedEvent[], policy: EffectivePolicy): JsonValue[] {
  const counting = claims(events, policy).filter(({ byOwner, counts }) => byOwner && counts)
  const batches = new Set(
    counting.map(({ event, owner, announce }) => JSON.stringify([event.envelope.namespace, owner, announce.batchId]))
  )
  return [...batches].map((name) => {
    const [namespace = '', owner = '', batchId = ''] = JSON.parse(name) as string[]
    return {
      namespace,
      owner,
      batchId,
      status: 'proposed',
      batchRoot: null,
      winner: null,
      losers: [],
      loserCount: 0,
      quorum: null,
      earliestProvenTime: null
    }
  })
}

function expectedAttestations(events: readonly SignedEvent[]): JsonValue[] {
  const made = events.flatMap((event) => {
    const { type, namespace, signer, body } = event.envelope
    const reading = type === 'attestation' && namespace !== '_trust' ? parseAttestation(body) : null
    return reading?.ok === true ? [{ event, signer, namespace, attestation: reading.attestation }] : []
  })
  const bySigner = Map.groupBy(made, ({ signer, namespace, attestation }) => {
    const { owner, batchId, batchRoot, chainId, evidenceId, evidenceHash } = attestation
    return JSON.stringify([signer, namespace, owner, batchId, batchRoot, chainId, evidenceId, evidenceHash])
  })
  return [...bySigner.values()].flatMap((group) => {
    const [newest] = group.toSorted(
      ({ event: { envelope: left, id: leftId } }, { event: { envelope: right, id: rightId } }) =>
        right.ts - left.ts || right.authorSeq - left.authorSeq || (leftId < rightId ? -1 : 1)
    )
    if (newest === undefined) return []
    const { event, signer, namespace, attestation } = newest
    const { kid, authorSeq, ts } = event.envelope
    const values = { code: null, provenTime: null, position: null, finality: null, ...attestation }
    return [{ ...values, namespace, signer, kid, authorSeq, ts, eventId: event.id, statements: group.length }]
  })
}

function expectedSequences(events: readonly SignedEvent[]): JsonValue[] {
  return [...chains(events).values()].map((chain) => {
    const followed = new Set(chain.map(({ envelope }) => envelope.prev))
    const tips = chain.filter(({ id }) => !followed.has(id)).sort((left, right) => (left.id < right.id ? -1 : 1))
    const positions = new Set(chain.map(({ envelope }) => envelope.authorSeq))
    return {
      ...identityOf(chain),
      tips: tips.slice(0, 64).map(({ id, envelope }) => ({ authorSeq: envelope.authorSeq, id })),
      forked: positions.size < chain.length,
      events: chain.length
    }
  })
}

function expectedEquivocations(events: readonly SignedEvent[]): JsonValue[] {
  return [...chains(events).values()].flatMap((chain) =>
    Object.values(Object.groupBy(chain, ({ envelope }) => envelope.authorSeq))
      .filter((group) => group !== undefined && group.length > 1)
      .map((group = []) => ({
        ...identityOf(group),
        authorSeq: group[0]?.envelope.authorSeq ?? 0,
        events: group
          .map(({ id }) => id)
          .sort()
          .slice(0, 8),
        count: group.length
      }))
  )
}

function chains(events: readonly SignedEvent[]): Map<string, SignedEvent[]> {
  return Map.groupBy(events, ({ envelope }) => chainIdOf(envelope))
}

function identityOf(chain: readonly SignedEvent[]): { namespace: string; signer: string; kid: string } {
  const { namespace = '', signer = '', kid = '' } = chain[0]?.envelope ?? {}
  return { namespace, signer, kid }
}

/** Of each signer the first claim in the order, sorted by signer. */
function firstOfEachSigner(group: readonly Claimed[], order: (left: Claimed, right: Claimed) => number): Claimed[] {
  const bySigner = Map.groupBy(group.toSorted(order), ({ event }) => event.envelope.signer)
  return [...bySigner]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([, [first]]) => (first === undefined ? [] : [first]))
}

const named = (first: readonly Claimed[]): { signer: string; eventId: string }[] =>
  first.map(({ event }) => ({ signer: event.envelope.signer, eventId: event.id }))

const byEventId = (left: Claimed, right: Claimed): number => (left.event.id < right.event.id ? -1 : 1)

const countingFirst = (left: Claimed, right: Claimed): number =>
  Number(right.counts) - Number(left.counts) || byEventId(left, right)

const lines = (rows: readonly JsonValue[]): string[] => rows.map((row) => encodeCanonical(row)).sort()

import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { sortableNumber } from '../log/keys.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { attestationEffect } from '../policy/effect-rules.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import { attestationReadingIn, isAttestation } from './attested.ts'
import { checkpointReadingIn, isCheckpoint } from './checkpointed.ts'
import type { NoEffect } from './claims.ts'
import { announceIn, cutOffEffect, effectOfAnnounce, isAnnounce } from './claims.ts'
import type { FirstFact } from './pack-facts.ts'
import type { TouchedPacks } from './pack-fold.ts'
import { effectOfPack, foldPack } from './pack-fold.ts'
import { isOwnPack, isPack, packOf } from './packs.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldBasis, FoldContext, Projection } from './projection.ts'

interface Listed {
  readonly effect: string
  readonly detail: string
}

const keyOf = (namespace: string, eventId: string): string => `${namespace}!${eventId}`

/**
 * The events that were admitted but have no effect, and why. Which they are may change with what comes later: a pack
 * that waits for the one before it leaves this list when that arrives. Ownership of a root is shown in `batches`.
 */
export const effects: Projection = {
  name: 'effects',
  version: 5,
  layout: { key: ['namespace', 'eventId'], columns: ['type', 'signer', 'kid', 'authorSeq', 'effect', 'detail'] },
  dependsOnPolicy: true,
  dependsOnTrust: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => row['effect'] === value
  },
  reads: () => NO_KEYS,

  fold(record, context) {
    if (record.scope === 'local') return undefined
    const found = effectOf(record, context)
    if (found !== null) return list(record, found, context)
    return isPack(record) ? foldPackEffects(record, context) : undefined
  },

  shared: () => null
}

/** Why the event by itself has no effect, or `null`. */
function effectOf(record: SharedRecord, basis: FoldBasis): Listed | null {
  const { policy, trust } = basis
  const { type, namespace, signer } = record.event.envelope
  const inTrust = namespace === TRUST_NAMESPACE
  if (isAnnounce(record)) {
    const reading = announceIn(record, basis)
    if (!reading.ok) return { effect: reading.code, detail: reading.detail }
    return listedEffect(effectOfAnnounce(record.event, reading.announce, basis))
  }
  if (type === ANCHOR_PACK_TYPE && inTrust) {
    const reading = packOf(record.event)
    if (!reading.ok) return { effect: reading.code, detail: reading.detail }
    if (isOwnPack(record.event, reading.pack.orgId, policy)) return null
    return { effect: 'PACK_SIGNER_FOREIGN', detail: `${signer} does not belong to ${reading.pack.orgId}` }
  }
  if (isAttestation(record)) {
    const reading = attestationReadingIn(record)
    if (!reading.ok) return { effect: reading.code, detail: reading.detail }
    if (trust.isCutOff(record.event)) return listedEffect(cutOffEffect(record.event))
    return listedEffect(attestationEffect(record.event.envelope, policy))
  }
  if (isCheckpoint(record)) {
    const reading = checkpointReadingIn(record)
    return reading.ok ? null : { effect: reading.code, detail: reading.detail }
  }
  return { effect: 'TYPE_UNKNOWN', detail: `this release knows no type ${type} in ${namespace}` }
}

function listedEffect(effect: NoEffect<string> | null): Listed | null {
  return effect === null ? null : { effect: effect.code, detail: effect.detail }
}

async function list(record: SharedRecord, { effect, detail }: Listed, { rows }: FoldContext): Promise<void> {
  const { id, envelope } = record.event
  const { namespace, type, signer, kid, authorSeq } = envelope
  const key = keyOf(namespace, id)
  await rows.get(key)
  rows.put(key, { namespace, eventId: id, type, signer, kid, authorSeq, effect, detail })
}

/** An event that carries a pack, as its row names it. */
type CarrierFact = {
  readonly hash: string
  readonly type: string
  readonly signer: string
  readonly kid: string
  readonly authorSeq: number
  /** The next carrier of packs at this number, and of those among them that name the same predecessor. */
  readonly nextAtNumber: string | null
  readonly nextOfPredecessor: string | null
}

const carrierKey = (orgId: string, eventId: string): string => `carrier!${orgId}!${eventId}`

/** Carriers are found by number and predecessor of their pack: those are what changes its effect. */
function firstCarrierKey(orgId: string, { packSeq, prevPack }: TouchedPacks): string {
  return `first-carrier!${orgId}!${sortableNumber(packSeq)}!${prevPack ?? ''}`
}

/** A new pack can change what others of its organisation count for: those that stand where it stands, or follow it. */
async function foldPackEffects(record: SharedRecord, context: FoldContext): Promise<void> {
  const folded = await foldPack(record, context)
  if (folded === null) return
  const { orgId, hash, touched } = folded
  const { id } = record.event
  const { signer, kid, authorSeq, type } = record.event.envelope
  const { packSeq, prevPack } = folded.pack
  const nextAtNumber = await linkCarrier(firstCarrierKey(orgId, { packSeq }), id, context)
  // The first packs name none: they are touched all together.
  const key = prevPack === null ? null : firstCarrierKey(orgId, { packSeq, prevPack })
  const nextOfPredecessor = key === null ? null : await linkCarrier(key, id, context)
  const carrier: CarrierFact = { hash, type, signer, kid, authorSeq, nextAtNumber, nextOfPredecessor }
  context.facts.put(carrierKey(orgId, id), carrier)
  await showEffect(orgId, id, carrier, context)
  for (const packs of touched) await showTouched(orgId, packs, context)
}

/** Makes the event the first of a list, and returns the one that was. */
async function linkCarrier(key: string, eventId: string, { facts }: FoldContext): Promise<string | null> {
  const known = (await facts.get(key)) as FirstFact | undefined
  facts.put(key, { first: eventId } satisfies FirstFact)
  return known?.first ?? null
}

async function showTouched(orgId: string, packs: TouchedPacks, context: FoldContext): Promise<void> {
  const known = (await context.facts.get(firstCarrierKey(orgId, packs))) as FirstFact | undefined
  for (let eventId = known?.first ?? null; eventId !== null;) {
    const carrier = (await context.facts.get(carrierKey(orgId, eventId))) as CarrierFact | undefined
    if (carrier === undefined) throw new Error(`carrier ${eventId} of ${orgId} is not among the facts`)
    await showEffect(orgId, eventId, carrier, context)
    eventId = packs.prevPack === undefined ? carrier.nextAtNumber : carrier.nextOfPredecessor
  }
}

async function showEffect(
  orgId: string,
  eventId: string,
  { hash, type, signer, kid, authorSeq }: CarrierFact,
  { rows, facts }: FoldContext
): Promise<void> {
  const effect = await effectOfPack(facts, orgId, { hash, eventId })
  const key = keyOf(TRUST_NAMESPACE, eventId)
  const before = await rows.get(key)
  if (effect === null && before !== undefined) rows.del(key)
  if (effect === null || before?.['effect'] === effect) return
  const detail = `pack ${hash} of ${orgId}`
  rows.put(key, { namespace: TRUST_NAMESPACE, eventId, type, signer, kid, authorSeq, effect, detail })
}

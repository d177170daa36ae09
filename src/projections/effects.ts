import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { ANNOUNCE_TYPE, announceOf } from '../events/claim.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { foldPack, isOwnPack, isPack, packOf } from './packs.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

interface NoEffect {
  readonly effect: string
  readonly detail: string
}

const keyOf = (namespace: string, eventId: string): string => `${namespace}!${eventId}`

/**
 * The events that were admitted but have no effect, and why. Which they are may change with what comes later: a pack that waits for the one
 * before it leaves this list when that arrives. Ownership of a root is shown in `batches`.
 */
export const effects: Projection = {
  name: 'effects',
  version: 1,
  dependsOnPolicy: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => row['effect'] === value
  },
  reads: () => NO_KEYS,

  fold(record, context) {
    if (record.scope === 'local') return undefined
    const found = effectOf(record, context.policy)
    if (found !== null) return list(record, found, context)
    return isPack(record) ? foldPacks(record, context) : undefined
  },

  shared: () => null
}

/** Why the event by itself has no effect under the policy, or `null`. */
function effectOf(record: SharedRecord, policy: PolicyView): NoEffect | null {
  const { type, namespace, signer } = record.event.envelope
  const inTrust = namespace === TRUST_NAMESPACE
  if (type === ANNOUNCE_TYPE && !inTrust) {
    const reading = announceOf(record.event)
    if (!reading.ok) return { effect: reading.code, detail: reading.detail }
    if (policy.hasRole(namespace, signer, 'announce')) return null
    return { effect: 'ROLE_MISSING', detail: `${signer} may not announce in ${namespace}` }
  }
  if (type === ANCHOR_PACK_TYPE && inTrust) {
    const reading = packOf(record.event)
    if (!reading.ok) return { effect: reading.code, detail: reading.detail }
    if (isOwnPack(record.event, reading.pack.orgId, policy)) return null
    return { effect: 'PACK_SIGNER_FOREIGN', detail: `${signer} does not belong to ${reading.pack.orgId}` }
  }
  return { effect: 'TYPE_UNKNOWN', detail: `this release knows no type ${type} in ${namespace}` }
}

async function list(record: SharedRecord, { effect, detail }: NoEffect, { rows }: FoldContext): Promise<void> {
  const { id, envelope } = record.event
  const { namespace, type, signer, kid, authorSeq } = envelope
  const key = keyOf(namespace, id)
  await rows.get(key)
  rows.put(key, { namespace, eventId: id, type, signer, kid, authorSeq, effect, detail })
}

/** A new pack can change what every other pack of its organisation counts for. */
async function foldPacks(record: SharedRecord, context: FoldContext): Promise<void> {
  const folded = await foldPack(record, context)
  if (folded === null) return
  const { signer, kid, authorSeq, type } = record.event.envelope
  const own = { type, signer, kid, authorSeq }
  context.facts.put(`carrier!${record.event.id}`, own)
  for (const [hash, ids] of folded.carriers) {
    const effect = folded.chain.effects.get(hash) ?? null
    for (const eventId of ids) {
      const key = keyOf(TRUST_NAMESPACE, eventId)
      const before = await context.rows.get(key)
      if (effect === null && before !== undefined) context.rows.del(key)
      if (effect === null || before?.['effect'] === effect) continue
      const carrier = eventId === record.event.id ? own : await context.facts.get(`carrier!${eventId}`)
      context.rows.put(key, { namespace: TRUST_NAMESPACE, eventId, ...carrier, effect, detail: `pack ${hash} of ${folded.orgId}` })
    }
  }
}

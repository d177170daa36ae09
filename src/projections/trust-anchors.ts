import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { parsePolicy } from '../policy/policy.ts'
import type { AnchoredKey } from '../trust/pack-chain.ts'
import { foldPack, isPack } from './packs.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

/** Facts under which every key that was ever bound stands: `bound!<did or organisation>!<kid>!<public key>`. */
export const BOUND_KEYS_PREFIX = 'bound!'

/** A binding as the keyring reads it: to a DID (from configuration) or to an organisation (from its packs). */
export type KeyBinding = { readonly holder: string; readonly kid: string; readonly publicKey: string }

/** The keys of each organisation as its packs give them, and, as facts, every key that was ever bound. */
export const trustAnchors: Projection = {
  name: 'trust-anchors',
  version: 1,
  dependsOnPolicy: true,
  rowsChangeOften: true,
  namespacePrefix: () => null,
  filters: { status: (row, value) => row['status'] === value },
  // Packs and policies are rare: what they touch is read when they come.
  reads: () => NO_KEYS,

  fold(record, context) {
    if (record.scope === 'local' && record.event.type === 'policy') bindConfiguredKeys(record.event.body, context)
    return isPack(record) ? foldKeys(record, context) : undefined
  },

  shared: (row) => row
}

async function foldKeys(record: SharedRecord, context: FoldContext): Promise<void> {
  const folded = await foldPack(record, context)
  if (folded === null) return
  const { orgId, chain } = folded
  for (const { kid, publicKey } of chain.everBound) bind({ holder: orgId, kid, publicKey }, context)
  const rows = new Map([...chain.head.keys].map(([kid, anchored]) => [`${orgId}!${kid}`, rowOf(orgId, anchored)]))
  for (const [key] of await context.rows.range(`${orgId}!`)) {
    if (rows.has(key)) continue
    await context.rows.get(key)
    context.rows.del(key)
  }
  for (const [key, row] of rows) {
    const before = await context.rows.get(key)
    if (JSON.stringify(before) !== JSON.stringify(row)) context.rows.put(key, row)
  }
}

function bindConfiguredKeys(body: JsonObject, context: FoldContext): void {
  for (const { did, keys } of parsePolicy(body).peers) {
    for (const { kid, publicKey } of keys) bind({ holder: did, kid, publicKey }, context)
  }
}

function bind(binding: KeyBinding, { facts }: FoldContext): void {
  facts.put(`${BOUND_KEYS_PREFIX}${binding.holder}!${binding.kid}!${binding.publicKey}`, binding)
}

function rowOf(orgId: string, { key, packSeq, updatedAt }: AnchoredKey): JsonObject {
  return { orgId, ...(key as unknown as JsonObject), packSeq, updatedAt }
}

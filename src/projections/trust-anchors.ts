import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { parsePolicy } from '../policy/policy.ts'
import type { AnchoredKey, PackHead } from '../trust/pack-chain.ts'
import { foldPack, stateOfPack, tsOfPack } from './pack-fold.ts'
import { isPack } from './packs.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'
import { PLAIN_ROWS } from './row-codec.ts'

/** Facts under which every key that was ever bound stands: `bound!<did or organisation>!<kid>!<public key>`. */
export const BOUND_KEYS_PREFIX = 'bound!'
/**
 * Facts of the same form for those of them that the log does not name yet: packs alone bind them, under the policy of
 * now.
 */
export const UNLOGGED_KEYS_PREFIX = 'unlogged!'

/** A key that stands for a kid of its holder: of a DID (by configuration) or of an organisation (by its packs). */
export type KeyBinding = { readonly holder: string; readonly kid: string; readonly publicKey: string }

/** Whether a policy or a `key-bound` event in the log names the key, so that it stays bound under every policy. */
export type BoundKeyFact = KeyBinding & { readonly logged: boolean }

/** The keys of each organisation as its packs give them, and, as facts, every key that was ever bound. */
export const trustAnchors: Projection = {
  name: 'trust-anchors',
  version: 3,
  // Most of a key's fields are optional, and keys are few.
  layout: PLAIN_ROWS,
  dependsOnPolicy: true,
  rowsChangeOften: true,
  namespacePrefix: () => null,
  filters: {
    status: (row, value) => row['status'] === value,
    fromTs: (row, value) => Number(row['updatedAt']) >= Number(value),
    toTs: (row, value) => Number(row['updatedAt']) <= Number(value)
  },
  // Packs and policies are rare: what they touch is read when they come.
  reads: () => NO_KEYS,

  fold(record, context) {
    if (record.scope === 'local') {
      if (record.event.type === 'policy') bindConfiguredKeys(record.event.body, context)
      if (record.event.type === 'key-bound') bindLogged(record.event.body as KeyBinding, context)
      return undefined
    }
    return isPack(record) ? foldKeys(record, context) : undefined
  },

  shared: (row) => row
}

async function foldKeys(record: SharedRecord, context: FoldContext): Promise<void> {
  const folded = await foldPack(record, context)
  if (folded === null) return
  const { orgId, bound, head, headMoved, timeChanged } = folded
  for (const { kid, publicKey } of bound) await bindUnlogged({ holder: orgId, kid, publicKey }, context)
  if (headMoved || timeChanged) await showKeys(orgId, head, context)
}

async function showKeys(orgId: string, { hash }: PackHead, { rows, facts }: FoldContext): Promise<void> {
  const keys = hash === null ? [] : (await stateOfPack(facts, orgId, hash)).keys.values()
  const shown = new Map<string, JsonObject>()
  for (const anchored of keys) {
    const updatedAt = await tsOfPack(facts, orgId, anchored.changedBy)
    shown.set(`${orgId}!${anchored.key.kid}`, rowOf(orgId, anchored, updatedAt))
  }
  for (const [key] of await rows.range(`${orgId}!`)) {
    if (shown.has(key)) continue
    await rows.get(key)
    rows.del(key)
  }
  for (const [key, row] of shown) {
    const before = await rows.get(key)
    if (JSON.stringify(before) !== JSON.stringify(row)) rows.put(key, row)
  }
}

function bindConfiguredKeys(body: JsonObject, context: FoldContext): void {
  for (const { did, keys } of parsePolicy(body).peers) {
    for (const { kid, publicKey } of keys) bindLogged({ holder: did, kid, publicKey }, context)
  }
}

function bindLogged({ holder, kid, publicKey }: KeyBinding, { facts }: FoldContext): void {
  const name = nameOf({ holder, kid, publicKey })
  facts.put(BOUND_KEYS_PREFIX + name, { holder, kid, publicKey, logged: true } satisfies BoundKeyFact)
  facts.del(UNLOGGED_KEYS_PREFIX + name)
}

async function bindUnlogged(binding: KeyBinding, { facts }: FoldContext): Promise<void> {
  const name = nameOf(binding)
  if ((await facts.get(BOUND_KEYS_PREFIX + name)) !== undefined) return
  facts.put(BOUND_KEYS_PREFIX + name, { ...binding, logged: false } satisfies BoundKeyFact)
  facts.put(UNLOGGED_KEYS_PREFIX + name, binding)
}

const nameOf = ({ holder, kid, publicKey }: KeyBinding): string => `${holder}!${kid}!${publicKey}`

function rowOf(orgId: string, { key, packSeq }: AnchoredKey, updatedAt: number): JsonObject {
  return { orgId, ...(key as unknown as JsonObject), packSeq, updatedAt }
}

import { sortableNumber } from '../log/keys.ts'
import type { FoldContext, Table } from './projection.ts'
import { FoldAnew } from './projection.ts'

/**
 * When attestations on an organisation's batches were made, as facts of `winners`: the `validUntil` of its packs decides
 * which of them count towards a quorum (winner/v1 WIN-8), and another one must not cost a look at every batch. So
 * `until!` holds the bound that the rows follow, `made!` each attestation that a quorum could count, by its time.
 */

const untilKey = (orgId: string): string => `until!${orgId}!`
const madePrefix = (orgId: string): string => `made!${orgId}!`

// As many batches as a fold of records changes at most; more are folded anew in several steps.
const BATCHES_AT_ONCE_MAX = 4_096

type UntilFact = { readonly validUntil: number }

/** Remembers an attestation of a batch (the key of its row) of the organisation. */
export async function rememberMade(
  orgId: string,
  batchKey: string,
  ts: number,
  { facts, trust }: FoldContext
): Promise<void> {
  facts.put(`${madePrefix(orgId)}${sortableNumber(ts)}!${batchKey}`, { batchKey })
  const validUntil = trust.validUntil(orgId)
  if ((await boundOf(facts, orgId)) !== validUntil) putBound(facts, orgId, validUntil)
}

/**
 * The keys of the batches on which an attestation may count otherwise since the organisation's packs say another
 * `validUntil`. Throws `FoldAnew` for too many.
 */
export async function batchesBoundOtherwise(orgId: string, { facts, trust }: FoldContext): Promise<readonly string[]> {
  const before = await boundOf(facts, orgId)
  const after = trust.validUntil(orgId)
  if (before === after) return []
  putBound(facts, orgId, after)
  const bounds = [before ?? Infinity, after ?? Infinity]
  // After the lower bound, up to the higher one.
  const from = madePrefix(orgId) + sortableNumber(Math.min(...bounds) + 1)
  const found = await facts.range(madePrefix(orgId), BATCHES_AT_ONCE_MAX + 1, from)
  if (found.length > BATCHES_AT_ONCE_MAX)
    throw new FoldAnew(`more than ${BATCHES_AT_ONCE_MAX} attestations on batches of ${orgId} may count otherwise`)
  return [...new Set(found.map(([, fact]) => (fact as { readonly batchKey: string }).batchKey))]
}

async function boundOf(facts: Table, orgId: string): Promise<number | null> {
  return ((await facts.get(untilKey(orgId))) as UntilFact | undefined)?.validUntil ?? null
}

function putBound(facts: Table, orgId: string, validUntil: number | null): void {
  if (validUntil === null) facts.del(untilKey(orgId))
  else facts.put(untilKey(orgId), { validUntil } satisfies UntilFact)
}

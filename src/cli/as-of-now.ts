import { AUDIT_LISTING } from '../access/audit-rows.ts'
import { PEERS_LISTING } from '../access/peer-rows.ts'
import type { Operations, ProjectionQuery } from '../operations.ts'

/** What is no fold of the log is always as of now, and knows no position to wait for. */
const NO_FOLDS: ReadonlySet<string> = new Set([AUDIT_LISTING.name, PEERS_LISTING.name])

/**
 * The query so that all that was taken in before it is in the answer: who runs one command after another sees what the
 * first one did. A moment that was asked for, and a page that goes on with an earlier one, stay as they are.
 */
export async function asOfNow(
  operations: Pick<Operations, 'status'>,
  projection: string,
  query: ProjectionQuery
): Promise<ProjectionQuery> {
  const isPlaced = query.at !== undefined || query.waitFor !== undefined || query.cursor !== undefined
  if (isPlaced || NO_FOLDS.has(projection)) return query
  return { ...query, waitFor: (await operations.status()).log.logSeq }
}

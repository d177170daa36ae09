import { AUDIT_LISTING } from '../access/audit-rows.ts'
import { PEERS_LISTING } from '../access/peer-rows.ts'
import type { Operations, ProjectionPage, ProjectionQuery } from '../operations.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** What is no fold of the log is always as of now, and knows no position to wait for. */
const NO_FOLDS: ReadonlySet<string> = new Set([AUDIT_LISTING.name, PEERS_LISTING.name])

/**
 * Asks for a page with all that was taken in before the question: who runs one command after another sees what the
 * first one did. It waits as long as the folds come nearer. A moment that was asked for, and a page that goes on with
 * an earlier one, stay as they are. Throws as `ask`, `NOT_YET` where folds stand still.
 */
export async function asOfNow(
  operations: Pick<Operations, 'status'>,
  projection: string,
  query: ProjectionQuery,
  ask: (query: ProjectionQuery) => Promise<ProjectionPage>
): Promise<ProjectionPage> {
  const isPlaced = query.at !== undefined || query.waitFor !== undefined || query.cursor !== undefined
  if (isPlaced || NO_FOLDS.has(projection)) return await ask(query)
  let before = await operations.status()
  const waitFor = before.log.logSeq
  for (;;) {
    try {
      return await ask({ ...query, waitFor })
    } catch (error) {
      if (!(error instanceof AnchormeshError) || error.code !== 'NOT_YET') throw error
      const now = await operations.status()
      if (folded(now) <= folded(before)) throw error
      before = now
    }
  }
}

/** How far the folds are, all together. */
function folded({ projections }: Awaited<ReturnType<Operations['status']>>): number {
  return projections.reduce((sum, { logSeq }) => sum + logSeq, 0)
}

import type { z } from 'zod'
import type { Operations, ProgressListener } from '../operations.ts'
import type { AdminRequest, AdminTransport } from './admin-transport.ts'
import * as schemas from './pack-sync-schemas.ts'

/** Long work at the node: tells of its progress and returns its result. */
type Work = <Result>(result: z.ZodType<Result>, request: AdminRequest, onProgress?: ProgressListener) => Promise<Result>

/** The part of the admin client that is about packs beside the mesh. */
export function packSyncClient(
  work: Work,
  transport: AdminTransport
): Pick<Operations, 'planPackSync' | 'pullPacks' | 'pushPacks'> {
  return {
    planPackSync: (query) =>
      transport.json(schemas.syncPlan, { method: 'GET', path: 'packs/plan', query: { ...query } }),
    pullPacks: (query, onProgress) =>
      work(schemas.syncResults, { method: 'POST', path: 'packs/pull', query: { ...query } }, onProgress),
    pushPacks: (query, onProgress) =>
      work(schemas.pushResults, { method: 'POST', path: 'packs/push', query: { ...query } }, onProgress)
  }
}

import type { Operations } from '../operations.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { CommandContext } from './command.ts'
import { readAdminFile } from './data-folder/admin-file.ts'
import type { AdminFile } from './data-folder/admin-file.ts'

/** The node that serves a data folder now, reached by its admin listener. */
export interface NodeAccess {
  readonly admin: AdminFile
  readonly operations: Operations
}

/**
 * The node that runs on the data folder, or null where none answers: a node that was killed leaves `run/admin.json`
 * behind, and its port may be another program's by now.
 */
export async function runningNode({ folder }: Pick<CommandContext, 'folder'>): Promise<NodeAccess | null> {
  const admin = await readAdminFile(folder)
  if (admin === null) return null
  const { createAdminClient } = await import('../http/admin-client.ts')
  const operations = createAdminClient(admin)
  try {
    await operations.status()
    return { admin, operations }
  } catch (error) {
    const isStale = (error instanceof AnchormeshError && STALE_CODES.has(error.code)) || !isAlive(admin.pid)
    if (isStale) return null
    throw error
  }
}

/** Nobody listens there, or somebody who does not know this token. */
const STALE_CODES: ReadonlySet<string> = new Set(['NODE_NOT_RUNNING', 'ADMIN_TOKEN_INVALID'])

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // A process of another user may not be signalled, and is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

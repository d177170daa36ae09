import type { Operations } from '../operations.ts'
import type { CommandContext } from './command.ts'
import { untilAborted } from '../platform/until-aborted.ts'

/**
 * Does work on the node of the data folder: on the one that is running, by its admin listener, or else on one that is
 * opened for this command alone, without a mesh, and closed afterwards. Throws `STORE_LOCKED` where another process
 * has the folder and does not answer.
 */
export async function withOperations<Result>(
  context: CommandContext,
  work: (operations: Operations) => Promise<Result>
): Promise<Result> {
  // Loaded here, so that help and wrong usage wait for nothing that they don't need.
  const { runningNode } = await import('./running-node.ts')
  const running = await runningNode(context)
  if (running !== null) return await untilAborted(work(running.operations), context.signal)
  const { openOwnNode } = await import('./own-node.ts')
  const node = await openOwnNode(context)
  try {
    return await untilAborted(work(node), context.signal)
  } finally {
    await node.close()
  }
}

import { stat } from 'node:fs/promises'
import { checkpointFile } from '../log/checkpoint-file.ts'
import { openLevelStore } from '../log/level-store.ts'
import type { Store } from '../log/store.ts'
import type { Network } from '../network/network.ts'
import { createNode } from '../node.ts'
import type { AnchormeshNode } from '../node.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { createLogger } from '../platform/logger.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { SignatureThreads } from '../platform/signature-threads.ts'
import type { CommandContext } from './command.ts'
import { loadConfig } from './data-folder/load-config.ts'
import type { LoadedConfig } from './data-folder/load-config.ts'
import { dataPaths } from './data-folder/paths.ts'
import { configuredRails } from './data-folder/rails.ts'
import { packageVersion } from './package-info.ts'

export interface OwnNodeParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly network?: Network
}

/** The node of a data folder for one command, without a mesh. Throws as `loadConfig` and `openNode` do. */
export async function openOwnNode(context: CommandContext): Promise<AnchormeshNode> {
  const { configSources, clock, random, json, quiet } = context
  const config = await loadConfig(configSources)
  // The command tells its own errors; in its JSON nothing else should stand.
  return await openNode(config, { clock, random, logger: createLogger(json || quiet ? 'silent' : 'warn') })
}

/**
 * Opens the stores of a data folder and the node on them; closing the node closes them. Throws `STORE_LOCKED`,
 * `STORE_CORRUPT`, `STORE_NEWER`, `STORE_OLDER`.
 */
export async function openNode(config: LoadedConfig, parts: OwnNodeParts): Promise<AnchormeshNode> {
  const { federation, policy, signer } = config
  const paths = dataPaths(config.folder)
  // The file stands for "there was a store": without it this is the first start, with it a missing store is a loss.
  const create = !(await exists(paths.storeState))
  const store = await openLevelStore(paths.store, { create })
  const opened: Store[] = [store]
  try {
    const blobs = await openLevelStore(paths.blobs, { create })
    opened.push(blobs)
    const { clock: skews, sealing } = federation
    const { futureSkewMs, requestSkewMs } = skews
    const { intervalMs: syncIntervalMs } = federation.sync
    const { checkpointMs } = federation.log
    const rails = await configuredRails(federation, policy, { ...parts, folder: paths.folder })
    return await createNode(
      { policy, signer, version: packageVersion, futureSkewMs, requestSkewMs, syncIntervalMs, checkpointMs, sealing },
      {
        ...parts,
        ...rails,
        store,
        blobs,
        checkpoint: checkpointFile(paths.storeState),
        signatureVerifiers: new SignatureThreads({ clock: parts.clock, logger: parts.logger })
      }
    )
  } catch (error) {
    for (const open of opened.toReversed())
      await open.close().catch((second: unknown) => reportSecond(parts.logger, second))
    throw error
  }
}

/** Why the node did not open is what counts; that a store would not close either is worth a line. */
function reportSecond(logger: Logger, error: unknown): void {
  logger.warn({ error: messageOf(error) }, 'a store could not be closed')
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw new AnchormeshError('STORE_CORRUPT', `${path} can't be looked at: ${messageOf(error)}`, { cause: error })
  }
}

import { stat } from 'node:fs/promises'
import { checkpointFile } from '../log/checkpoint-file.ts'
import type { Store } from '../log/store.ts'
import type { ConfigurationSource } from '../live-settings.ts'
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
import { auditNotes } from './data-folder/audit-notes.ts'
import { backupSource } from './data-folder/backup-files.ts'
import { nodeConfigOf } from './data-folder/node-config.ts'
import { openStores } from './data-folder/open-stores.ts'
import { dataPaths } from './data-folder/paths.ts'
import { configuredRails } from './data-folder/rails.ts'
import { configuredSyslog } from './data-folder/syslog.ts'
import { openKeystore } from './data-folder/keystore.ts'
import type { PassphraseSource } from './data-folder/keystore-seal.ts'
import { externalSigners } from './data-folder/node-signer.ts'
import { loadConfig } from './data-folder/load-config.ts'
import type { LoadedConfig } from './data-folder/load-config.ts'
import { filePins } from './data-folder/file-pins.ts'
import { fileSignerRegistry } from './data-folder/signers-file.ts'
import type { SignersFileParts } from './data-folder/signers-file.ts'

export interface OwnNodeParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly network?: Network
  readonly configuration?: ConfigurationSource
}

/** The node of a data folder for one command, without a mesh. Throws as `loadConfig` and `openNode` do. */
export async function openOwnNode(context: CommandContext): Promise<AnchormeshNode> {
  const { configSources, clock, random, json, quiet } = context
  const config = await loadConfig(configSources)
  // The command tells its own errors; in its JSON nothing else should stand.
  return await openNode(config, {
    clock,
    random,
    logger: createLogger(json || quiet ? 'silent' : 'warn')
  })
}

/**
 * Opens the stores of a data folder and the node on them; closing the node closes them. Throws `STORE_LOCKED`,
 * `STORE_CORRUPT`, `STORE_NEWER`, `STORE_OLDER`, `STORE_KEY_MISSING`, `STORE_REKEY_UNFINISHED`.
 */
export async function openNode(config: LoadedConfig, parts: OwnNodeParts): Promise<AnchormeshNode> {
  const { federation } = config
  const paths = dataPaths(config.folder)
  // The file stands for "there was a store": without it this is the first start, with it a missing store is a loss.
  const create = !(await exists(paths.storeState))
  const { store, blobs, onDisk } = await openStores(config, { create, clock: parts.clock, random: parts.random })
  const opened: readonly Store[] = [store, blobs]
  try {
    const rails = configuredRails(config, parts)
    const syslog = await configuredSyslog(federation, paths.folder, parts)
    return await createNode(nodeConfigOf(config), {
      ...parts,
      ...rails,
      ...(syslog === null ? {} : { syslog }),
      store,
      blobs,
      checkpoint: checkpointFile(paths.storeState),
      backup: { ...backupSource(config.sources, () => config), stores: onDisk },
      signers: fileSignerRegistry({
        paths,
        keystore: keystoreFile(paths.keystore, config.sources.passphrases),
        signer: config.signer,
        external: externalSigners(federation.node, paths.folder, parts.clock),
        random: parts.random
      }),
      pins: filePins(config.sources),
      auditNotes: auditNotes(paths.folder),
      signatureVerifiers: new SignatureThreads({ clock: parts.clock, logger: parts.logger })
    })
  } catch (error) {
    for (const open of opened.toReversed())
      await open.close().catch((second: unknown) => reportSecond(parts.logger, second))
    throw error
  }
}

/** The keystore, read anew each time: a command may have changed it. */
function keystoreFile(path: string, passphrases: PassphraseSource | undefined): SignersFileParts['keystore'] {
  return { open: () => openKeystore(path, passphrases) }
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

import { NodeMetrics } from '../metrics/node-metrics.ts'
import { logStatus } from '../metrics/status-line.ts'
import { pinOfIdentity } from '../http/tls.ts'
import { createLibp2pNetwork } from '../network/libp2p/libp2p-network.ts'
import type { Libp2pNetworkDeps } from '../network/libp2p/libp2p-network.ts'
import type { Network } from '../network/network.ts'
import type { AnchormeshNode } from '../node.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, EXIT, messageOf } from '../platform/errors.ts'
import { createLogger } from '../platform/logger.ts'
import type { LevelLogger, Logger } from '../platform/logger.ts'
import { viewPolicy } from '../policy/policy-view.ts'
import { problemText } from '../policy/yaml.ts'
import type { CommandContext } from './command.ts'
import { removeAdminFile, writeAdminFile } from './data-folder/admin-file.ts'
import type { AdminFile } from './data-folder/admin-file.ts'
import { loadConfig } from './data-folder/load-config.ts'
import type { LoadedConfig } from './data-folder/load-config.ts'
import { knownPeersOf } from './data-folder/node-config.ts'
import { Hangups } from './hangups.ts'
import { Interrupted } from './interruption.ts'
import { LiveConfig } from './live-config.ts'
import { LiveTransport } from './live-transport.ts'
import { openNode } from './own-node.ts'
import type { OwnNodeParts } from './own-node.ts'
import { readyLine } from './ready-line.ts'
import { runningNode } from './running-node.ts'
import { startListeners } from './serve-listeners.ts'

export interface ServeOptions {
  /** Whether the end of standard input stops the node. */
  readonly whileStdin: boolean
}

/** Ends one part of the running node. */
type Close = () => Promise<void>

/**
 * Runs the node of the data folder until it is interrupted: by a signal, by its admin listener, or by the end of
 * standard input. What was opened is closed in the opposite order, also when something further could not be opened.
 * Throws as `loadConfig` and `openNode` do, and `PORT_IN_USE`.
 */
export async function serveNode(context: CommandContext, { whileStdin }: ServeOptions): Promise<void> {
  const { signal, configSources, quiet } = context
  const config = await loadConfig(configSources)
  const logger = createLogger(quiet ? 'error' : config.federation.log.level)
  for (const setting of config.withoutEffect) {
    const { file, line, key } = setting
    logger.warn({ file, line, key }, problemText(setting))
  }
  if (Object.keys(config.federation.namespaces).length === 0) {
    logger.warn(
      {},
      'the node carries no namespace: name one under `namespaces` in federation.yaml, and reload it (anchormesh config reload)'
    )
  }
  const closes: Close[] = []
  try {
    await open(config, logger, context, closes)
    if (whileStdin) stopAtEnd(context)
    await aborted(signal)
    logger.info({ reason: messageOf(signal.reason) }, 'the node stops')
  } catch (error) {
    await closeAll(closes, logger)
    throw error
  }
  const [failure] = await closeAll(closes, logger)
  if (failure !== undefined) throw failure
}

async function open(
  config: LoadedConfig,
  logger: LevelLogger,
  context: CommandContext,
  closes: Close[]
): Promise<void> {
  const { clock, random, signal, interruption, output, json } = context
  const { folder, federation } = config
  const hangups = new Hangups(logger, signal)
  closes.push(() => Promise.resolve(hangups.close()))
  const metrics = new NodeMetrics()
  const network = networkOf(config, await config.peerKeySeed(), { clock, random, logger, metrics: metrics.gossip })
  // Nobody sits before a node to answer what a reload, or a key that is made, would ask.
  context.passphrases.askNoMore()
  if (config.federation.node.signer !== undefined) closes.push(watchSigner(config, logger))
  const transport = new LiveTransport(config.tls)
  const configuration = new LiveConfig(config, context.configSources, {
    clock,
    random,
    logger,
    isLevelFixed: context.quiet,
    transport
  })
  const node = await openUnlocked(config, { clock, random, logger, network, configuration }, context)
  closes.push(() => node.close())
  await node.start()
  signal.throwIfAborted()
  closes.push(keepStatusLines(node, { clock, logger }))
  const shutdown = (): void => interruption.interrupt(new Interrupted(EXIT.done, 'shutdown by the admin listener'))
  const listening = { clock, random, logger, metrics, transport, shutdown }
  const { http, admin, token } = await startListeners(config, node, listening, closes)
  signal.throwIfAborted()
  closes.push(await announceAdmin(folder, { pid: process.pid, url: admin.url, token }, transport, logger))
  hangups.serve(node)
  const { peerId, multiaddrs } = network.status()
  const ready = { did: federation.node.did, peerId, multiaddrs, http: http.url, admin: admin.url }
  await (json ? output.json({ ready: true, ...ready }) : output.line(readyLine(ready)))
}

/** Logs how the node is, a line a minute. */
function keepStatusLines(node: AnchormeshNode, ports: { readonly clock: Clock; readonly logger: Logger }): Close {
  const lines = new AbortController()
  const logged = logStatus({ status: () => node.status(), ...ports }, lines.signal)
  return () => {
    lines.abort()
    return logged
  }
}

/** Says in the data folder how commands reach the node, for as long as it runs. */
async function announceAdmin(
  folder: string,
  plain: AdminFile,
  transport: LiveTransport,
  logger: Logger
): Promise<Close> {
  // Who asks by TLS knows the node by its certificate, which a reload may exchange.
  const told = (): AdminFile => {
    const { identity } = transport
    return identity === null || !plain.url.startsWith('https:') ? plain : { ...plain, pin: pinOfIdentity(identity) }
  }
  let written = writeAdminFile(folder, told())
  await written
  transport.follow(() => {
    written = written
      .then(() => writeAdminFile(folder, told()))
      .catch((error: unknown) => {
        logger.error({ reason: messageOf(error) }, 'run/admin.json does not name the new certificate')
      })
  })
  return async () => {
    await written
    await removeAdminFile(folder, plain)
  }
}

/** Keeps the connection to the process of `node.signer`; the node starts also while that is away. */
function watchSigner({ signer }: LoadedConfig, logger: Logger): Close {
  const watching = new AbortController()
  const watched = signer.watch(watching.signal).catch((error: unknown) => {
    logger.error({ reason: messageOf(error) }, 'the signer is no longer watched')
  })
  return async () => {
    watching.abort()
    await watched
  }
}

/**
 * Opens the node. Where another one has the folder, and answers, `STORE_LOCKED` says where; a command may have it, too.
 */
async function openUnlocked(
  config: LoadedConfig,
  parts: OwnNodeParts,
  context: CommandContext
): Promise<AnchormeshNode> {
  try {
    return await openNode(config, parts)
  } catch (error) {
    const url = error instanceof AnchormeshError && error.code === 'STORE_LOCKED' ? await adminUrl(context) : null
    if (url === null) throw error
    throw new AnchormeshError('STORE_LOCKED', messageOf(error), {
      hint: `a node is already running on this folder (admin at ${url}): anchormesh status`,
      cause: error
    })
  }
}

async function adminUrl(context: CommandContext): Promise<string | null> {
  try {
    return (await runningNode(context))?.admin.url ?? null
  } catch {
    // What is wrong with the other node is not what was asked.
    return null
  }
}

function networkOf(config: LoadedConfig, peerKeySeed: Uint8Array, ports: Libp2pNetworkDeps): Network {
  const { federation, policy } = config
  const { listen, announce, bootstrap, mdns } = federation.node
  const knownPeers = knownPeersOf(config)
  const { namespaces } = viewPolicy(policy)
  return createLibp2pNetwork({ namespaces, knownPeers, listen, announce, bootstrap, mdns, peerKeySeed }, ports)
}

/** Closes what was opened last first. One part that fails keeps no other open; what failed is logged and returned. */
async function closeAll(closes: readonly Close[], logger: Logger): Promise<readonly Error[]> {
  const failures: Error[] = []
  for (const close of closes.toReversed()) {
    try {
      await close()
    } catch (error) {
      logger.error({ error: messageOf(error) }, 'a part of the node could not be closed')
      failures.push(error instanceof Error ? error : new Error(messageOf(error)))
    }
  }
  return failures
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  if (signal.aborted) resolve()
  await promise
}

/** Interrupts the node when standard input ends, or breaks. */
function stopAtEnd({ stdin, interruption }: CommandContext): void {
  const stop = (): void => interruption.interrupt(new Interrupted(EXIT.done, 'standard input has ended'))
  untilEnd(stdin).then(stop, stop)
}

/** Reads and forgets what comes until no more can come. */
async function untilEnd(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]()
  while ((await iterator.next()).done !== true);
}

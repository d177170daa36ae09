import { Command, CommanderError } from 'commander'
import type { VerbRunner } from './command.ts'
import { packageVersion } from '../platform/package-info.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { examples } from './help.ts'
import type { TextStream } from './output.ts'
import { registerAnchor } from './verbs/anchor.ts'
import { registerAnnounce } from './verbs/announce.ts'
import { registerAudit } from './verbs/audit.ts'
import { registerBackup } from './verbs/backup.ts'
import { registerBundle } from './verbs/bundle.ts'
import { registerConfig } from './verbs/config.ts'
import { registerDemo } from './verbs/demo.ts'
import { registerDigest } from './verbs/digest.ts'
import { registerDrill } from './verbs/drill.ts'
import { registerEvents } from './verbs/events.ts'
import { registerForget } from './verbs/forget.ts'
import { registerIdentity } from './verbs/identity.ts'
import { registerInit } from './verbs/init.ts'
import { registerKeys } from './verbs/keys.ts'
import { registerKeysSeal } from './verbs/keys-seal.ts'
import { registerLog } from './verbs/log.ts'
import { registerPack } from './verbs/pack.ts'
import { registerPeers } from './verbs/peers.ts'
import { registerQuery } from './verbs/query.ts'
import { registerRestore } from './verbs/restore.ts'
import { registerSeal } from './verbs/seal.ts'
import { registerSigner } from './verbs/signer.ts'
import { registerSimulate } from './verbs/simulate.ts'
import { registerStart } from './verbs/start.ts'
import { registerStatus } from './verbs/status.ts'
import { registerStore } from './verbs/store.ts'
import { registerSync } from './verbs/sync.ts'
import { registerTokens } from './verbs/tokens.ts'
import { registerTrust } from './verbs/trust.ts'
import { registerVerify } from './verbs/verify.ts'
import { registerVerifyOnline } from './verbs/verify-online.ts'

/** The order is that in which a person comes to need them. */
const VERBS = [
  registerDemo,
  registerInit,
  registerStart,
  registerStatus,
  registerIdentity,
  registerPeers,
  registerConfig,
  registerSeal,
  registerAnnounce,
  registerAnchor,
  registerKeys,
  registerPack,
  registerTrust,
  registerBundle,
  registerForget,
  registerEvents,
  registerQuery,
  registerTokens,
  registerVerify,
  registerDigest,
  registerSync,
  registerVerifyOnline,
  registerLog,
  registerAudit,
  registerBackup,
  registerRestore,
  registerKeysSeal,
  registerStore,
  registerSigner,
  registerDrill,
  registerSimulate
]

export interface ProgramOptions {
  readonly json: boolean
  /** Where help and the version go. */
  readonly stdout: TextStream
  readonly stderr: TextStream
}

/** The whole command line. Every way in which commander ends a command comes out of `parseAsync` as an error. */
export function createProgram(runner: VerbRunner, options: ProgramOptions): Command {
  const { json, stdout, stderr } = options
  const program = new Command('anchormesh')
    .description('A node of a federation: gossips, logs, re-verifies and serves timestamped Merkle batches.')
    .version(packageVersion, '-V, --version', 'print the version')
    .option('--data <folder>', 'the data folder (default: ANCHORMESH_DATA, else ./anchormesh-data)')
    .option('--config <file>', 'another file in the place of the data folder’s federation.yaml')
    .option('--passphrase-file <file>', 'the passphrase of a sealed keystore (see README, “Keys at rest”)')
    .option('--json', 'answer in JSON: lists one object a line, everything else one object')
    .option('--quiet', 'no progress and no notes')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .configureHelp({ showGlobalOptions: true })
    // In JSON the error is all: no help beside it for a parser to stumble over.
    .configureOutput({
      outputError: () => {},
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void (json || stderr.write(text))
    })
    .showSuggestionAfterError(true)
    .exitOverride()
    .addHelpText('after', examples('anchormesh demo', 'anchormesh init --org vaultmesh', 'anchormesh start'))
  for (const register of VERBS) register(program, runner)
  return program
}

/**
 * What an error of commander means: null where help or the version was asked for and shown, else wrong usage. Other
 * errors come back as they are.
 */
export function usageErrorOf(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  if (error.exitCode === 0) return null
  if (error.code === 'commander.help') {
    return new AnchormeshError('USAGE', 'a command is missing', {
      hint: 'anchormesh --help shows the commands, anchormesh COMMAND --help the options of one.'
    })
  }
  // A mistyped `--admin-tokne=…` must not show what it holds.
  const shown = error.message.replace(/^(error: unknown option '[^'=]*)=.*'/s, "$1=…'")
  const [message = '', ...rest] = shown.replace(/^error: /, '').split('\n')
  const suggestion = rest.join(' ').replace(/^\((.*)\)$/, '$1')
  const general = 'anchormesh --help shows the commands, anchormesh COMMAND --help the options of one.'
  return new AnchormeshError('USAGE', message, { hint: [suggestion, general].filter(Boolean).join('\n') })
}

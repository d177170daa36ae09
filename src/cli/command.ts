import type { Command } from 'commander'
import type { Clock } from '../platform/clock.ts'
import { EXIT } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import type { ConfigSources } from './data-folder/load-config.ts'
import { resolveDataFolder } from './data-folder/paths.ts'
import { Interrupted } from './interruption.ts'
import type { Interruption } from './interruption.ts'
import { createOutput } from './output.ts'
import type { Output, TextStream } from './output.ts'
import { createProgress } from './progress.ts'
import type { Progress } from './progress.ts'
import { passphrasesOf } from './passphrase.ts'
import type { Passphrases } from './passphrase.ts'
import { secretTerminal } from './terminal-secret.ts'

/** What the process gives to its command. */
export interface Surroundings {
  readonly stdin: AsyncIterable<Uint8Array> & object
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly interruption: Interruption
  readonly clock: Clock
  readonly random: Random
}

/** What every verb works with: the options that all have in common, and its surroundings. */
export interface CommandContext {
  /** The data folder, an absolute path. */
  readonly folder: string
  readonly configSources: ConfigSources
  readonly passphrases: Passphrases
  readonly json: boolean
  readonly quiet: boolean
  readonly output: Output
  readonly stdin: AsyncIterable<Uint8Array>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly interruption: Interruption
  readonly clock: Clock
  readonly random: Random
  /** A line on the terminal for long work. */
  progress(title: string): Progress
}

interface GlobalOptions {
  readonly json?: true
  readonly quiet?: true
  readonly data?: string
  readonly config?: string
  readonly passphraseFile?: string
  readonly newPassphraseFile?: string
}

/** Runs the one verb of a command line and keeps how it ended. */
export interface VerbRunner {
  /** `work` answers the exit code where it is not 0. It looks at the signal itself, so that it can end in order. */
  run(command: Command, work: (context: CommandContext) => Promise<number | void>): Promise<void>
  exitCode(): number
}

/** Adds one verb to the program. */
export type RegisterVerb = (program: Command, runner: VerbRunner) => void

export function createVerbRunner(surroundings: Surroundings): VerbRunner {
  let exitCode: number = EXIT.done
  return {
    async run(command, work) {
      const context = contextOf(command.optsWithGlobals<GlobalOptions>(), surroundings)
      exitCode = (await work(context)) ?? EXIT.done
    },
    exitCode: () => exitCode
  }
}

function contextOf(options: GlobalOptions, surroundings: Surroundings): CommandContext {
  const { stdin, stdout, stderr, environment, interruption, clock, random } = surroundings
  const folder = resolveDataFolder(options.data, environment)
  const json = options.json === true
  const quiet = options.quiet === true
  const configFile = options.config === undefined ? {} : { configFile: options.config }
  const passphrases = passphrasesOf({
    ...(options.passphraseFile === undefined ? {} : { file: options.passphraseFile }),
    ...(options.newPassphraseFile === undefined ? {} : { newFile: options.newPassphraseFile }),
    environment,
    terminal: secretTerminal(stdin, stderr, () => interruption.interrupt(new Interrupted(EXIT.interrupted, 'SIGINT'))),
    random
  })
  return {
    folder,
    configSources: { folder, environment, passphrases, ...configFile },
    passphrases,
    json,
    quiet,
    output: createOutput(stdout, stderr, { json, quiet, interruption }),
    stdin,
    environment,
    signal: interruption.signal,
    interruption,
    clock,
    random,
    progress: (title) => createProgress(title, stderr, clock, !quiet && !json)
  }
}

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { DrillTarget } from '../../drill/drill-target.ts'
import type { Drill } from '../../drill/run-drill.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { namespaceArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import {
  DRILLS_FOLDER,
  addressOf,
  fingerprintArgument,
  remoteNodeArgument,
  timeoutArgument
} from '../drill-arguments.ts'
import { examples } from '../help.ts'
import { packageVersion } from '../../platform/package-info.ts'
import { facts, table } from '../table.ts'
import { unusablePath } from '../unusable-path.ts'

interface RunOptions {
  readonly baseUrl: string
  readonly adminUrl?: string
  readonly adminToken?: string
  readonly adminTokenFile?: string
  readonly remoteNodeId: string
  readonly target?: string
  readonly namespace?: string
  readonly ca?: string
  readonly pin?: string
  readonly cert?: string
  readonly key?: string
  readonly timeoutMs?: number
  readonly waitForExpiry?: true
  readonly out: string
}

const TOKEN_VARIABLE = 'ANCHORMESH_DRILL_ADMIN_TOKEN'

/** `anchormesh drill run`: one drill. */
export const registerDrillRun: RegisterVerb = (drill, runner) => {
  drill
    .command('run')
    .summary('act as an external node towards one target')
    .description(
      'Registers a key that is made for this run, gets a challenge token, delivers, verifies the receipt down to the ' +
        'target’s log, replays the nonce and tries other things that must be refused, and takes the key back. Writes ' +
        'report.json (signed, with the target’s receipt in it) and summary.md. Tokens are written nowhere. Ends with ' +
        '0 where every step passed, 1 where one failed, 3 where the target could not be reached.'
    )
    .requiredOption('--base-url <url>', 'the public listener: https:, or http: on this machine')
    .option('--admin-url <url>', 'the admin listener, where it has another address')
    .option('--admin-token <token>', `the admin token; ps shows arguments, so rather: ${TOKEN_VARIABLE} or the next`)
    .option('--admin-token-file <file>', 'a file that holds the admin token')
    .requiredOption(
      '--remote-node-id <id>',
      'the name of the external node in the report; or the did:key that the target must have',
      remoteNodeArgument
    )
    .option('--target <name>', 'the name of the target in the report (default: its host and port)', remoteNodeArgument)
    .option(
      '--namespace <namespace>',
      'where to deliver (default: the first that the target carries)',
      namespaceArgument
    )
    .option('--ca <file>', 'PEM: whom the target’s certificate must lead to')
    .option('--pin <sha256>', 'the fingerprint of the target’s certificate', fingerprintArgument)
    .option('--cert <file>', 'PEM: the client certificate, where the target asks for one; with --key')
    .option('--key <file>', 'PEM: its key')
    .option('--timeout-ms <ms>', 'for one exchange (default: 10000)', timeoutArgument)
    .option('--wait-for-expiry', 'also wait until a token has expired, about a minute, and try it')
    .addOption(new Option('--out <folder>', 'where the folder of the drill is made').default(DRILLS_FOLDER))
    .addHelpText(
      'after',
      examples(
        'anchormesh drill run --base-url https://staging.example:8088 --admin-token-file token --remote-node-id drill-1'
      )
    )
    .action((options: RunOptions, command: Command) =>
      runner.run(command, async (context) => {
        const adminToken = await adminTokenOf(options, context)
        const { Secrets } = await import('../../drill/secrets.ts')
        const secrets = new Secrets()
        secrets.add(adminToken)
        const target = await targetOf(options)
        const { runDrill } = await import('../../drill/run-drill.ts')
        const { writeDrill } = await import('../../drill/evidence-files.ts')
        const { clock, random, signal } = context
        const progress = context.progress('drilling')
        const running = runDrill(target, { clock, random, signal, secrets, adminToken, version: packageVersion })
        const done = await running.finally(progress.end)
        const folder = join(resolve(options.out), done.report.drill_id)
        await writeDrill(folder, done)
        if (context.json) await context.output.json({ ...done.report, folder })
        else await context.output.line(runText(done, folder))
        return done.report.passed ? EXIT.done : done.unreachable ? EXIT.undecided : EXIT.failed
      })
    )
}

async function targetOf(options: RunOptions): Promise<DrillTarget> {
  const base = addressOf('base-url', options.baseUrl)
  const admin = options.adminUrl === undefined ? base : addressOf('admin-url', options.adminUrl)
  const { remoteNodeId, namespace, waitForExpiry, timeoutMs } = options
  const { ca, cert, key, pin: pinSha256 } = options
  if ((cert === undefined) !== (key === undefined))
    throw new AnchormeshError('USAGE', '--cert and --key go together', { hint: 'Give both files, or none.' })
  const { readTls } = await import('../../drill/build-target.ts')
  const { TIMEOUT_MS_DEFAULT } = await import('../../drill/targets-file.ts')
  return {
    name: options.target ?? base.host,
    base,
    admin,
    tls: await readTls({ ca, cert, key, pinSha256 }),
    remoteNodeId,
    timeoutMs: timeoutMs ?? TIMEOUT_MS_DEFAULT,
    ...(namespace === undefined ? {} : { namespace }),
    ...(waitForExpiry === undefined ? {} : { waitForExpiry })
  }
}

async function adminTokenOf(
  { adminToken, adminTokenFile }: RunOptions,
  { environment }: CommandContext
): Promise<string> {
  if (adminToken !== undefined && adminTokenFile !== undefined)
    throw new AnchormeshError('USAGE', 'either --admin-token or --admin-token-file, not both')
  const told = adminToken ?? (adminTokenFile === undefined ? environment[TOKEN_VARIABLE] : await read(adminTokenFile))
  const token = told?.trim() ?? ''
  const { isAdminToken } = await import('../../drill/admin-token.ts')
  if (isAdminToken(token)) return token
  // What it is instead is not shown: it may be a part of one.
  throw new AnchormeshError('USAGE', token === '' ? 'there is no admin token' : 'that is no admin token', {
    hint: `Set ${TOKEN_VARIABLE}, or give --admin-token-file. The target’s run/admin.json has its token.`
  })
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unusablePath(path, 'read', error)
  }
}

function runText({ report }: Drill, folder: string): string {
  const about = facts([
    ['drill', report.drill_id],
    ['target', `${report.target} (${report.base_url})`],
    ['remote node id', report.remote_node_id],
    ['challenge issued', report.challenge_issue_passed],
    ['delivery taken', report.delivery_passed],
    ['receipt verified', report.receipt_signature_verified],
    ['replay refused', report.replay_guard_passed],
    ['outcome', report.passed ? 'passed' : 'FAILED'],
    ['evidence', folder]
  ])
  const steps = table(
    [
      { heading: 'STEP', cell: ({ name }) => name },
      { heading: 'OUTCOME', cell: ({ outcome }) => (outcome === 'failed' ? 'FAILED' : outcome) },
      { heading: 'STATUS', cell: ({ status }) => status },
      { heading: 'CODE', cell: ({ code }) => code },
      { heading: 'MS', cell: ({ duration_ms: ms }) => ms, align: 'right' },
      { heading: 'DETAIL', cell: ({ detail }) => detail }
    ],
    report.steps
  )
  return `${about}\n\n${steps}`
}

import { Option } from 'commander'
import type { Command } from 'commander'
import type { AuditOperations, AuditQuery, AuditRecord } from '../../audit/operations.ts'
import { AUDIT_OUTCOMES } from '../../../protocols/audit/v1/record.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { actionArgument, countArgument, momentArgument } from '../arguments.ts'
import type { Moment } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { cellText, facts, figure, shortDid, time } from '../table.ts'
import { withOperations } from '../with-operations.ts'

interface AuditOptions extends Omit<AuditQuery, 'since' | 'after'> {
  readonly since?: Moment
  readonly verify?: boolean
}

/** `anchormesh audit`: what was decided and done, by whom, and how it went. */
export const registerAudit: RegisterVerb = (program, runner) => {
  program
    .command('audit')
    .summary('list the audit records, or check their chain')
    .description(
      'Lists the audit records, oldest first: what was decided and done, by whom, to what, and how it went. With ' +
        '--verify it checks the whole chain of them instead; exit 1 when something is wrong. (log verify checks the ' +
        'log of events, which is another chain.)'
    )
    .option('--since <time>', 'only records of this time or later; or of the last 90s, 15m, 12h or 7d', momentArgument)
    .option('--action <action>', 'only records of this action, such as POLICY_CHANGED', actionArgument)
    .option('--actor <actor>', 'only what this DID, PeerId, operator or node did')
    .addOption(new Option('--outcome <outcome>', 'only what went so').choices(AUDIT_OUTCOMES))
    .option('--limit <count>', 'at most so many', countArgument)
    .option('--follow', 'go on with new records as the running node makes them, until interrupted')
    .addOption(
      new Option('--verify', 'check every record and the chain').conflicts([
        'since',
        'action',
        'actor',
        'outcome',
        'limit',
        'follow'
      ])
    )
    .addHelpText(
      'after',
      examples('anchormesh audit --since 24h', 'anchormesh audit --follow --json', 'anchormesh audit --verify')
    )
    .action((options: AuditOptions, command: Command) =>
      runner.run(command, async (context) => {
        if (options.verify === true) return await verify(context)
        await list(options, context)
        return EXIT.done
      })
    )
}

async function list({ since, ...options }: AuditOptions, context: CommandContext): Promise<void> {
  const { output, json, signal, clock } = context
  const query: AuditQuery = {
    ...options,
    ...(since === undefined ? {} : { since: 'at' in since ? since.at : Math.max(0, clock.now() - since.agoMs) })
  }
  let shown = 0
  const show = async (operations: AuditOperations): Promise<void> => {
    for await (const record of operations.audit(query, signal)) {
      if (!json && shown === 0) await output.line(lineOf(HEADINGS))
      shown += 1
      if (json) await output.json(record)
      else await output.line(lineOf(cellsOf(record)))
    }
    if (shown === 0 && !signal.aborted) output.note('No audit records.')
  }
  if (query.follow !== true) return await withOperations(context, show)
  await show(await nodeToFollow(context))
  if (!signal.aborted && shown !== query.limit) output.note('The node stopped, so there is nothing more to follow.')
}

/** Nothing new could come to records that only this command has open, and while it has, no node could start. */
async function nodeToFollow(context: CommandContext): Promise<AuditOperations> {
  const { runningNode } = await import('../running-node.ts')
  const running = await runningNode(context)
  if (running !== null) return running.operations
  throw new AnchormeshError('NODE_NOT_RUNNING', 'there is nothing to follow: no node is running on this data folder', {
    hint: 'Start it first: anchormesh start. Without --follow, audit lists what was recorded.'
  })
}

async function verify(context: CommandContext): Promise<number> {
  const progress = context.progress('verifying')
  const verifying = withOperations(context, (operations) => operations.verifyAudit(progress.report))
  const verification = await verifying.finally(progress.end)
  const { ok, records, baseSeq, headSeq, headHash, problems, problemCount } = verification
  if (context.json) await context.output.json(verification)
  else {
    await context.output.line(
      facts([
        ['audit log', ok ? 'intact' : 'NOT intact'],
        ['records', records === 0 ? 'none' : `${figure(records)}, ${figure(baseSeq + 1)} to ${figure(headSeq)}`],
        ['head', headHash],
        ['problems', ok ? null : figure(problemCount)]
      ])
    )
    for (const { seq, problem } of problems) await context.output.line(`  record ${seq}: ${problem}`)
  }
  return ok ? EXIT.done : EXIT.failed
}

// A stream has no last row to measure columns by, so their widths are fixed: what is longer pushes the rest on.
const WIDTHS = [8, 20, 23, 8, 24, 28, 20] as const
const HEADINGS = ['SEQ', 'TIME', 'ACTION', 'OUTCOME', 'ACTOR', 'SUBJECT', 'CODE', 'DETAIL']

function cellsOf({ seq, at, action, outcome, actor, subject, code, detail }: AuditRecord): readonly string[] {
  const details = Object.entries(detail)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${cellText(value)}`)
  return [
    String(seq),
    time(at),
    cellText(action),
    outcome,
    cellText(shortDid(actor)),
    cellText(subject),
    cellText(code),
    details.join(' ')
  ]
}

function lineOf(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0))
    .join('  ')
    .trimEnd()
}

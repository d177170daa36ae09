import type { Command } from 'commander'
import type { RegisterVerb, VerbRunner } from '../command.ts'
import { examples } from '../help.ts'
import { registerLogCheckpoint } from './log-checkpoint.ts'
import { registerLogTransfer } from './log-transfer.ts'
import { EXIT } from '../../platform/errors.ts'
import { facts, figure, shortHash, table } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh log verify`, `rebuild`, `export` and `import`. */
export const registerLog: RegisterVerb = (program, runner) => {
  const log = program
    .command('log')
    .summary('the log itself: check it, sign its length, rebuild, copy')
    .description(
      'The log itself: check it, sign how long it is, build its projections anew, copy its events out or in.'
    )
    .addHelpText('after', examples('anchormesh log verify', 'anchormesh log checkpoint > kept.txt'))
  registerVerify(log, runner)
  registerRebuild(log, runner)
  registerLogCheckpoint(log, runner)
  registerLogTransfer(log, runner)
}

function registerVerify(log: Command, runner: VerbRunner): void {
  log
    .command('verify')
    .summary('check every record of the log, its hash chain, indexes and tree')
    .description(
      'Walks the whole log: the hash chain from record to record, event ids, the indexes, the Merkle tree, and its length. ' +
        'Exit 1 when something is wrong. (audit --verify checks the audit log, which is another chain.)'
    )
    .addHelpText('after', examples('anchormesh log verify'))
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const progress = context.progress('verifying')
        const verifying = withOperations(context, (operations) => operations.verifyLog(progress.report))
        const verification = await verifying.finally(progress.end)
        const { ok, records, headHash, problems, problemCount } = verification
        if (context.json) await context.output.json(verification)
        else {
          await context.output.line(
            facts([
              ['log', ok ? 'intact' : 'NOT intact'],
              ['records', figure(records)],
              ['head', headHash],
              ['problems', ok ? null : figure(problemCount)]
            ])
          )
          for (const { logSeq, problem } of problems) {
            await context.output.line(`  ${logSeq === null ? '' : `record ${logSeq}: `}${problem}`)
          }
        }
        return ok ? EXIT.done : EXIT.failed
      })
    )
}

function registerRebuild(log: Command, runner: VerbRunner): void {
  log
    .command('rebuild')
    .summary('build every projection anew from the log and compare')
    .description(
      'Builds every projection anew from the log, beside the old one, and puts it in its place. Exit 1 when one came ' +
        'out differently.'
    )
    .addHelpText('after', examples('anchormesh log rebuild'))
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const progress = context.progress('rebuilding')
        const rebuilding = withOperations(context, (operations) => operations.rebuild(progress.report))
        const rebuilt = await rebuilding.finally(progress.end)
        if (context.json) for (const projection of rebuilt) await context.output.json(projection)
        else {
          await context.output.line(
            table(
              [
                { heading: 'PROJECTION', cell: ({ projection }) => projection },
                { heading: 'ROWS', cell: ({ rows }) => figure(rows), align: 'right' },
                { heading: 'BEFORE', cell: ({ before }) => shortHash(before) },
                { heading: 'AFTER', cell: ({ after }) => shortHash(after) },
                { heading: 'BYTES', cell: ({ identical }) => (identical ? 'identical' : 'DIFFERENT') }
              ],
              rebuilt
            )
          )
        }
        return rebuilt.every(({ identical }) => identical) ? EXIT.done : EXIT.failed
      })
    )
}

import type { Command } from 'commander'
import type { ForgottenReceipt } from '../../operations.ts'
import { reasonArgument, receiptArgument } from '../arguments.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts, figure } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh forget`: erases what stands beside the log under one hash, for good. */
export const registerForget: RegisterVerb = (program, runner) => {
  program
    .command('forget')
    .summary('erase a receipt, a delivery, a report or a comment for good')
    .description(
      'Erases a receipt that must go: the log notes its hash and the reason, then its content is deleted. This node ' +
        'never takes it in or hands it out again; the hash stays, so that the other receipts of the batch can be ' +
        'proven. Other nodes keep what they hold. In the same way it erases the payload of a delivery, by its ' +
        'deliveryHash, and an agent’s report or a comment on a finding, by its bodyHash.'
    )
    .argument(
      '<receipt>',
      'its whole leaf hash (or the hash above), as `anchormesh query … --json` has it',
      receiptArgument
    )
    .requiredOption('--reason <text>', 'why, for the log; at most 1,000 characters', reasonArgument)
    .addHelpText('after', examples('anchormesh forget 6caea08c…987d --reason "erasure request 17"'))
    .action((receipt: string, { reason }: { readonly reason: string }, command: Command) =>
      runner.run(command, async (context) => {
        const forgotten = await withOperations(context, (operations) => operations.forget({ receipt, reason }))
        if (context.json) await context.output.json(forgotten)
        else await context.output.line(forgottenText(forgotten))
      })
    )
}

function forgottenText({ receipt, places }: ForgottenReceipt): string {
  return facts([
    ['forgotten', receipt],
    ['batches', places === 0 ? 'none: it was forgotten before, or is no receipt of a batch' : figure(places)]
  ])
}

import type { Command } from 'commander'
import type { Digest } from '../../operations.ts'
import { namespaceArgument } from '../arguments.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts, figure } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh digest`: what two nodes compare to know that they agree. */
export const registerDigest: RegisterVerb = (program, runner) => {
  program
    .command('digest')
    .summary('print what two nodes compare to know that they agree')
    .description(
      'Prints the digests of a namespace. Two nodes hold the same events when `events` is equal, and hold the same ' +
        'state when `membership` and `state` are equal, too.'
    )
    .requiredOption('--namespace <namespace>', 'the namespace, or _trust', namespaceArgument)
    .addHelpText('after', examples('anchormesh digest --namespace dao:vaultmesh'))
    .action((options: { readonly namespace: string }, command: Command) =>
      runner.run(command, async (context) => {
        const digest = await withOperations(context, (operations) => operations.digest(options.namespace))
        if (context.json) await context.output.json(digest)
        else await context.output.line(digestText(digest))
      })
    )
}

function digestText(digest: Digest): string {
  return facts([
    ['namespace', digest.namespace],
    ['position in the log', digest.logSeq],
    ['events counted', figure(digest.count)],
    ['membership', digest.membershipDigest],
    ['events', digest.events],
    ['state', digest.state],
    ...Object.entries(digest.projections).map(([name, hash]) => [`  ${name}`, hash] as const),
    ['winners', digest.winners.digest],
    ['  policy', digest.winners.policyDigest],
    ['  verdicts', digest.winners.verdictSetDigest]
  ])
}

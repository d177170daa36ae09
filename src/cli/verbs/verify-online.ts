import type { Command } from 'commander'
import { requireKnownNamespace } from '../../http/known-namespace.ts'
import type { OnlineQuery, OnlineVerification } from '../../operations.ts'
import { EXIT } from '../../platform/errors.ts'
import { namespaceArgument, timeArgument } from '../arguments.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { figure, shortHash, table } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh verify-online`: every timestamp anchor is checked once more, now. */
export const registerVerifyOnline: RegisterVerb = (program, runner) => {
  program
    .command('verify-online')
    .summary('check every timestamp anchor once more, against the live chains')
    .description(
      'Checks every timestamp anchor that was announced against the providers and roots of the configuration, whatever ' +
        'was found before, and logs what is found now where it differs. NOT CHECKED are those that nobody here can ' +
        'check, or whose chain the namespace does not list. Exit 1 when one that counted no longer holds, 3 when one ' +
        'that counts could not be checked now.'
    )
    .option('--namespace <namespace>', 'only anchors of this namespace', namespaceArgument)
    .option('--since <time>', 'only what was announced then or later: ISO 8601, or ms since 1970', timeArgument)
    .addHelpText(
      'after',
      examples('anchormesh verify-online', 'anchormesh verify-online --namespace dao:vaultmesh --since 2026-11-01')
    )
    .action((options: OnlineQuery, command: Command) =>
      runner.run(command, async (context) => {
        const progress = context.progress('verifying')
        const verifying = withOperations(context, async (operations) => {
          await requireKnownNamespace(operations, options.namespace)
          return await operations.verifyOnline(options, progress.report)
        })
        const verification = await verifying.finally(progress.end)
        if (context.json) await context.output.json(verification)
        else await context.output.line(onlineText(verification))
        if (verification.rails.some(({ unreachable }) => unreachable > 0)) context.output.note(WHY_UNREACHABLE)
        if (verification.rails.some(({ notChecked }) => notChecked > 0)) context.output.note(WHY_NOT_CHECKED)
        return onlineExitCode(verification)
      })
    )
}

/** Failed where something that counted no longer holds, undecided where something that counts could not be checked. */
export function onlineExitCode({ lostCount, unconfirmed }: OnlineVerification): number {
  if (lostCount > 0) return EXIT.failed
  return unconfirmed > 0 ? EXIT.undecided : EXIT.done
}

const WHY_UNREACHABLE =
  'Unreachable: a provider did not answer (`anchormesh status` of a running node says which), or federation.yaml has ' +
  'no roots for the authority.'
const WHY_NOT_CHECKED =
  'Not checked: nobody under rails in federation.yaml checks the chain, or the namespace’s finality does not list it.'

function onlineText({ rails, lost, lostCount, unconfirmed }: OnlineVerification): string {
  if (rails.length === 0) return 'No timestamp anchors were announced.'
  const count = (value: number): string | null => (value === 0 ? null : figure(value))
  const parts = [
    table(
      [
        { heading: 'RAIL', cell: ({ rail }) => rail },
        { heading: 'CHECKED', cell: ({ checked }) => figure(checked), align: 'right' },
        { heading: 'VERIFIED', cell: ({ verified }) => figure(verified), align: 'right' },
        { heading: 'PENDING', cell: ({ pending }) => count(pending), align: 'right' },
        { heading: 'INVALID', cell: ({ invalid }) => count(invalid), align: 'right' },
        { heading: 'UNREACHABLE', cell: ({ unreachable }) => count(unreachable), align: 'right' },
        { heading: 'NOT CHECKED', cell: ({ notChecked }) => count(notChecked), align: 'right' },
        { heading: 'CHANGED', cell: ({ changed }) => count(changed), align: 'right' }
      ],
      rails
    )
  ]
  if (lostCount > 0) {
    parts.push(
      `${figure(lostCount)} that counted ${lostCount === 1 ? 'does' : 'do'} not hold any longer:`,
      table(
        [
          { heading: 'NAMESPACE', cell: ({ namespace }) => namespace },
          { heading: 'OWNER', cell: ({ owner }) => owner },
          { heading: 'BATCH', cell: ({ batchId }) => batchId },
          { heading: 'CHAIN', cell: ({ chainId }) => chainId },
          { heading: 'EVIDENCE', cell: ({ evidenceId }) => shortHash(evidenceId) },
          { heading: 'NOW', cell: ({ outcome }) => outcome },
          { heading: 'CODE', cell: ({ code }) => code },
          { heading: 'DETAIL', cell: ({ detail }) => detail }
        ],
        lost
      )
    )
    if (lostCount > lost.length) parts.push(`${figure(lostCount - lost.length)} more are not listed.`)
  }
  if (unconfirmed > 0) parts.push(`${figure(unconfirmed)} that count could not be checked now; they count on.`)
  return parts.join('\n\n')
}

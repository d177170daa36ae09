import type { Command } from 'commander'
import type { FetchedBundles } from '../../operations.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import { batchArgument, namespaceArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts, figure } from '../table.ts'

interface FetchOptions {
  readonly namespace: string
  readonly batch?: string
}

/** `anchormesh bundle`: receipts of other organisations' batches. */
export const registerBundle: RegisterVerb = (program, runner) => {
  const bundle = program
    .command('bundle')
    .summary('fetch receipts of batches that others announced')
    .description('Receipts of batches that others announced.')
    .addHelpText('after', examples('anchormesh bundle fetch --namespace dao:vaultmesh'))
  bundle
    .command('fetch')
    .summary('fetch the receipts that are missing from peers that serve them')
    .description(
      'Fetches the receipts that are missing of a namespace, or of one batch, from the connected peers with the role ' +
        'serve. Each receipt is kept only once it is proven to stand under the root that the batch’s owner announced. ' +
        'A running node does this by itself; here it is done now, and told. Ends with 3 where something is still ' +
        'missing, with 1 where every peer that was asked refused.'
    )
    .requiredOption('--namespace <namespace>', 'the namespace of the batches', namespaceArgument)
    .option('--batch <id>', 'only this batch', batchArgument)
    .addHelpText('after', examples('anchormesh bundle fetch --namespace dao:vaultmesh'))
    .action((options: FetchOptions, command: Command) =>
      runner.run(command, async (context) => {
        const fetched = await fetchBundles(options, context)
        if (context.json) await context.output.json(fetched)
        else await context.output.line(fetchedText(fetched))
        return exitCodeOf(fetched)
      })
    )
}

async function fetchBundles({ namespace, batch }: FetchOptions, context: CommandContext): Promise<FetchedBundles> {
  const { runningNode } = await import('../running-node.ts')
  const running = await runningNode(context)
  if (running === null)
    throw new AnchormeshError('NODE_NOT_RUNNING', 'receipts come from peers: no node is running on this data folder', {
      hint: 'Start it first: anchormesh start. A running node fetches by itself.'
    })
  const progress = context.progress('fetching')
  try {
    const query = batch === undefined ? { namespace } : { namespace, batchId: batch }
    return await untilAborted(running.operations.fetchBundles(query, progress.report), context.signal)
  } finally {
    progress.end()
  }
}

function exitCodeOf({ missing, failures, asked }: FetchedBundles): number {
  if (missing === 0) return EXIT.done
  const denied = (failures.denied ?? 0) + (failures['cross-org-denied'] ?? 0)
  return asked > 0 && denied === asked ? EXIT.failed : EXIT.undecided
}

function fetchedText({ namespace, batches, held, missing, asked, failures }: FetchedBundles): string {
  const reasons = Object.entries(failures).map(([code, count]) => `${code} ${figure(count)}`)
  return facts([
    ['namespace', namespace],
    ['batches', batches === 0 ? 'nothing was missing' : figure(batches)],
    ['receipts that came', figure(held)],
    ['still missing', figure(missing)],
    ['peers asked', missing > 0 && asked === 0 ? 'none that serves is connected' : figure(asked)],
    ['not given', reasons.length === 0 ? null : reasons.join(', ')]
  ])
}

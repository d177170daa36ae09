import type { Command } from 'commander'
import type { Operations, SyncResult } from '../../operations.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import { namespaceArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { bytes, figure, shortDid, table } from '../table.ts'

interface SyncOptions {
  readonly namespace: string
  readonly peer?: string
}

/** `anchormesh sync`: a session with each connected peer, now. */
export const registerSync: RegisterVerb = (program, runner) => {
  program
    .command('sync')
    .summary('bring this node and its peers to the same events, now')
    .description(
      'Runs a range-sync session over a namespace with each connected peer, or with one. The running node does so by ' +
        'itself; this is for who does not want to wait, or wants to see what it costs. END says equal where both held ' +
        'the same already, synced where what one lacked was passed on, else what went wrong. Exit 1 when a session ' +
        'failed, 3 when no peer could be reached, or one was busy or broke off.'
    )
    .requiredOption('--namespace <namespace>', 'the namespace, or _trust', namespaceArgument)
    .option('--peer <did>', 'the peer by its whole DID; without it every connected one')
    .addHelpText('after', examples('anchormesh sync --namespace dao:vaultmesh'))
    .action((options: SyncOptions, command: Command) =>
      runner.run(command, async (context) => {
        const operations = await nodeToSync(context)
        const progress = context.progress('syncing')
        const syncing = untilAborted(operations.sync(options, progress.report), context.signal)
        const results = await syncing.finally(progress.end)
        if (context.json) for (const result of results) await context.output.json(result)
        else await context.output.line(resultsText(results))
        return exitCodeOf(results)
      })
    )
}

async function nodeToSync(context: CommandContext): Promise<Operations> {
  const { runningNode } = await import('../running-node.ts')
  const running = await runningNode(context)
  if (running !== null) return running.operations
  throw new AnchormeshError('NODE_NOT_RUNNING', 'there is nobody to sync: no node is running on this data folder', {
    hint: 'Start it first: anchormesh start. A running node syncs by itself.'
  })
}

/** The exit code of sessions: undecided where some may end well when they are tried again, and none has failed. */
export function exitCodeOf(results: readonly Pick<SyncResult, 'end'>[]): number {
  const ends = results.map(({ end }) => end).filter((end) => end !== 'equal' && end !== 'synced')
  if (ends.length === 0) return EXIT.done
  return ends.every((end) => end === 'busy' || end === 'broken' || end === 'timeout') ? EXIT.undecided : EXIT.failed
}

function resultsText(results: readonly SyncResult[]): string {
  const refusedOf = ({ eventsRefused, eventsPending }: SyncResult): string =>
    [
      ...(eventsPending === 0 ? [] : [`${figure(eventsPending)} waiting`]),
      ...Object.entries(eventsRefused).map(([code, count]) => `${figure(count)} ${code}`)
    ].join(', ')
  return table(
    [
      { heading: 'PEER', cell: ({ did }) => shortDid(did) },
      { heading: 'END', cell: ({ end, detail }) => (detail === null ? end : `${end}: ${detail}`) },
      { heading: 'ROUNDS', cell: ({ rounds }) => figure(rounds), align: 'right' },
      { heading: 'BYTES', cell: ({ bytesSent, bytesReceived }) => bytes(bytesSent + bytesReceived), align: 'right' },
      { heading: 'SENT', cell: ({ eventsSent }) => figure(eventsSent), align: 'right' },
      { heading: 'RECEIVED', cell: ({ eventsAccepted }) => figure(eventsAccepted), align: 'right' },
      { heading: 'NOT TAKEN', cell: refusedOf },
      { heading: 'NOTE', cell: ({ membershipDiffers }) => (membershipDiffers ? 'other members' : undefined) }
    ],
    results
  )
}

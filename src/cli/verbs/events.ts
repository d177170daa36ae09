import { Option } from 'commander'
import type { Command } from 'commander'
import type { EventsQuery, LoggedEvent, Operations } from '../../operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { countArgument, namespaceArgument, positionArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { requireKnownNamespace } from '../../http/known-namespace.ts'
import { cellText, shortDid, shortHash, time } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh events`: the log, in its order. */
export const registerEvents: RegisterVerb = (program, runner) => {
  program
    .command('events')
    .summary('list the events of the log')
    .description(
      'Lists the events of the log in its order. With --json each line holds the stored bytes (base64url), too.'
    )
    .option('--namespace <namespace>', 'only events of this namespace', namespaceArgument)
    .option('--signer <did>', 'only events that this DID signed')
    .option('--type <type>', 'only events of this type')
    .addOption(
      new Option('--scope <scope>', 'events that travel, this node’s own records, or both')
        .choices(['shared', 'local', 'all'])
        .default('shared')
    )
    .option('--after <logSeq>', 'only events after this position of the log', positionArgument)
    .option('--limit <count>', 'at most so many', countArgument)
    .option('--follow', 'go on with new events as the running node logs them, until interrupted')
    .addHelpText(
      'after',
      examples('anchormesh events --namespace dao:vaultmesh --limit 20', 'anchormesh events --follow --json')
    )
    .action((query: EventsQuery, command: Command) => runner.run(command, (context) => listEvents(query, context)))
}

async function listEvents(query: EventsQuery, context: CommandContext): Promise<void> {
  const { output, json, signal } = context
  let shown = 0
  const list = async (operations: Pick<Operations, 'events' | 'status'>): Promise<void> => {
    await requireKnownNamespace(operations, query.namespace)
    for await (const event of operations.events(query, signal)) {
      if (!json && shown === 0) await output.line(eventLine(HEADINGS))
      shown += 1
      if (json) await output.json(event)
      else await output.line(eventLine(cellsOf(event)))
    }
    if (shown === 0 && !signal.aborted) output.note('No events.')
  }
  if (query.follow !== true) return await withOperations(context, list)
  await list(await nodeToFollow(context))
  const isFull = shown === query.limit
  if (!signal.aborted && !isFull) output.note('The node stopped, so there is nothing more to follow.')
}

/** Nothing new could come to a log that only this command has open, and while it has, no node could start. */
async function nodeToFollow(context: CommandContext): Promise<Operations> {
  const { runningNode } = await import('../running-node.ts')
  const running = await runningNode(context)
  if (running !== null) return running.operations
  throw new AnchormeshError('NODE_NOT_RUNNING', 'there is nothing to follow: no node is running on this data folder', {
    hint: 'Start it first: anchormesh start. Without --follow, events lists what the log holds.'
  })
}

// A stream has no last row to measure columns by, so their widths are fixed: what is longer pushes the rest on.
const WIDTHS = [8, 20, 14, 24, 24, 7, 16] as const
const HEADINGS = ['LOGSEQ', 'TIME', 'TYPE', 'NAMESPACE', 'SIGNER', 'SEQ', 'ID']

function cellsOf({ logSeq, id, event, scope }: LoggedEvent): readonly string[] {
  const text = (member: string): string => {
    const value = event[member]
    return typeof value === 'string' || typeof value === 'number' ? cellText(value) : ''
  }
  return [
    String(logSeq),
    time(event['ts']),
    text('type'),
    text('namespace'),
    scope === 'local' ? '(local)' : shortDid(event['signer']),
    text('authorSeq'),
    shortHash(id)
  ]
}

function eventLine(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0))
    .join('  ')
    .trimEnd()
}

import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { PackPushResult, PackSyncResult, SyncPlan } from '../../operations.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { NAME_PATTERN } from '../../../protocols/event/v1/announce.ts'
import type { CommandContext, VerbRunner } from '../command.ts'
import { examples } from '../help.ts'
import { figure, table } from '../table.ts'
import { withOperations } from '../with-operations.ts'

interface PullOptions {
  readonly from?: string
}

interface PushOptions {
  readonly to?: string
}

const SOURCES =
  'A source is the HTTP address of a node (https://…), a file (file:PATH), or the DID of a peer of the mesh; peers.yaml ' +
  'lists them by organisation under `organisations[].sources`, and `crossOrg` says which may be asked.'

/** `anchormesh pack plan | pull | push`: packs beside the mesh. */
export function addPackSyncCommands(pack: Command, runner: VerbRunner): void {
  pack
    .command('plan [org]')
    .summary('show which packs would be pulled, and from where')
    .description(
      `Shows what pack pull would ask for: of which organisations, from which number on, of whom, or why not. ${SOURCES}`
    )
    .option('--from <source>', 'this source in the place of the configured ones')
    .addHelpText('after', examples('anchormesh pack plan', 'anchormesh pack plan archive --json'))
    .action((org: string | undefined, options: PullOptions, command: Command) =>
      runner.run(command, async (context) => {
        const plan = await withOperations(context, (operations) => operations.planPackSync(queryOf(org, options)))
        if (context.json) for (const entry of plan.entries) await context.output.json(entry)
        else await context.output.line(planText(plan))
      })
    )
  pack
    .command('pull [org]')
    .summary('pull the packs of other organisations from where they can be had beside the mesh')
    .description(
      'Pulls the packs of one organisation, or of all that have a source, checks each by the keys before it, and takes in ' +
        'what is good. What is interrupted goes on the next time; a second time changes nothing. Ends with 1 where a ' +
        `source was refused or refuses, or an organisation is frozen, with 3 where a source does not answer. ${SOURCES}`
    )
    .option('--from <source>', 'this source in the place of the configured ones')
    .addHelpText('after', examples('anchormesh pack pull', 'anchormesh pack pull archive --from file:archive.packs'))
    .action((org: string | undefined, options: PullOptions, command: Command) =>
      runner.run(command, async (context) => {
        const query = queryOf(org, options)
        const { plan, results } = await working(context, 'pulling', async (operations, report) => ({
          plan: await operations.planPackSync(query),
          results: await operations.pullPacks(query, report)
        }))
        if (context.json) for (const result of results) await context.output.json(result)
        else if (results.length > 0) await context.output.line(resultsText(results))
        noteLeftOut(plan, context)
        return exitCodeOf(results, plan, org !== undefined || options.from !== undefined)
      })
    )
  pack
    .command('push [org]')
    .summary('give this organisation’s packs to others beside the mesh')
    .description(
      'Gives the packs of this node’s organisation to the sources of another one, to one target, or to all sources that ' +
        'are configured: those that they lack. Ends with 1 where they are not taken, with 3 where nobody answers or what was ' +
        `given waits there. ${SOURCES}`
    )
    .option('--to <target>', 'this target in the place of the configured sources')
    .addHelpText('after', examples('anchormesh pack push archive', 'anchormesh pack push --to file:vaultmesh.packs'))
    .action((org: string | undefined, { to }: PushOptions, command: Command) =>
      runner.run(command, async (context) => {
        const query = {
          ...(org === undefined ? {} : { orgId: checked(org) }),
          ...(to === undefined ? {} : { to: sourceOf(to) })
        }
        const results = await working(context, 'pushing', (operations, report) => operations.pushPacks(query, report))
        if (context.json) for (const result of results) await context.output.json(result)
        else await context.output.line(pushedText(results))
        return endOf(results.map(({ outcome }) => outcome))
      })
    )
}

type Work<Result> = (
  operations: Parameters<Parameters<typeof withOperations>[1]>[0],
  report: ReturnType<CommandContext['progress']>['report']
) => Promise<Result>

async function working<Result>(context: CommandContext, title: string, work: Work<Result>): Promise<Result> {
  const progress = context.progress(title)
  try {
    return await withOperations(context, (operations) => work(operations, progress.report))
  } finally {
    progress.end()
  }
}

function queryOf(org: string | undefined, { from }: PullOptions): { readonly orgId?: string; readonly from?: string } {
  return {
    ...(org === undefined ? {} : { orgId: checked(org) }),
    ...(from === undefined ? {} : { from: sourceOf(from) })
  }
}

function checked(org: string): string {
  if (NAME_PATTERN.test(org)) return org
  throw new AnchormeshError('USAGE', `${org} is no organisation id`, { hint: 'anchormesh peers list shows them.' })
}

/** A path is meant from where the command is given; the node may stand elsewhere. */
function sourceOf(source: string): string {
  if (source.startsWith('file:')) return `file:${resolve(source.slice('file:'.length))}`
  if (URL.canParse(source)) return source
  throw new AnchormeshError('USAGE', `${source} is neither a URL nor file:PATH nor a DID`, { hint: SOURCES })
}

/** Not asked is no failure where it was not asked for by name. */
function exitCodeOf(results: readonly PackSyncResult[], { entries }: SyncPlan, named: boolean): number {
  const left = entries.some(({ reason }) => reason !== null)
  if (named && results.length === 0 && (left || entries.length === 0)) return EXIT.failed
  return endOf(results.map(({ outcome }) => outcome))
}

function endOf(outcomes: readonly (PackSyncResult | PackPushResult)['outcome'][]): number {
  if (outcomes.some((outcome) => outcome === 'refused' || outcome === 'frozen')) return EXIT.failed
  return outcomes.every((outcome) => outcome === 'done') ? EXIT.done : EXIT.undecided
}

function noteLeftOut({ entries }: SyncPlan, { output }: CommandContext): void {
  for (const { orgId, source, reason, detail } of entries) {
    if (reason === null) continue
    output.note(`${orgId}${source === null ? '' : ` from ${source}`} was not asked: ${reason}: ${detail ?? ''}`, {
      notAsked: { orgId, source, reason, detail }
    })
  }
}

function planText({ entries }: SyncPlan): string {
  if (entries.length === 0) return 'No other organisation is known.'
  return table(
    [
      { heading: 'ORGANISATION', cell: ({ orgId }) => orgId },
      { heading: 'SOURCE', cell: ({ source }) => source },
      { heading: 'AFTER PACK', cell: ({ afterPackSeq }) => figure(afterPackSeq), align: 'right' },
      { heading: 'GOES ON', cell: ({ resumes }) => (resumes ? 'yes' : undefined) },
      {
        heading: 'NOT ASKED',
        cell: ({ reason, detail }) => (reason === null ? undefined : `${reason}: ${detail ?? ''}`)
      }
    ],
    entries
  )
}

function resultsText(results: readonly PackSyncResult[]): string {
  return table(
    [
      { heading: 'ORGANISATION', cell: ({ orgId }) => orgId },
      { heading: 'SOURCE', cell: ({ source }) => source },
      {
        heading: 'END',
        cell: ({ outcome, code, detail }) => (code === null ? outcome : `${outcome}: ${code}: ${detail ?? ''}`)
      },
      {
        heading: 'PACK',
        cell: ({ from, to }) => (from === to ? figure(to) : `${figure(from)} to ${figure(to)}`),
        align: 'right'
      },
      { heading: 'NEW', cell: ({ applied }) => figure(applied), align: 'right' },
      { heading: 'WAITING', cell: ({ waiting }) => (waiting === 0 ? undefined : figure(waiting)), align: 'right' },
      { heading: 'NOTE', cell: noteOf }
    ],
    results
  )
}

function noteOf({ disagreesAt, warnings }: PackSyncResult): string | undefined {
  const notes = warnings.map(({ detail }) => detail)
  if (disagreesAt !== null) notes.unshift(`has another pack ${disagreesAt}`)
  return notes.length === 0 ? undefined : notes.join('; ')
}

function pushedText(results: readonly PackPushResult[]): string {
  return table(
    [
      { heading: 'TARGET', cell: ({ target }) => target },
      {
        heading: 'END',
        cell: ({ outcome, code, detail }) => (code === null ? outcome : `${outcome}: ${code}: ${detail ?? ''}`)
      },
      { heading: 'PACK', cell: ({ headPackSeq }) => figure(headPackSeq), align: 'right' },
      { heading: 'EVENTS GIVEN', cell: ({ outcomes }) => outcomeText(outcomes) }
    ],
    results
  )
}

function outcomeText(outcomes: PackPushResult['outcomes']): string {
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${figure(count)} ${outcome}`)
  return counts.length === 0 ? 'none was missing' : counts.join(', ')
}

import type { Command } from 'commander'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { PAGE_LENGTH_MAX } from '../../http/limits.ts'
import type { Operations, ProjectionPage, ProjectionQuery } from '../../operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import {
  batchArgument,
  countArgument,
  namespaceArgument,
  positionArgument,
  receiptArgument,
  timeArgument
} from '../arguments.ts'
import { asOfNow } from '../as-of-now.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { requireKnownNamespace } from '../../http/known-namespace.ts'
import { rowTableInParts } from '../row-table.ts'
import { writeProof } from '../write-proof.ts'
import { withOperations } from '../with-operations.ts'

interface QueryOptions extends ProjectionQuery {
  readonly receipt?: string
  readonly proof?: string
}

/** `anchormesh query`: the rows of a projection. */
export const registerQuery: RegisterVerb = (program, runner) => {
  program
    .command('query')
    .summary('query a projection of the log')
    .description(
      'Lists the rows of a projection: batches, receipts, timestamp-anchors, trust-anchors, winners, attestations, ' +
        'sequences, equivocations, effects (what has none, and why), anchorings (evidence that this node makes), ' +
        'checkpoints (of the logs of others, with alarms), deliveries (of partners), findings (of agents) or feedback ' +
        '(on findings); or audit (its decisions) and peers. Tables shorten hashes and DIDs; --json has them whole. ' +
        'With --proof the one receipt that the filters leave is written to a new file with all that proves it ' +
        '(anchormesh verify checks it): ends with 0 where this node holds it for proven, else with 3, and the file ' +
        'says so.'
    )
    .argument('<projection>', 'its name')
    .option('--namespace <namespace>', 'only rows of this namespace', namespaceArgument)
    .option('--batch, --batch-id <id>', 'only rows of this batch', batchArgument)
    .option('--signer <did>', 'only rows that this DID has a part in')
    .option('--status <status>', 'only rows in this state')
    .option('--from, --from-ts <time>', 'only rows from this time on', timeArgument)
    .option('--to, --to-ts <time>', 'only rows up to this time', timeArgument)
    .option('--limit <count>', 'at most so many rows (default: all)', countArgument)
    .option('--cursor <cursor>', 'go on where an earlier answer ended')
    .option('--at <logSeq>', 'the state at exactly this position of the log', positionArgument)
    .option(
      '--wait-for <logSeq>',
      'wait, at most 5 s, until the projection is at this position (default: all that the log has now)',
      positionArgument
    )
    .option('--receipt <leafhash>', 'only this receipt, by its whole leaf hash; with --proof', receiptArgument)
    .option('--proof <file>', 'write the proof of one receipt to a new file')
    .addHelpText(
      'after',
      examples(
        'anchormesh query batches --namespace dao:vaultmesh',
        'anchormesh query winners --batch 2026-11-21 --json',
        'anchormesh query receipts --batch 2026-11-21 --receipt 6caea08c…987d --proof invoice-1.json'
      )
    )
    .action((projection: string, { receipt, proof, ...options }: QueryOptions, command: Command) =>
      runner.run(command, async (context) => {
        if (proof !== undefined) return await writeProof(projection, { ...options, receipt, file: proof }, context)
        if (receipt !== undefined)
          throw new AnchormeshError('USAGE', '--receipt names the receipt of a --proof', {
            hint: 'Give --proof FILE, too, or filter by --batch.'
          })
        return await withOperations(context, (operations) => query(operations, projection, options, context))
      })
    )
}

async function query(
  operations: Operations,
  projection: string,
  options: ProjectionQuery,
  { output, json }: CommandContext
): Promise<void> {
  await requireKnownNamespace(operations, options.namespace)
  const tablePart = rowTableInParts()
  let gathered: readonly JsonObject[] = []
  const showGathered = async (): Promise<void> => {
    if (gathered.length > 0) await output.line(tablePart(gathered))
    gathered = []
  }
  let left = options.limit ?? Number.POSITIVE_INFINITY
  let cursor = options.cursor ?? null
  let shown = 0
  // A page may be empty and have a cursor all the same: then the filter has passed over many rows.
  do {
    const wanted = pageQuery(options, Math.min(left, PAGE_LENGTH_MAX), cursor)
    const page = await asOfNow(operations, projection, wanted, (asked) => askPage(operations, projection, asked))
    if (json) for (const row of page.rows) await output.json(row)
    else gathered = [...gathered, ...page.rows]
    if (gathered.length >= PAGE_LENGTH_MAX) await showGathered()
    shown += page.rows.length
    left -= page.rows.length
    cursor = page.nextCursor
  } while (cursor !== null && left > 0)
  await showGathered()
  if (shown === 0) output.note(`No rows in ${projection}.`)
  if (cursor !== null) output.note(`There are more: --cursor ${cursor}`, { nextCursor: cursor })
}

/** One page; what is refused is told in the terms of the command line. */
async function askPage(operations: Operations, projection: string, asked: ProjectionQuery): Promise<ProjectionPage> {
  try {
    return await operations.query(projection, asked)
  } catch (error) {
    if (!(error instanceof AnchormeshError) || error.code !== 'QUERY_INVALID') throw error
    if (asked.cursor !== undefined && error.message.includes('the cursor is none of this query')) {
      throw new AnchormeshError('QUERY_INVALID', `${asked.cursor} is no cursor of this query`, {
        hint: 'leave --cursor out, or give one that this query ended with',
        cause: error
      })
    }
    if (asked.namespace === undefined || !error.message.includes('belong to no namespace')) throw error
    throw new AnchormeshError('QUERY_INVALID', error.message, { hint: 'leave --namespace out', cause: error })
  }
}

/** The options, which have the names of the query's members, for one page. */
function pageQuery(options: ProjectionQuery, limit: number, cursor: string | null): ProjectionQuery {
  const { limit: _all, cursor: _first, ...filters } = options
  return { ...filters, limit, ...(cursor === null ? {} : { cursor }) }
}

import { Option } from 'commander'
import type { Command } from 'commander'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { PROOF_CHARACTERS_MAX } from '../../anchoring/node-anchoring.ts'
import type { AnchorRequest, AnchoringResult, Operations } from '../../operations.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { batchArgument, namespaceArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { withFile } from '../input.ts'
import type { Input } from '../input.ts'
import { requireCarriedNamespace } from '../known-namespace.ts'
import { facts, table, time } from '../table.ts'
import { withOperations } from '../with-operations.ts'

interface AnchorOptions {
  readonly namespace?: string
  readonly batch?: string
  readonly rail?: AnchorRequest['rail']
  readonly chain?: string
}

interface UpgradeOptions {
  readonly namespace?: string
  readonly batch?: string
  readonly proof?: string
}

const GOES_ON =
  'A running node goes on with it by itself (anchormesh start); `anchormesh anchor upgrade` goes on with it now.'

/** `anchormesh anchor`: evidence of when a sealed batch existed. */
export const registerAnchor: RegisterVerb = (program, runner) => {
  const anchor = program
    .command('anchor')
    .summary('make evidence of when a sealed batch existed, and announce it')
    .description(
      'Has the root of a sealed batch stamped by a time-stamping authority, or carried by a transaction on Bitcoin or ' +
        'an EVM chain. The batch is announced with the evidence once this node has verified it and found it final. ' +
        'Asking again joins what is under way and pays nothing more. Of several chains of a rail it takes the first, ' +
        'by its name, that the namespace’s finality lists. Ends with 0 when it is announced, 3 while it is under way, ' +
        '1 when it failed too often.'
    )
    .option('--namespace <namespace>', 'the namespace of the batch', namespaceArgument)
    .option('--batch <id>', 'the name that the batch was sealed under', batchArgument)
    .addOption(new Option('--rail <rail>', 'where').choices(['tsa', 'btc', 'evm']))
    .option('--chain <id>', 'the chain of the rail, as eip155:1, 1, mainnet or the name of an authority')
    .addHelpText(
      'after',
      examples(
        'anchormesh anchor --namespace dao:vaultmesh --batch 2026-11-21 --rail tsa',
        'anchormesh anchor --namespace dao:vaultmesh --batch 2026-11-21 --rail evm --chain 1',
        'anchormesh anchor upgrade'
      )
    )
    .action((options: AnchorOptions, command: Command) =>
      runner.run(command, async (context) => {
        const request = requestOf(options)
        const result = await withOperations(context, async (operations) => {
          await requireCarriedNamespace(operations, request.namespace)
          return await operations.anchor(request)
        })
        return await show(result, context)
      })
    )
  anchor
    .command('upgrade')
    .summary('go on with evidence that is under way, now')
    .description(
      'Goes on with all evidence that is under way: broadcasts, looks for blocks, asks calendars, verifies, and ' +
        'announces what is whole and final. A running node does so by itself. With --proof it takes over a pending ' +
        'OpenTimestamps proof that was made elsewhere over the root of the batch. Ends with 0 when nothing is under ' +
        'way any more, 3 when something still is, 1 when something failed too often.'
    )
    .option('--namespace <namespace>', 'only batches of this namespace', namespaceArgument)
    .option('--proof <file>', 'a pending proof (.ots) to take over; needs --namespace and --batch')
    .option('--batch <id>', 'the batch of the proof', batchArgument)
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: () => [...program.options] })
    .addHelpText(
      'after',
      examples(
        'anchormesh anchor upgrade',
        'anchormesh anchor upgrade --proof root.ots --namespace dao:vaultmesh --batch 2026-11-21'
      )
    )
    .action((_options: UpgradeOptions, command: Command) =>
      runner.run(command, async (context) => {
        // Options that `anchor` has, too, are read as its own, wherever they stand.
        const options = command.optsWithGlobals<AnchorOptions & UpgradeOptions>()
        if (options.rail !== undefined || options.chain !== undefined)
          throw usage('anchor upgrade goes on with every rail: it takes neither --rail nor --chain')
        if (options.proof === undefined) return await upgrade(options, context)
        return await show(await importProof(options, options.proof, context), context)
      })
    )
  anchor
    .command('split')
    .summary('wait no longer for one chain')
    .description(
      'Has the evidence of a batch that is announced together wait no longer for one of its chains, because that is out ' +
        'of order or was given up: the rest is announced as soon as it is whole, and the chain is gone on with by ' +
        'itself. Ends as upgrade does.'
    )
    .option('--namespace <namespace>', 'the namespace of the batch', namespaceArgument)
    .option('--batch <id>', 'the name that the batch was sealed under', batchArgument)
    .option('--chain <id>', 'the chain, as eip155:1')
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: () => [...program.options] })
    .addHelpText(
      'after',
      examples('anchormesh anchor split --namespace dao:vaultmesh --batch b1 --chain rfc3161:freetsa')
    )
    .action((_options: AnchorOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { namespace, batch, rail, chain } = command.optsWithGlobals<AnchorOptions>()
        if (rail !== undefined) throw usage('anchor split takes --chain, not --rail')
        if (namespace === undefined) throw missing('--namespace <namespace>')
        if (batch === undefined) throw missing('--batch <id>')
        if (chain === undefined) throw missing('--chain <id>')
        const results = await withOperations(context, async (operations) => {
          await requireCarriedNamespace(operations, namespace)
          return await operations.splitAnchors({ namespace, batchId: batch, chainId: chain })
        })
        return await showAll(results, context)
      })
    )
}

function requestOf({ namespace, batch, rail, chain }: AnchorOptions): AnchorRequest {
  if (namespace === undefined) throw missing('--namespace <namespace>')
  if (batch === undefined) throw missing('--batch <id>')
  if (rail === undefined) throw missing('--rail tsa|btc|evm')
  return { namespace, batchId: batch, rail, ...(chain === undefined ? {} : { chainId: chain }) }
}

async function upgrade({ namespace, batch }: UpgradeOptions, context: CommandContext): Promise<number> {
  if (batch !== undefined) throw usage('--batch goes with --proof; without it all of a namespace is gone on with')
  const progress = context.progress('upgrading')
  const upgradeAll = async (operations: Operations): Promise<readonly AnchoringResult[]> => {
    if (namespace !== undefined) await requireCarriedNamespace(operations, namespace)
    return await operations.upgradeAnchors(namespace === undefined ? {} : { namespace }, progress.report)
  }
  const results = await withOperations(context, upgradeAll).finally(progress.end)
  return await showAll(results, context)
}

async function showAll(results: readonly AnchoringResult[], { json, output }: CommandContext): Promise<number> {
  if (json) for (const result of results) await output.json(result)
  else await output.line(results.length === 0 ? 'Nothing is under way.' : resultsText(results))
  return exitCodeOf(results)
}

async function importProof(
  { namespace, batch }: UpgradeOptions,
  file: string,
  context: CommandContext
): Promise<AnchoringResult> {
  if (namespace === undefined) throw missing('--namespace <namespace>')
  if (batch === undefined) throw missing('--batch <id>')
  const proof = toBase64url(await withFile(file, readProof))
  return await withOperations(context, async (operations) => {
    await requireCarriedNamespace(operations, namespace)
    return await operations.importProof({ namespace, batchId: batch, proof })
  })
}

async function readProof({ name, chunks }: Input): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of chunks) {
    length += part.length
    // Base64url takes four characters for three bytes.
    if (length * 4 > PROOF_CHARACTERS_MAX * 3) throw usage(`${name} is larger than a proof of one batch can be`)
    parts.push(part)
  }
  if (length === 0) throw usage(`${name} is empty`)
  return Buffer.concat(parts)
}

async function show(result: AnchoringResult, { json, output }: CommandContext): Promise<number> {
  if (json) await output.json(result)
  else await output.line(resultText(result))
  if (result.state === 'under-way') output.note(GOES_ON)
  return exitCodeOf([result])
}

function resultText(result: AnchoringResult): string {
  const { namespace, batchId, chainId, evidenceId, eventId, lookAgainAt, together } = result
  return facts([
    ['batch', batchId],
    ['namespace', namespace],
    ['chain', chainId],
    ['state', result.state],
    ['why', whyOf(result)],
    ['evidence', evidenceId],
    ['event', eventId],
    ['announced with', together.length > 1 ? together.filter((other) => other !== chainId).join(', ') : null],
    ['next look', lookAgainAt === null ? null : time(lookAgainAt)]
  ])
}

function resultsText(results: readonly AnchoringResult[]): string {
  return table(
    [
      { heading: 'NAMESPACE', cell: ({ namespace }) => namespace },
      { heading: 'BATCH', cell: ({ batchId }) => batchId },
      { heading: 'CHAIN', cell: ({ chainId }) => chainId },
      { heading: 'STATE', cell: ({ state }) => state },
      { heading: 'WHY', cell: whyOf },
      { heading: 'NEXT LOOK', cell: ({ lookAgainAt }) => (lookAgainAt === null ? null : time(lookAgainAt)) }
    ],
    results
  )
}

function whyOf({ code, detail }: AnchoringResult): string | null {
  return code === null ? detail : `${code}: ${detail ?? ''}`
}

function exitCodeOf(results: readonly AnchoringResult[]): number {
  if (results.some(({ state }) => state === 'failed')) return EXIT.failed
  return results.some(({ state }) => state === 'under-way') ? EXIT.undecided : EXIT.done
}

function missing(option: string): AnchormeshError {
  return usage(`required option '${option}' not specified`)
}

function usage(message: string): AnchormeshError {
  return new AnchormeshError('USAGE', message, { hint: 'anchormesh anchor --help shows the options.' })
}

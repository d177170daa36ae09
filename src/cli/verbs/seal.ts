import type { Command } from 'commander'
import { Option } from 'commander'
import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import type { HandInResult, SealedBatch } from '../../operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { batchArgument, namespaceArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { withInput } from '../input.ts'
import { writeNewFile } from '../new-file.ts'
import { readReceipts } from '../receipt-lines.ts'
import { requireCarriedNamespace } from '../known-namespace.ts'
import { facts, figure, time } from '../table.ts'
import { withOperations } from '../with-operations.ts'

interface SealOptions {
  readonly namespace: string
  readonly batch?: string
  readonly next?: true
  readonly proofs?: string
}

/** `anchormesh seal`: receipts become a batch with one Merkle root. */
export const registerSeal: RegisterVerb = (program, runner) => {
  program
    .command('seal')
    .summary('seal receipts into a batch under one Merkle root')
    .description(
      'Seals receipts into a batch: each becomes a salted leaf under one Merkle root (RFC 6962). The receipts stay ' +
        'with this node; once the batch is announced, its root travels, and nodes that may request can fetch them. With ' +
        '--next they are queued for the next batch that the running node seals by schedule (sealing in ' +
        'federation.yaml), anchors and announces.'
    )
    .argument('<file>', 'JSON Lines, one receipt (any JSON value) a line; - for standard input')
    .requiredOption('--namespace <namespace>', 'the namespace of the batch', namespaceArgument)
    .option('--batch <id>', 'the name of the batch, new in its namespace', batchArgument)
    .addOption(new Option('--next', 'hand the receipts in for the next scheduled batch').conflicts(['batch', 'proofs']))
    .option('--proofs <file>', 'write each receipt with its inclusion proof to a new file, one JSON object a line')
    .addHelpText(
      'after',
      examples(
        'anchormesh seal --namespace dao:vaultmesh --batch 2026-11-21 receipts.jsonl',
        'anchormesh seal --namespace dao:vaultmesh --batch 2026-11-21 --proofs proofs.jsonl receipts.jsonl',
        'anchormesh seal --namespace dao:vaultmesh --next receipts.jsonl'
      )
    )
    .action((file: string, options: SealOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { namespace, batch, proofs, next } = options
        if (next === true) return await handIn(file, namespace, context)
        if (batch === undefined)
          throw new AnchormeshError('USAGE', "required option '--batch <id>' not specified", {
            hint: 'Name the batch, or hand the receipts in for the next scheduled one with --next.'
          })
        const sealed = await seal(file, { namespace, batch, proofs }, context)
        if (context.json) await context.output.json(sealed)
        else await context.output.line(sealedText(sealed))
      })
    )
}

async function seal(
  file: string,
  { namespace, batch, proofs }: { namespace: string; batch: string; proofs: string | undefined },
  context: CommandContext
): Promise<SealedBatch> {
  return await withReceipts(file, 'sealing', context, async (receipts) =>
    withOperations(context, async (operations) => {
      const sealAll = (): Promise<SealedBatch> => operations.seal({ namespace, batchId: batch, receipts })
      if (proofs === undefined) return await sealAll()
      return await writeNewFile(proofs, async (put) => {
        const sealed = await sealAll()
        for await (const proof of operations.proofs(namespace, batch)) await put(JSON.stringify(proof))
        return sealed
      })
    })
  )
}

async function handIn(file: string, namespace: string, context: CommandContext): Promise<void> {
  const handedIn = await withReceipts(file, 'handing in', context, async (receipts) =>
    withOperations(context, async (operations) => {
      await requireCarriedNamespace(operations, namespace)
      return await operations.handIn({ namespace, receipts })
    })
  )
  if (context.json) await context.output.json(handedIn)
  else await context.output.line(handedInText(handedIn))
}

/** Has the receipts of the file taken, and shows how many were. */
async function withReceipts<Result>(
  file: string,
  doing: string,
  context: CommandContext,
  take: (receipts: AsyncIterable<JsonValue>) => Promise<Result>
): Promise<Result> {
  return await withInput(file, context.stdin, async (input) => {
    const progress = context.progress(doing)
    const receipts = readReceipts(input, (done) => progress.report({ done, total: null, unit: 'receipts' }))
    return await take(receipts).finally(progress.end)
  })
}

function handedInText({ namespace, receiptHashes, queued, nextSealAt }: HandInResult): string {
  return facts([
    ['namespace', namespace],
    ['handed in', figure(receiptHashes.length)],
    ['waiting', figure(queued)],
    ['sealed by a running node', nextSealAt === null ? null : `until ${time(nextSealAt)}`]
  ])
}

function sealedText({ namespace, batchId, owner, receiptCount, batchRoot }: SealedBatch): string {
  return facts([
    ['batch', batchId],
    ['namespace', namespace],
    ['owner', owner],
    ['receipts', figure(receiptCount)],
    ['root', batchRoot]
  ])
}

import type { Command } from 'commander'
import type { ImportResult } from '../../operations.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { namespaceArgument } from '../arguments.ts'
import type { CommandContext, VerbRunner } from '../command.ts'
import { exportLines, readExport } from '../export-file.ts'
import { examples } from '../help.ts'
import { withInput } from '../input.ts'
import type { Input } from '../input.ts'
import { requireKnownNamespace } from '../../http/known-namespace.ts'
import { writeNewFile } from '../new-file.ts'
import type { PutLine } from '../new-file.ts'
import { facts, figure } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh log export` and `anchormesh log import`. */
export function registerLogTransfer(log: Command, runner: VerbRunner): void {
  log
    .command('export')
    .summary('write the events of the log to a file')
    .description(
      'Writes the events of the log that travel, each as it was received, to a new file. Local records stay.'
    )
    .argument('<file>', 'a file that is not there yet, or - for standard output')
    .option('--namespace <namespace>', 'only events of this namespace', namespaceArgument)
    .addHelpText('after', examples('anchormesh log export events.jsonl'))
    .action((file: string, options: { readonly namespace?: string }, command: Command) =>
      runner.run(command, (context) => exportEvents(file, options.namespace, context))
    )
  log
    .command('import')
    .summary('take in the events of an exported file')
    .description(
      'Takes in the events of a file that `log export` wrote, by the same checks as events from the mesh. Exit 1 ' +
        'when one was refused, 3 when one can’t be judged yet.'
    )
    .argument('<file>', 'the file, or - for standard input')
    .addHelpText('after', examples('anchormesh log import events.jsonl'))
    .action((file: string, _options: object, command: Command) =>
      runner.run(command, async (context) => {
        const result = await withInput(file, context.stdin, (input) => importEvents(input, context))
        if (context.json) await context.output.json(result)
        else await context.output.line(importText(result))
        if (Object.keys(result.refused).length > 0) return EXIT.failed
        if (result.pending === 0) return EXIT.done
        context.output.note(
          'What can’t be judged yet waits for a key or an earlier event: import again when that has come.'
        )
        return EXIT.undecided
      })
    )
}

async function importEvents({ name, chunks }: Input, context: CommandContext): Promise<ImportResult> {
  const progress = context.progress('importing')
  const reading = upToFailure(readExport(name, chunks))
  const importing = withOperations(context, (operations) => operations.importEvents(reading.events, progress.report))
  const result = await importing.finally(progress.end)
  const failure = reading.failure()
  if (failure !== null) throw withCounts(failure.error, result)
  return result
}

async function exportEvents(file: string, namespace: string | undefined, context: CommandContext): Promise<void> {
  const progress = context.progress('exporting')
  let events = 0
  const write = async (put: PutLine): Promise<void> => {
    await withOperations(context, async (operations) => {
      await requireKnownNamespace(operations, namespace)
      const counted = (count: number): void => {
        events = count
        progress.report({ done: count, total: null, unit: 'events' })
      }
      for await (const line of exportLines(operations.exportEvents(namespace), counted)) await put(line)
    })
  }
  try {
    if (file === '-') await write(context.output.line)
    else await writeNewFile(file, write)
  } finally {
    progress.end()
  }
  if (file === '-') return
  if (context.json) await context.output.json({ file, events })
  else await context.output.line(`${figure(events)} events written to ${file}`)
}

/** Ends where reading fails, so that what came before is taken in and counted; `failure` says what it was. */
function upToFailure(events: AsyncIterable<Uint8Array>): {
  readonly events: AsyncIterable<Uint8Array>
  failure(): { readonly error: unknown } | null
} {
  let failure: { readonly error: unknown } | null = null
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      yield* events
    } catch (error) {
      failure = { error }
    }
  }
  return { events: read(), failure: () => failure }
}

/** The failure of a file, with what became of the events before it. */
function withCounts(error: unknown, result: ImportResult): unknown {
  if (!(error instanceof AnchormeshError)) return error
  const { read, accepted, duplicate, pending, refused } = result
  const counts = [
    `${figure(read)} events read`,
    `${figure(accepted)} new`,
    `${figure(duplicate)} already there`,
    ...(pending === 0 ? [] : [`${figure(pending)} can’t be judged yet`]),
    ...Object.entries(refused).map(([code, count]) => `${figure(count)} refused ${code}`)
  ]
  return new AnchormeshError(error.code, `${error.message}\nbefore it: ${counts.join(', ')}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    detail: { ...error.detail, result },
    cause: error
  })
}

function importText({ read, accepted, duplicate, pending, refused }: ImportResult): string {
  return facts([
    ['events read', figure(read)],
    ['new', figure(accepted)],
    ['known before', figure(duplicate)],
    ['can’t be judged yet', pending === 0 ? null : figure(pending)],
    ...Object.entries(refused).map(([code, count]) => [`refused ${code}`, figure(count)] as const)
  ])
}

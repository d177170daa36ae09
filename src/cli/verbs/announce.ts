import type { Command } from 'commander'
import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { timestampAnchorProblem } from '../../../protocols/event/v1/timestamp-anchor.ts'
import { AnchormeshError, messageOf } from '../../platform/errors.ts'
import { batchArgument, listArgument, namespaceArgument } from '../arguments.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { readText, withFile } from '../input.ts'
import { requireCarriedNamespace } from '../known-namespace.ts'
import { noteIfUnsent, publishedText } from '../published.ts'
import { withOperations } from '../with-operations.ts'

interface AnnounceOptions {
  readonly namespace: string
  readonly batch: string
  readonly timestampAnchor?: readonly string[]
}

/** `anchormesh announce`: tells the mesh that a batch was sealed, with its root and what shows when. */
export const registerAnnounce: RegisterVerb = (program, runner) => {
  program
    .command('announce')
    .summary('announce a sealed batch, with its timestamp anchors')
    .description(
      'Signs and publishes an announce: the root of a sealed batch and its timestamp anchors. A batch can be ' +
        'announced again when there are more of them.'
    )
    .requiredOption('--namespace <namespace>', 'the namespace of the batch', namespaceArgument)
    .requiredOption('--batch <id>', 'the name that the batch was sealed under', batchArgument)
    .option(
      '--timestamp-anchor <file>',
      'a file with one timestamp anchor as JSON (protocols/event/v1/SPEC.md); can be given up to 16 times',
      listArgument
    )
    .addHelpText(
      'after',
      examples('anchormesh announce --namespace dao:vaultmesh --batch 2026-11-21 --timestamp-anchor tsa.json')
    )
    .action(({ namespace, batch, timestampAnchor = [] }: AnnounceOptions, command: Command) =>
      runner.run(command, async (context) => {
        const timestampAnchors = await Promise.all(timestampAnchor.map(readTimestampAnchor))
        const published = await withOperations(context, async (operations) => {
          await requireCarriedNamespace(operations, namespace)
          return await operations.announce({ namespace, batchId: batch, timestampAnchors })
        })
        const about = [
          ['batch', batch],
          ['timestamp anchors', timestampAnchors.length]
        ] as const
        if (context.json) await context.output.json(published)
        else await context.output.line(publishedText(published, about))
        noteIfUnsent(published, context.output)
      })
    )
}

async function readTimestampAnchor(file: string): Promise<JsonObject> {
  const text = await withFile(file, readText)
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch (error) {
    throw notAnAnchor(file, messageOf(error))
  }
  const problem = timestampAnchorProblem(value, 'timestampAnchor')
  if (problem !== null || !isJsonObject(value)) throw notAnAnchor(file, problem ?? 'expected an object')
  return value
}

function notAnAnchor(file: string, problem: string): AnchormeshError {
  return new AnchormeshError('USAGE', `${file} is no timestamp anchor: ${problem}`, {
    hint: 'Such as {"chainId":"rfc3161:freetsa","token":"…"} with the DER token as base64url without padding.'
  })
}

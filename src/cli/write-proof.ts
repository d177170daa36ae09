import { requireKnownNamespace } from '../http/known-namespace.ts'
import { PAGE_LENGTH_MAX } from '../http/limits.ts'
import type { BuiltProof, Operations, ProjectionQuery } from '../operations.ts'
import { AnchormeshError, EXIT } from '../platform/errors.ts'
import type { ReceiptRow } from '../projections/receipts.ts'
import { asOfNow } from './as-of-now.ts'
import type { CommandContext } from './command.ts'
import { writeNewFile } from './new-file.ts'
import { facts, time } from './table.ts'
import { withOperations } from './with-operations.ts'

/** The one receipt that is meant, by the filters of `query`, and the file that is to be made. */
export interface ProofFileRequest extends ProjectionQuery {
  readonly receipt?: string | undefined
  readonly file: string
}

/** What a part of the rows or another moment of them says nothing about. */
const NOT_WITH_PROOF = ['at', 'limit', 'cursor', 'signer', 'fromTs', 'toTs'] as const

/**
 * Writes the proof of the one receipt that the filters leave to a new file; answers the exit code. Throws `USAGE` where
 * they leave several, `RECEIPT_UNKNOWN` where they leave none.
 */
export async function writeProof(
  projection: string,
  request: ProofFileRequest,
  context: CommandContext
): Promise<number> {
  const { file, receipt, ...filters } = request
  if (projection !== 'receipts')
    throw new AnchormeshError('USAGE', `--proof is for receipts, not for ${projection}`, {
      hint: 'anchormesh query receipts --batch ID --receipt LEAFHASH --proof FILE'
    })
  for (const name of NOT_WITH_PROOF)
    if (filters[name] !== undefined)
      throw new AnchormeshError('USAGE', `--proof can't be asked for with a filter by ${name}`, {
        hint: 'Name the receipt: --namespace NS --batch ID --receipt LEAFHASH'
      })
  const built = await withOperations(context, async (operations) => {
    await requireKnownNamespace(operations, filters.namespace)
    const { namespace, batchId, leafHash, owner, batchRoot } = await onlyReceipt(operations, filters, receipt)
    return await writeNewFile(file, async (put) => {
      const answer = await operations.proof({ namespace, batchId, leafHash, owner, batchRoot })
      await put(answer.proof.trimEnd())
      return answer
    })
  })
  const { proof: _content, ...about } = built
  if (context.json) await context.output.json({ file, ...about })
  else await context.output.line(proofText(file, built))
  return built.standing === 'proven' ? EXIT.done : EXIT.undecided
}

async function onlyReceipt(
  operations: Operations,
  filters: ProjectionQuery,
  receipt: string | undefined
): Promise<ReceiptRow> {
  const found: ReceiptRow[] = []
  for (let cursor: string | null | undefined; cursor !== null && found.length < 2;) {
    const wanted = { ...filters, limit: PAGE_LENGTH_MAX, ...(cursor === undefined ? {} : { cursor }) }
    const page = await asOfNow(operations, 'receipts', wanted, (asked) => operations.query('receipts', asked))
    for (const row of page.rows as ReceiptRow[]) if (receipt === undefined || row.leafHash === receipt) found.push(row)
    cursor = page.nextCursor
  }
  const [only] = found
  if (only === undefined)
    throw new AnchormeshError('RECEIPT_UNKNOWN', 'no receipt is left by these filters', {
      hint: 'anchormesh query receipts --json shows the receipts by their leafHash'
    })
  if (found.length > 1)
    throw new AnchormeshError('USAGE', 'these filters leave more than one receipt, and a proof is of one', {
      hint: 'Name it: --namespace NS --batch ID --receipt LEAFHASH (anchormesh query receipts --json has the hashes)'
    })
  return only
}

function proofText(file: string, built: BuiltProof): string {
  const { namespace, owner, batchId, leafHash, standing, reason, provenTime, chainId } = built
  return facts([
    ['proof', file],
    ['receipt', leafHash],
    ['batch', batchId],
    ['namespace', namespace],
    ['owner', owner],
    ['standing', `${standing}: ${reason}`],
    ['existed at', time(provenTime)],
    ['by', chainId]
  ])
}

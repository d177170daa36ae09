import { receiptProofDocument } from '../api/answers.ts'
import { receiptParams, receiptProofQuery } from '../api/queries.ts'
import type { Operations } from '../operations.ts'
import { answerNotModified } from './etag.ts'
import type { App } from './listener.ts'
import type { ProofTurns } from './proof-turns.ts'
import type { Sight } from './require-visible.ts'
import { requireNamespace } from './require-visible.ts'
import { NOT_MODIFIED, documented } from './route-docs.ts'

/** `GET /v1/receipts/{leafHash}/proof`: the proof file of one receipt. */
export function registerReceiptRoutes(
  app: App,
  operations: Pick<Operations, 'proof' | 'status' | 'events'>,
  sight: Sight,
  turns: ProofTurns
): void {
  app.get('/v1/receipts/:leafHash/proof', {
    schema: {
      params: receiptParams,
      querystring: receiptProofQuery,
      ...documented({
        summary: 'The proof of one receipt',
        description:
          'All that proves the receipt, as one file (proof/v1) that anybody can check: the receipt, its way to the ' +
          'root, the announcement of the root and its timestamp anchors.',
        tag: 'receipts',
        access: 'reader',
        answers: { 200: receiptProofDocument },
        empty: NOT_MODIFIED,
        problems: ['RECEIPT_UNKNOWN', 'NOT_YET', 'PROJECTION_HALTED']
      })
    },
    onSend: answerNotModified,
    handler: async (request) => {
      const { params, query } = request
      await requireNamespace(request, query.namespace, sight, operations)
      return await turns.run(request, () => operations.proof({ ...query, ...params }))
    }
  })
}

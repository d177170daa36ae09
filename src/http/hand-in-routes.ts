import { z } from 'zod'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { ReaderAccess } from '../access/reader-access.ts'
import type { HandInResult, Operations } from '../operations.ts'
import { registerForExactJson } from './body-forms.ts'
import { RequestRefused } from './errors.ts'
import type { App } from './listener.ts'
import { namespace } from '../api/values.ts'
import { tokenGrantOf } from './reader.ts'
import { namespaceDenied } from './require-visible.ts'
import { documented } from './route-docs.ts'
import { noQuery } from './schemas.ts'

// One answer names each by its hash: 64 KiB and some. A body of 1 MiB holds few more of a useful size.
const RECEIPTS_OF_REQUEST_MAX = 1_000

/** `POST /v1/receipts`. */
const handInRequest = z.strictObject({
  namespace,
  receipts: z.array(z.unknown()).min(1).max(RECEIPTS_OF_REQUEST_MAX)
})

/** What was queued: the leaf hash of each receipt, in order, and how many wait now. */
const handedIn = z.object({ receiptHashes: z.array(z.string()), queued: z.int() })

/**
 * `POST /v1/receipts`: receipts, any I-JSON values, for the next batch of a namespace; all of them or none. It needs a
 * token with the right to hand in there, on loopback, too: else every page and program on this machine could have
 * something sealed in the organisation's name.
 */
export function registerHandInRoutes(
  app: App,
  operations: Pick<Operations, 'handIn'>,
  readers: Pick<ReaderAccess, 'mayHandIn'>
): void {
  registerForExactJson(app, (scope) => {
    scope.post('/v1/receipts', {
      schema: {
        querystring: noQuery,
        body: handInRequest,
        ...documented({
          summary: 'Receipts for the next batch',
          description: 'All of them or none are queued. The token needs the right to hand in for the namespace.',
          tag: 'receipts',
          access: 'token',
          body: 'schema',
          answers: { 202: handedIn },
          problems: ['SEALING_NOT_CONFIGURED', 'RECEIPTS_INVALID', 'RECEIPTS_QUEUE_FULL', 'STORE_FULL']
        })
      },
      // Before the body is read: nobody without the right uploads anything.
      onRequest: async (request, reply) => {
        const grant = tokenGrantOf(request)
        if (grant === null) {
          reply.header('www-authenticate', 'Bearer')
          throw new RequestRefused('TOKEN_REQUIRED', 'handing in receipts needs an access token')
        }
        if (!grant.rights.includes('hand-in'))
          throw new RequestRefused('ACCESS_DENIED', 'this token may not hand in receipts')
      },
      handler: async (request, reply) => {
        const grant = tokenGrantOf(request)
        const { namespace: into, receipts } = request.body
        if (grant === null || !readers.mayHandIn(grant, into)) throw namespaceDenied(into)
        const { receiptHashes, queued }: HandInResult = await operations.handIn({
          namespace: into,
          receipts: receipts as readonly JsonValue[]
        })
        return await reply.code(202).send({ receiptHashes: [...receiptHashes], queued })
      }
    })
  })
}

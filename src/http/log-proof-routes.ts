import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { LogInclusion, LogProofOperations } from '../transparency/log-proof-operations.ts'
import { registerForJson } from './body-forms.ts'
import type { App } from './listener.ts'
import * as proofs from './log-proof-schemas.ts'
import { readerOf } from './reader.ts'
import type { Sight } from './require-visible.ts'
import { PLAIN_SIGHT } from './require-visible.ts'
import { documented } from './route-docs.ts'
import { noQuery } from './schemas.ts'

/** The media type of a signed checkpoint (C2SP tlog-checkpoint). */
const CHECKPOINT_MEDIA_TYPE = 'text/plain; charset=utf-8'

/** `GET /v1/log/checkpoint`, `inclusion` and `consistency`, for whoever holds this log to what it said. */
export function registerLogProofRoutes(app: App, operations: LogProofOperations, sight: Sight): void {
  app.get('/v1/log/checkpoint', {
    schema: {
      querystring: noQuery,
      ...documented({
        summary: 'The newest signed checkpoint of the log',
        description: 'A C2SP signed note, which any verifier of transparency logs can check.',
        tag: 'log',
        access: 'anyone',
        answers: {},
        others: {
          200: { description: 'The note.', mediaType: 'text/plain', schema: z.string() }
        }
      })
    },
    handler: async (_request, reply) => {
      const { note } = await operations.logCheckpoint()
      return await reply.header('cache-control', 'no-store').type(CHECKPOINT_MEDIA_TYPE).send(note)
    }
  })
  registerProofs(app, '/v1/log', operations, sight)
}

/** The same below `/v1/admin/log`, the checkpoint with its parts, and the check of another's. */
export function registerLogProofAdminRoutes(app: App, operations: LogProofOperations): void {
  app.get('/v1/admin/log/checkpoint', {
    schema: { querystring: noQuery, response: { 200: proofs.logCheckpoint } },
    handler: async () => await operations.logCheckpoint()
  })
  registerProofs(app, '/v1/admin/log', operations)
  registerForJson(app, (scope) => {
    scope.post('/v1/admin/log/checkpoint/check', {
      schema: { querystring: noQuery, body: proofs.checkRequest, response: { 200: proofs.checkpointCheck } },
      handler: async ({ body }) => await operations.checkCheckpoint(body)
    })
  })
}

function registerProofs(app: App, below: string, operations: LogProofOperations, sight: Sight = PLAIN_SIGHT): void {
  app.get(`${below}/inclusion`, {
    schema: {
      querystring: proofs.inclusionQuery,
      ...documented({
        summary: 'That a record stands in the log',
        description: 'The proof that the record at `logSeq` is in the log of the first `size` records (RFC 9162).',
        tag: 'log',
        access: 'anyone',
        answers: { 200: proofs.logInclusion }
      })
    },
    handler: async (request) => forReader(request, await operations.logInclusion(request.query), sight)
  })
  app.get(`${below}/consistency`, {
    schema: {
      querystring: proofs.consistencyQuery,
      ...documented({
        summary: 'That the log only grew',
        description: 'The proof that the log of the first `from` records is a prefix of that of `to` (RFC 9162).',
        tag: 'log',
        access: 'anyone',
        answers: { 200: proofs.logConsistency }
      })
    },
    handler: async ({ query }) => await operations.logConsistency(query)
  })
}

/** The proof says nothing of the record but its hash; what the record holds is for those who may see it. */
function forReader(request: FastifyRequest, inclusion: LogInclusion, sight: Sight): LogInclusion {
  const { record } = inclusion
  if (record === null || readerOf(request).namespaces === null) return inclusion
  const decoded = decodeEvent(Buffer.from(record.bytes, 'base64url'))
  const isSeen = decoded.ok && sight.seesEvent(readerOf(request), decoded.event.envelope)
  return isSeen ? inclusion : { ...inclusion, record: null }
}

import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Operations } from '../operations.ts'
import type { App } from './listener.ts'
import { isReader } from './reader.ts'
import { documented } from './route-docs.ts'
import { noQuery } from './schemas.ts'

/** Why a node can't serve as it should, one sentence each; empty: it can. */
export type Readiness = () => Promise<readonly string[]> | readonly string[]

const answer = z.object({
  status: z.enum(['ok', 'failing']),
  /** For those who may read anything here at all. */
  reasons: z.array(z.string()).exactOptional()
})

/**
 * `GET /livez`: 200 as long as the process answers; to be started anew where it does not. `GET /readyz`: 200, or 503
 * with the reasons why apps should be sent to another node. Everybody may ask; a stranger gets the status alone.
 */
export function registerReadiness(app: App, operations: Pick<Operations, 'status'>, readiness?: Readiness): void {
  const ready = readiness ?? (async () => (await operations.status()).health.reasons)
  app.get('/livez', {
    schema: {
      querystring: noQuery,
      ...documented({
        summary: 'Whether the process answers',
        description: 'To be started anew where it does not.',
        tag: 'operations',
        access: 'anyone',
        answers: { 200: answer }
      })
    },
    handler: async (_request, reply) => await notStored(reply).send({ status: 'ok' })
  })
  app.get('/readyz', {
    schema: {
      querystring: noQuery,
      ...documented({
        summary: 'Whether apps should be sent here',
        description: 'With 503 `reasons` say why not, to whoever may read.',
        tag: 'operations',
        access: 'anyone',
        answers: { 200: answer, 503: answer }
      })
    },
    handler: async (request, reply) => {
      const reasons = await ready()
      // They name projections and files.
      const told = isReader(request) ? { reasons: [...reasons] } : {}
      if (reasons.length === 0) return await notStored(reply).send({ status: 'ok', ...told })
      return await notStored(reply)
        .code(503)
        .send({ status: 'failing', ...told })
    }
  })
}

function notStored(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store')
}

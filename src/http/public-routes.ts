import { z } from 'zod'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { projectionPage } from '../api/pages.ts'
import { rowSchemas } from '../api/rows.ts'
import type { LoggedEvent, Operations } from '../operations.ts'
import { maySee } from '../policy/read-scope.ts'
import type { LogProofOperations } from '../transparency/log-proof-operations.ts'
import { RequestRefused } from './errors.ts'
import { answerNotModified } from './etag.ts'
import { eventsPage } from './events-page.ts'
import type { App } from './listener.ts'
import { registerLogProofRoutes } from './log-proof-routes.ts'
import { isReader, readerOf, requireOperator } from './reader.ts'
import type { Sight } from './require-visible.ts'
import { PLAIN_SIGHT, namespaceDenied, requireNamespace, seesLogged } from './require-visible.ts'
import { PAGING, filtersText } from './query-docs.ts'
import { ProofTurns } from './proof-turns.ts'
import { registerReceiptRoutes } from './receipt-routes.ts'
import { KeptAnswers, mayBeKept } from './kept-answers.ts'
import { NOT_MODIFIED, documented } from './route-docs.ts'
import * as schemas from './schemas.ts'

/** What the public listener serves. */
export type PublicOperations = Pick<
  Operations,
  'status' | 'events' | 'event' | 'query' | 'digest' | 'proof' | 'handIn'
> &
  LogProofOperations

/** Of everything that is a fold of the log. */
const OF_FOLDS = ['NOT_YET', 'PROJECTION_HALTED'] as const
const healthAnswer = z.union([schemas.health, z.strictObject({ status: z.enum(['ok', 'failing']) })])

/** `/health` and the reading routes of `/v1` (CONTRACT, section 4); each shows what its reader may see. */
export function registerPublicRoutes(
  app: App,
  operations: PublicOperations,
  sight: Sight = PLAIN_SIGHT,
  revision?: () => number
): void {
  const kept = revision === undefined ? null : new KeptAnswers(revision)
  const keeping =
    kept === null
      ? { onSend: answerNotModified }
      : { onRequest: kept.onRequest, onSend: [kept.onSend, answerNotModified] }
  const turns = new ProofTurns()
  // Everybody may ask, and it is put together from all parts of the node: once for those who ask meanwhile.
  let underWay: ReturnType<typeof operations.status> | null = null
  const currentStatus = (): ReturnType<typeof operations.status> =>
    (underWay ??= operations.status().finally(() => (underWay = null)))
  app.get('/health', {
    schema: {
      querystring: schemas.noQuery,
      ...documented({
        summary: 'Whether the node is well',
        description: 'With 503 `reasons` say what is wrong. Who may read nothing is told the status alone.',
        tag: 'operations',
        access: 'anyone',
        answers: { 200: healthAnswer, 503: healthAnswer }
      })
    },
    handler: async (request, reply) => {
      const { did, network, version, uptimeMs, log, health } = await currentStatus()
      const answer = { did, peerId: network?.peerId ?? null, version, uptimeMs, logSeq: log.logSeq }
      reply.header('cache-control', 'no-store')
      const [status, code] = health.ok ? (['ok', 200] as const) : (['failing', 503] as const)
      // What everybody may know, so that load balancers need no token.
      if (!isReader(request)) return await reply.code(code).send({ status })
      if (health.ok) return await reply.code(code).send({ status: 'ok', ...answer })
      return await reply.code(code).send({ status: 'failing', ...answer, reasons: health.reasons })
    }
  })

  app.get('/v1/projections/:name', {
    schema: {
      params: schemas.projectionParams,
      querystring: schemas.projectionQuery,
      ...documented({
        summary: 'A page of rows',
        description: `Rows in the order of their keys. ${PAGING}\n\n${filtersText()}`,
        tag: 'queries',
        access: 'reader',
        answers: { 200: projectionPage },
        empty: NOT_MODIFIED,
        problems: [...OF_FOLDS, 'UNKNOWN_PROJECTION', 'STATE_OUTDATED', 'CURSOR_FOREIGN']
      })
    },
    ...keeping,
    handler: async (request) => {
      const { params, query } = request
      // What is included is read from the blobs, and goes when they are forgotten.
      if (params.name in rowSchemas && query.include === undefined) mayBeKept(request)
      if (params.name === 'audit') requireOperator(request, 'the audit log')
      else await requireNamespace(request, query.namespace, sight, operations)
      const answer = async (): ReturnType<PublicOperations['query']> =>
        await operations.query(params.name, query, readerOf(request))
      return query.include?.includes('proof') === true ? await turns.run(request, answer) : await answer()
    }
  })

  app.get('/v1/events', {
    schema: {
      querystring: schemas.eventsPageQuery,
      ...documented({
        summary: 'A page of events',
        description:
          'In the order of the log. Go on with `after` while there is a `next`, also from a page without events.',
        tag: 'queries',
        access: 'reader',
        answers: { 200: schemas.eventsPage },
        empty: NOT_MODIFIED
      })
    },
    onSend: answerNotModified,
    handler: async (request) => {
      const { query } = request
      if ((query.scope ?? 'shared') !== 'shared') requireOperator(request, 'local events')
      await requireNamespace(request, query.namespace, sight, operations)
      return await eventsPage(operations, query, (logged) => seesLogged(request, logged, sight))
    }
  })

  app.get('/v1/events/:id', {
    schema: {
      params: schemas.eventParams,
      querystring: schemas.noQuery,
      ...documented({
        summary: 'One event',
        description: 'As it was received: `bytes` can be checked against its id and its signature.',
        tag: 'queries',
        access: 'reader',
        answers: { 200: schemas.loggedEvent },
        empty: NOT_MODIFIED
      })
    },
    ...keeping,
    handler: async (request) => {
      const { id } = request.params
      mayBeKept(request)
      const event = await findEvent(operations, id)
      if (!seesLogged(request, event, sight)) throw unknownEvent(id)
      return event
    }
  })

  app.get('/v1/digest', {
    schema: {
      querystring: schemas.namespaceQuery,
      ...documented({
        summary: 'What two nodes compare',
        description: 'Two nodes with the same members and the same events answer the same digests.',
        tag: 'queries',
        access: 'reader',
        answers: { 200: schemas.digest },
        empty: NOT_MODIFIED,
        problems: OF_FOLDS
      })
    },
    onSend: answerNotModified,
    handler: async (request) => {
      const { namespace } = request.query
      // Of `_trust` it is over what all organisations say.
      if (!maySee(readerOf(request), namespace)) throw namespaceDenied(namespace)
      return await operations.digest(namespace)
    }
  })
  registerReceiptRoutes(app, operations, sight, turns)
  registerLogProofRoutes(app, operations, sight)
}

/** The event with this id. Throws `NOT_FOUND`. */
export async function findEvent(operations: Pick<Operations, 'event'>, id: string): Promise<LoggedEvent> {
  const event = HASH_PATTERN.test(id) ? await operations.event(id) : null
  if (event === null) throw unknownEvent(id)
  return event
}

function unknownEvent(id: string): RequestRefused {
  return new RequestRefused('NOT_FOUND', `the log holds no event ${id}`)
}

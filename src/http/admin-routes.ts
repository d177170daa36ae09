import type { Operations } from '../operations.ts'
import { registerConfigRoutes } from './config-routes.ts'
import { answerOutcome } from './answer-outcome.ts'
import { registerForBytes, registerForJson } from './body-forms.ts'
import { WIRE_MEDIA_TYPE, bytesOf, whenTooLarge } from './byte-bodies.ts'
import { RequestRefused } from './errors.ts'
import { BODY_BYTES_MAX } from './limits.ts'
import type { App } from './listener.ts'
import { registerLogProofAdminRoutes } from './log-proof-routes.ts'
import { findEvent } from './public-routes.ts'
import * as anchoringSchemas from './anchoring-schemas.ts'
import { registerPackRoutes } from './pack-routes.ts'
import { builtProof, proofRequest } from './proof-schemas.ts'
import * as schemas from './schemas.ts'

/** The routes below `/v1/admin` whose requests and answers are small. */
export function registerAdminRoutes(app: App, operations: Operations, shutdown: () => void): void {
  app.get('/v1/admin/status', {
    schema: { querystring: schemas.noQuery, response: { 200: schemas.nodeStatus } },
    handler: async () => await operations.status()
  })
  app.get('/v1/admin/projections/:name', {
    schema: {
      params: schemas.projectionParams,
      querystring: schemas.projectionQuery,
      response: { 200: schemas.projectionPage }
    },
    handler: async ({ params, query }) => await operations.query(params.name, query)
  })
  app.get('/v1/admin/events/:id', {
    schema: { params: schemas.eventParams, querystring: schemas.noQuery, response: { 200: schemas.loggedEvent } },
    handler: async ({ params }) => await findEvent(operations, params.id)
  })
  app.get('/v1/admin/digest', {
    schema: { querystring: schemas.namespaceQuery, response: { 200: schemas.digest } },
    handler: async ({ query }) => await operations.digest(query.namespace)
  })
  registerConfigRoutes(app, operations)
  registerPackRoutes(app, operations)
  registerLogProofAdminRoutes(app, operations)
  registerJsonBodies(app, operations)
  registerSubmit(app, operations)
  registerShutdown(app, shutdown)
}

/** JSON bodies: what changes what the node holds, and what names one receipt. */
function registerJsonBodies(app: App, operations: Operations): void {
  registerForJson(app, (scope) => {
    scope.post('/v1/admin/batches/announcements', {
      schema: { querystring: schemas.noQuery, body: schemas.announceRequest, response: { 201: schemas.published } },
      handler: async ({ body }, reply) => await reply.code(201).send(await operations.announce(body))
    })
    scope.post('/v1/admin/anchors', {
      schema: {
        querystring: schemas.noQuery,
        body: anchoringSchemas.anchorRequest,
        response: { 200: anchoringSchemas.anchoringResult }
      },
      handler: async ({ body }) => await operations.anchor(body)
    })
    scope.post('/v1/admin/anchors/split', {
      schema: {
        querystring: schemas.noQuery,
        body: anchoringSchemas.splitAnchorsRequest,
        response: { 200: anchoringSchemas.anchoringResults }
      },
      handler: async ({ body }) => await operations.splitAnchors(body)
    })
    scope.post('/v1/admin/anchors/proofs', {
      schema: {
        querystring: schemas.noQuery,
        body: anchoringSchemas.importProofRequest,
        response: { 200: anchoringSchemas.anchoringResult }
      },
      handler: async ({ body }) => await operations.importProof(body)
    })
    scope.post('/v1/admin/receipts/proof', {
      schema: { querystring: schemas.noQuery, body: proofRequest, response: { 200: builtProof } },
      handler: async ({ body }) => await operations.proof(body)
    })
    scope.post('/v1/admin/receipts/forget', {
      schema: {
        querystring: schemas.noQuery,
        body: schemas.forgetRequest,
        response: { 200: schemas.forgottenReceipt }
      },
      handler: async ({ body }) => await operations.forget(body)
    })
  })
}

/** One event's wire bytes: the ingest door's outcome, with the status of its code. */
function registerSubmit(app: App, operations: Operations): void {
  registerForBytes(app, WIRE_MEDIA_TYPE, (scope) => {
    scope.post('/v1/admin/events', {
      schema: { querystring: schemas.noQuery },
      handler: async (request, reply) => answerOutcome(reply, await operations.submit(bytesOf(request)), request.id),
      // Far beyond the size of an event, so the door need not be asked.
      errorHandler: whenTooLarge(BODY_BYTES_MAX, (reply, told, requestId) =>
        answerOutcome(reply, { ...told, id: null }, requestId)
      )
    })
  })
}

function registerShutdown(app: App, shutdown: () => void): void {
  let asked = false
  app.post('/v1/admin/shutdown', {
    schema: { querystring: schemas.noQuery, response: { 202: schemas.stopping } },
    handler: async (_request, reply) => {
      if (asked) throw new RequestRefused('NODE_NOT_RUNNING', 'the node is stopping')
      asked = true
      // Closing waits for this answer; it must not have to wait for the connection too.
      reply.header('connection', 'close')
      reply.raw.once('close', shutdown)
      return await reply.code(202).send({ stopping: true })
    }
  })
}

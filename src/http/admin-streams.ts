import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Operations, ProgressListener } from '../operations.ts'
import { registerBackupRoutes } from './backup-routes.ts'
import { registerForStream } from './body-forms.ts'
import { FRAMES_MEDIA_TYPE, frameOf, readFrames } from './frames.ts'
import { LINES_MEDIA_TYPE, readReceipts } from './lines.ts'
import type { App, RouteContext } from './listener.ts'
import * as schemas from './schemas.ts'
import { byteStream, lineStream, linesOf, workLines } from './streams.ts'

/** The routes below `/v1/admin` whose requests or answers are as long as a log or a batch. */
export function registerAdminStreams(app: App, operations: Operations, context: RouteContext): void {
  registerListings(app, operations, context)
  registerExport(app, operations, context)
  registerWork(app, '/v1/admin/log/verify', (onProgress) => operations.verifyLog(onProgress), context)
  registerWork(app, '/v1/admin/log/rebuild', (onProgress) => operations.rebuild(onProgress), context)
  registerBackupRoutes(app, operations, context)
  registerOnline(app, operations, context)
  registerFetching(app, operations, context)
  registerSync(app, operations, context)
  registerSealing(app, operations, context)
  registerHandIn(app, operations, context)
  registerUpgrade(app, operations, context)
  registerImport(app, operations, context)
}

function registerListings(app: App, operations: Operations, { streamOf }: RouteContext): void {
  app.get('/v1/admin/events', { schema: { querystring: schemas.eventsStreamQuery } }, (request, reply) => {
    const stream = streamOf(request, reply, request.query.follow === true ? 'never' : 'by-itself')
    const events = operations.events(request.query, stream.signal)
    return reply.type(LINES_MEDIA_TYPE).send(lineStream(linesOf(events), stream))
  })
  app.get('/v1/admin/batches/proofs', { schema: { querystring: schemas.batchQuery } }, (request, reply) => {
    const { namespace, batchId } = request.query
    const stream = streamOf(request, reply, 'by-itself')
    return reply.type(LINES_MEDIA_TYPE).send(lineStream(linesOf(operations.proofs(namespace, batchId)), stream))
  })
}

function registerExport(app: App, operations: Operations, { streamOf }: RouteContext): void {
  app.get('/v1/admin/log/export', { schema: { querystring: schemas.exportQuery } }, (request, reply) => {
    const frames = framesOf(operations.exportEvents(request.query.namespace))
    return reply.type(FRAMES_MEDIA_TYPE).send(byteStream(frames, streamOf(request, reply, 'by-itself')))
  })
}

/** Long work that takes no body: progress lines, then the result. */
function registerWork<Result>(
  app: App,
  url: string,
  run: (onProgress: ProgressListener) => Promise<Result>,
  { clock, streamOf }: RouteContext
): void {
  app.post(url, { schema: { querystring: schemas.noQuery } }, (request, reply) =>
    reply.type(LINES_MEDIA_TYPE).send(lineStream(workLines(run, clock), streamOf(request, reply, 'by-itself')))
  )
}

/** Every timestamp anchor is checked again: progress lines, then the result. */
function registerOnline(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  app.post('/v1/admin/verify-online', { schema: { querystring: schemas.onlineQuery } }, (request, reply) => {
    const verify = (onProgress: ProgressListener): Promise<unknown> =>
      operations.verifyOnline(request.query, onProgress)
    return sendWork(reply, lineStream(workLines(verify, clock), streamOf(request, reply, 'by-itself')))
  })
}

/** Receipts come in from peers: progress lines, then the result. */
function registerFetching(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  app.post('/v1/admin/bundles/fetch', { schema: { querystring: schemas.bundleQuery } }, (request, reply) => {
    const fetch = (onProgress: ProgressListener): Promise<unknown> => operations.fetchBundles(request.query, onProgress)
    return sendWork(reply, lineStream(workLines(fetch, clock), streamOf(request, reply, 'by-itself')))
  })
}

function registerSync(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  app.post('/v1/admin/sync', { schema: { querystring: schemas.syncQuery } }, (request, reply) => {
    const run = (onProgress: ProgressListener): Promise<unknown> => operations.sync(request.query, onProgress)
    return sendWork(reply, lineStream(workLines(run, clock), streamOf(request, reply, 'by-itself')))
  })
}

function registerUpgrade(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  app.post('/v1/admin/anchors/upgrade', { schema: { querystring: schemas.exportQuery } }, (request, reply) => {
    const run = (onProgress: ProgressListener): Promise<unknown> => operations.upgradeAnchors(request.query, onProgress)
    return sendWork(reply, lineStream(workLines(run, clock), streamOf(request, reply, 'by-itself')))
  })
}

/** Receipts, one a line, are queued for the next scheduled batch. */
function registerHandIn(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  registerForStream(app, LINES_MEDIA_TYPE, (scope) => {
    scope.post('/v1/admin/receipts', { schema: { querystring: schemas.namespaceQuery } }, (request, reply) => {
      const handIn = async (): Promise<unknown> => {
        const receipts = readReceipts(bodyOf(request))
        const { namespace } = request.query
        return await operations.handIn({ namespace, receipts }).finally(() => discardRest(request))
      }
      return sendWork(reply.code(202), lineStream(workLines(handIn, clock), streamOf(request, reply, 'by-itself')))
    })
  })
}

/** Receipts, one a line, become a batch while they come in. */
function registerSealing(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  registerForStream(app, LINES_MEDIA_TYPE, (scope) => {
    scope.post('/v1/admin/batches', { schema: { querystring: schemas.batchQuery } }, (request, reply) => {
      const { namespace, batchId } = request.query
      const seal = async (): Promise<unknown> => {
        const receipts = readReceipts(bodyOf(request))
        return await operations.seal({ namespace, batchId, receipts }).finally(() => discardRest(request))
      }
      return sendWork(reply.code(201), lineStream(workLines(seal, clock), streamOf(request, reply, 'by-itself')))
    })
  })
}

/** Events, one a frame, go in at the door while they come in. */
function registerImport(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  registerForStream(app, FRAMES_MEDIA_TYPE, (scope) => {
    scope.post('/v1/admin/log/import', { schema: { querystring: schemas.noQuery } }, (request, reply) => {
      const take = async (onProgress: ProgressListener): Promise<unknown> =>
        await operations.importEvents(readFrames(bodyOf(request)), onProgress).finally(() => discardRest(request))
      return sendWork(reply, lineStream(workLines(take, clock), streamOf(request, reply, 'by-itself')))
    })
  })
}

function sendWork(reply: FastifyReply, lines: ReturnType<typeof lineStream>): FastifyReply {
  return reply.type(LINES_MEDIA_TYPE).send(lines)
}

/** The body as it comes in; who stops reading leaves the connection open for the answer. */
function bodyOf({ raw }: FastifyRequest): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => raw.iterator({ destroyOnReturn: false }) }
}

/** Reads and throws away what is left of a body, so that its sender gets to read the answer. */
function discardRest({ raw }: FastifyRequest): void {
  raw.resume()
}

async function* framesOf(events: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const wire of events) yield frameOf(wire)
}

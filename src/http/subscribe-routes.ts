import fastifyWebsocket from '@fastify/websocket'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { EVENT_STREAM_BEGIN } from '../../protocols/subscription/v1/frame-bytes.ts'
import type { Operations } from '../operations.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Ending } from '../subscriptions/frames.ts'
import { FrameBundle, terminalFrame } from '../subscriptions/frames.ts'
import { endingOf } from '../subscriptions/hub.ts'
import type { SubscriptionHub } from '../subscriptions/hub.ts'
import type { Opening } from '../subscriptions/ports.ts'
import { certificateLoss } from './client-certificate.ts'
import { isFromLoopback } from './access-rules.ts'
import { addressBlock } from './address-block.ts'
import { RequestRefused } from './errors.ts'
import type { App } from './listener.ts'
import { grantOf, readerOf } from './reader.ts'
import { requireNamespace } from './require-visible.ts'
import type { Sight } from './require-visible.ts'
import { SUBSCRIBE_DOCS, subscribeQuery } from './subscribe-schemas.ts'
import type { SubscribeQuery } from './subscribe-schemas.ts'
import { eventSink, messageSink } from './subscribe-sinks.ts'
import { WEB_SOCKET_VERSION, handshakeFault, isWebSocket } from './web-socket-handshake.ts'

export interface SubscribeOptions {
  readonly hub: SubscriptionHub
  readonly operations: Pick<Operations, 'status' | 'events'>
  /** What decides which namespaces a reader may name. */
  readonly sight: Sight
}

// Readers have nothing to say; this is room for the reason of a close.
const MESSAGE_BYTES_MAX = 1_024

// A cursor in the header has the same bound as the parameter.
const CURSOR_CHARACTERS_MAX = 4_096

/** `GET /v1/subscribe`, as Server-Sent Events and by upgrade as WebSocket (protocols/subscription/v1). */
export function registerSubscribeRoute(app: App, options: SubscribeOptions): void {
  const { hub, operations, sight } = options
  app.addHook('preClose', (done) => {
    hub.endAll()
    done()
  })
  endRefusedUpgrades(app)
  app.register(async (plain) => {
    await plain.register(fastifyWebsocket, { options: { maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false } })
    const scope = plain.withTypeProvider<ZodTypeProvider>()
    scope.route({
      method: 'GET',
      url: '/v1/subscribe',
      exposeHeadRoute: false,
      schema: { querystring: subscribeQuery, ...SUBSCRIBE_DOCS },
      // Over both forms before the subscription begins.
      preHandler: async (request, reply) => {
        await requireNamespace(request, request.query.namespace, sight, operations)
        if (!request.ws) return undefined
        if (isWebSocket(request.headers)) return requireHandshake(request, reply)
        // An upgrade to what is not spoken here is not heeded (RFC 9110 section 7.8); some clients offer HTTP/2 each time.
        openEvents(request, request.query, reply, hub)
        endWithReader(request)
        return reply
      },
      handler: (request, reply) => openEvents(request, request.query, reply, hub),
      wsHandler: (socket, request) => {
        const { query } = request as FastifyRequest<{ Querystring: SubscribeQuery }>
        sendMessages(socket, request, () => hub.open(asked(request, query)))
      }
    })
  })
}

function asked(
  request: FastifyRequest,
  { projection, namespace, cursor }: SubscribeQuery
): Parameters<SubscriptionHub['open']>[0] {
  const header = request.headers['last-event-id']
  const last = typeof header === 'string' && header !== '' ? header : undefined
  if (last !== undefined && last.length > CURSOR_CHARACTERS_MAX)
    throw new AnchormeshError('QUERY_INVALID', 'Last-Event-ID is longer than a cursor can be')
  const from = last ?? cursor
  const lost = certificateLoss(request, grantOf(request)?.tokenId === null)
  return {
    projection,
    scope: readerOf(request),
    address: isFromLoopback(request) ? request.ip : addressBlock(request.ip),
    ...(namespace === undefined ? {} : { namespace }),
    ...(from === undefined ? {} : { cursor: from }),
    ...(lost === undefined ? {} : { lost })
  }
}

function requireHandshake({ headers }: FastifyRequest, reply: FastifyReply): undefined {
  const fault = handshakeFault(headers)
  if (fault === null) return undefined
  reply.header('sec-websocket-version', WEB_SOCKET_VERSION)
  throw new RequestRefused('QUERY_INVALID', fault)
}

function openEvents(request: FastifyRequest, query: SubscribeQuery, reply: FastifyReply, hub: SubscriptionHub): void {
  const opening = hub.open(asked(request, query))
  if (!opening.ok) throw new RequestRefused(opening.code, opening.detail)
  streamEvents(request, reply, opening)
}

function streamEvents(request: FastifyRequest, reply: FastifyReply, opening: Extract<Opening, { ok: true }>): void {
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.setHeader('content-type', 'text/event-stream')
  raw.setHeader('cache-control', 'no-store')
  // Proxies that gather answers would hold frames back.
  raw.setHeader('x-accel-buffering', 'no')
  // The body ends with the connection: frames are the same bytes for everybody, without a chunk's header of their own.
  raw.useChunkedEncodingByDefault = false
  raw.shouldKeepAlive = false
  raw.write(EVENT_STREAM_BEGIN)
  const subscriber = opening.start(eventSink(raw, request.raw.socket))
  raw.once('close', () => subscriber.gone())
  // Who left while it was looked at what they may read is told of no more.
  if (raw.destroyed) subscriber.gone()
}

/** The server looks no more after a connection that it has handed out for an upgrade, and so would not see its end. */
function endWithReader({ raw: { socket } }: FastifyRequest): void {
  socket.once('end', () => socket.destroySoon())
  socket.resume()
}

function sendMessages(socket: WebSocket, request: FastifyRequest, open: () => Opening): void {
  const connection = request.raw.socket
  const sink = messageSink(socket, connection)
  const refuse = (ending: Ending): void => {
    sink.write(FrameBundle.of(terminalFrame(ending, { logSeq: 0, cursor: null })).bytes('messages'))
    sink.end(ending)
  }
  let opening: Opening
  try {
    opening = open()
  } catch (error) {
    if (!(error instanceof AnchormeshError)) throw error
    refuse(endingOf(error))
    return
  }
  if (!opening.ok) {
    refuse({ ...opening, retryable: opening.code === 'TOO_MANY_SUBSCRIBERS' })
    return
  }
  const subscriber = opening.start(sink)
  socket.once('close', () => subscriber.gone())
}

/**
 * Who asks another route for an upgrade gets the plain answer, and then the connection ends: the server has handed it
 * out, and looks after it no more.
 */
function endRefusedUpgrades(app: App): void {
  app.addHook('onResponse', async ({ raw }) => {
    if (raw.headers.upgrade !== undefined) raw.socket.destroySoon()
  })
}

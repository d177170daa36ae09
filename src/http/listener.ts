import type { AddressInfo, Socket } from 'node:net'
import { fastify } from 'fastify'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault
} from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { ListenAddress } from '../policy/listen-address.ts'
import { isLoopbackHost, loopbackAddress } from './addresses.ts'
import type { ListenKey } from './addresses.ts'
import { RequestRefused, problem } from './errors.ts'
import { PROBLEM_MEDIA_TYPE, describeFailure, sendProblem } from './failures.ts'
import type { ListenerLimits } from './limits.ts'
import { BODY_BYTES_MAX } from './limits.ts'
import type { RequestObserver } from './request-observer.ts'
import type { StreamContext } from './streams.ts'

/** A listener that serves. */
export interface Listener {
  /** `http://host:port` with the port that is really listened on. */
  readonly url: string
  /** Accepts nothing more, ends followers, lets other requests finish within the grace, then cuts them off. */
  close(): Promise<void>
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** What routes need besides the operations that they serve. */
export interface RouteContext {
  readonly clock: Clock
  readonly logger: Logger
  /** For an answer that is streamed: aborts with its reader, and with the listener where it never ends by itself. */
  readonly streamOf: (request: FastifyRequest, reply: FastifyReply, ends: 'by-itself' | 'never') => StreamContext
}

export interface ListenerSetup {
  /** `HOST:PORT` on loopback; port 0 lets the system choose. */
  readonly listen: string
  readonly key: ListenKey
  readonly limits: ListenerLimits
  readonly logger: Logger
  readonly clock: Clock
  /** Whether the routes decide for themselves by which names they may be asked for; default: by those of loopback only. */
  readonly judgesHosts?: boolean
  readonly routes: (app: App, context: RouteContext) => void | Promise<void>
  readonly observer?: RequestObserver
}

/** Of somebody who has shown no right to ask. */
const STRANGERS: ReadonlySet<string> = new Set([
  'ADMIN_TOKEN_INVALID',
  'HOST_NOT_ALLOWED',
  'TOKEN_REQUIRED',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'ACCESS_DENIED'
])

/**
 * Serves routes on loopback. Throws `CONFIG_INVALID` (another address, or one that this machine has not) and
 * `PORT_IN_USE`.
 */
export async function startListener(setup: ListenerSetup): Promise<Listener> {
  const { limits, clock, key } = setup
  const address = loopbackAddress(setup.listen, key)
  const logger = setup.logger.child({ part: key.replace('.listen', '') })
  const closing = new AbortController()
  const app = createApp(limits, logger, clock)
  guard(app, logger, { closing: closing.signal, judgesHosts: setup.judgesHosts === true })
  const streamOf: RouteContext['streamOf'] = (request, reply, ends) => ({
    clock,
    signal: endOf(reply, ends === 'never' ? closing.signal : null),
    describe: (error) => describeFailure(error, request, logger)
  })
  if (setup.observer !== undefined) observe(app, setup.observer)
  await setup.routes(app, { clock, logger, streamOf })
  app.addHook('preClose', (done) => {
    closing.abort()
    done()
  })
  try {
    await app.listen(address)
  } catch (error) {
    await app.close()
    throw listenFailure(error, address, key)
  }
  const { port } = app.server.address() as AddressInfo
  const url = `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`
  logger.info({ url }, 'listening')
  return { url, close: () => closeWithin(app, limits.closeGraceMs, clock) }
}

function createApp(limits: ListenerLimits, logger: Logger, clock: Clock): App {
  // Unique among the requests that one log holds, and in their order.
  const startedAt = clock.now().toString(36)
  let requests = 0
  const app = fastify({
    http: { headersTimeout: limits.headersTimeoutMs, connectionsCheckingInterval: limits.timeoutCheckMs },
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.idleTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    bodyLimit: BODY_BYTES_MAX,
    // Requests that come in while the listener closes get a problem like all others, from the hook below.
    return503OnClosing: false,
    genReqId: () => {
      requests += 1
      return `${startedAt}-${requests}`
    },
    frameworkErrors: (error, request, reply) => {
      sendProblem(reply, describeFailure(error, request, logger))
    },
    clientErrorHandler: (error, socket) => refuseBytes(error, socket)
  }).withTypeProvider<ZodTypeProvider>()
  const { connectionsMax } = limits
  app.server.maxConnections = connectionsMax
  app.server.on('drop', () => logger.debug({ connectionsMax }, 'a connection beyond the limit was dropped'))
  app.setValidatorCompiler(validatorCompiler)
  // The schemas of answers are documentation: the node's own values are not checked again on their way out.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
  // Each route that takes a body says in which form.
  app.removeAllContentTypeParsers()
  return app
}

/** What holds on every route. */
function guard(
  app: App,
  logger: Logger,
  { closing, judgesHosts }: { readonly closing: AbortSignal; readonly judgesHosts: boolean }
): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    if (closing.aborted) throw new RequestRefused('NODE_NOT_RUNNING', 'the node is stopping')
    if (!judgesHosts && !isLoopbackHost(request.headers.host)) {
      const names = 'localhost, 127.0.0.1 and [::1]'
      throw new RequestRefused('HOST_NOT_ALLOWED', `this listener answers to the names ${names} only`)
    }
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const { id: requestId, method } = request
    const path = request.routeOptions.url ?? 'unknown'
    const durationMs = Math.round(reply.elapsedTime)
    logger.debug({ requestId, method, path, status: reply.statusCode, durationMs }, 'answered')
    // A connection whose answer had begun before the listener closed would be kept for a next request.
    if (closing.aborted) app.server.closeIdleConnections()
  })
  app.setNotFoundHandler((request) => {
    throw new RequestRefused('NOT_FOUND', `there is no ${request.method} ${request.url.split('?', 1)[0] ?? ''}`)
  })
  app.setErrorHandler((error, request, reply) => {
    const told = describeFailure(error, request, logger)
    if (!request.raw.complete) {
      // A sender without right is not read any further. What is left of another's body is read and thrown away, or its
      // sender might see a reset connection and no answer.
      const mayAsk = !STRANGERS.has(told.code)
      if (mayAsk) request.raw.resume()
      if (mayAsk) reply.removeHeader('connection')
      else reply.header('connection', 'close')
    }
    return sendProblem(reply, told)
  })
}

function observe(app: App, observer: RequestObserver): void {
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) observer.routeAdded(one, url)
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    observer.answered({ method: request.method, route, status: reply.statusCode, seconds: reply.elapsedTime / 1_000 })
  })
}

/** Aborts when the connection of the answer ends, or when `closing` does. */
function endOf(reply: FastifyReply, closing: AbortSignal | null): AbortSignal {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  closing?.addEventListener('abort', abort, { once: true })
  reply.raw.once('close', () => {
    closing?.removeEventListener('abort', abort)
    abort()
  })
  return controller.signal
}

/** Answers bytes that are no HTTP request, or did not become one in time. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const told =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? problem('REQUEST_TIMEOUT', 'the request did not come in time', '')
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? problem('HEADERS_TOO_LARGE', 'the header is too large', '')
        : problem('BODY_MALFORMED', 'this is no HTTP request', '')
  const body = JSON.stringify(told)
  const head = [
    `HTTP/1.1 ${told.status} ${told.title}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close'
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}

function listenFailure(error: unknown, { host, port }: ListenAddress, key: ListenKey): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') {
    return new AnchormeshError('PORT_IN_USE', `${key}: ${host}:${port} is taken by another process`, {
      hint: `Stop the other process, or set ${key} to another port in federation.yaml.`,
      detail: { key, host, port },
      cause: error
    })
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES') {
    return new AnchormeshError('CONFIG_INVALID', `${key}: ${host}:${port} can't be listened on: ${messageOf(error)}`, {
      hint: 'Set an address of this machine and a port above 1023.',
      detail: { key, host, port },
      cause: error
    })
  }
  return error
}

async function closeWithin(app: App, graceMs: number, clock: Clock): Promise<void> {
  const cancel = clock.after(graceMs, () => app.server.closeAllConnections())
  try {
    await app.close()
  } finally {
    cancel()
  }
}

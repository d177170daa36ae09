import type { AddressInfo, Socket } from 'node:net'
import { Server as SecureServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { fastify } from 'fastify'
import type {
  FastifyBaseLogger,
  FastifyHttpOptions,
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
import { isLoopback } from '../policy/listen-address.ts'
import type { ListenAddress } from '../policy/listen-address.ts'
import { isLoopbackHost, reachableHost, servableAddress } from './addresses.ts'
import type { ListenKey } from './addresses.ts'
import { ConnectionCap } from './connection-cap.ts'
import type { ConnectionCounts } from './connection-cap.ts'
import { discardRest, isBodyUnderWay, limitAnswer } from './deadlines.ts'
import { RequestRefused, problem } from './errors.ts'
import { PROBLEM_MEDIA_TYPE, describeFailure, sendProblem } from './failures.ts'
import { checking } from './hooks.ts'
import type { ListenerLimits } from './limits.ts'
import { BODY_BYTES_MAX } from './limits.ts'
import type { RequestObserver } from './request-observer.ts'
import type { StreamContext } from './streams.ts'
import { SecuredSockets, secureOptions, serverOptions } from './tls.ts'
import type { ListenerTls, TlsIdentity } from './tls.ts'

/** A listener that serves. */
export interface Listener {
  /** `http://host:port`, or `https`, with the port that is really listened on and a host that this machine reaches. */
  readonly url: string
  connections(): ConnectionCounts
  /** Shows this from now on to who connects; connections that stand are not touched. Does nothing without TLS. */
  renew(identity: TlsIdentity): void
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
  /** `HOST:PORT`, on loopback unless there is TLS; port 0 lets the system choose. */
  readonly listen: string
  readonly key: ListenKey
  /** Without it the listener speaks plain HTTP. */
  readonly tls?: ListenerTls | undefined
  readonly limits: ListenerLimits
  readonly logger: Logger
  readonly clock: Clock
  /** Whether the routes decide for themselves by which names they may be asked for; default: by those of loopback only. */
  readonly judgesHosts?: boolean
  readonly routes: (app: App, context: RouteContext) => void | Promise<void>
  readonly observer?: RequestObserver
}

/** What each request is held to, whatever its route. */
interface Guarding {
  readonly logger: Logger
  readonly clock: Clock
  readonly closing: AbortSignal
  readonly cap: ConnectionCap
  /** Whether only the names of loopback may be asked for. */
  readonly holdsNames: boolean
  readonly isSecure: boolean
}

/**
 * Serves routes on loopback, and by TLS elsewhere. Throws `CONFIG_INVALID` (another address without TLS, or one that
 * this machine has not) and `PORT_IN_USE`.
 */
export async function startListener(setup: ListenerSetup): Promise<Listener> {
  const { limits, clock, key, tls } = setup
  const isSecure = tls !== undefined
  const address = servableAddress(setup.listen, key, isSecure)
  const logger = setup.logger.child({ part: key.replace('.listen', '') })
  const closing = new AbortController()
  const app = createApp(limits, logger, clock, tls)
  const cap = new ConnectionCap(app.server, { connectionsMax: limits.connectionsMax, clock, logger })
  const holdsNames = setup.judgesHosts !== true && isLoopback(address.host)
  guard(app, { logger, clock, closing: closing.signal, cap, holdsNames, isSecure })
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
  const url = `${isSecure ? 'https' : 'http'}://${reachableHost(address.host)}:${port}`
  logger.info({ url, listen: setup.listen }, 'listening')
  return {
    url,
    connections: () => cap.counts,
    renew: (identity) => {
      // Without the options of the start the new context would speak TLS 1.2, too.
      if (app.server instanceof SecureServer) app.server.setSecureContext(secureOptions(identity))
    },
    close: () => closeWithin(app, cap, limits.closeGraceMs, clock)
  }
}

function createApp(limits: ListenerLimits, logger: Logger, clock: Clock, tls: ListenerTls | undefined): App {
  // Unique among the requests that one log holds, and in their order.
  const startedAt = clock.now().toString(36)
  let requests = 0
  const secured = new SecuredSockets()
  // Whose rest of a body is no answer's business any more: a second one would be taken for that of the next request.
  const answeredEarly = new WeakSet<object>()
  const times = { headersTimeout: limits.headersTimeoutMs, connectionsCheckingInterval: limits.timeoutCheckMs }
  const settings: FastifyHttpOptions<RawServerDefault> = {
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
    clientErrorHandler: (error, socket) =>
      refuseBytes(error, socket, secured.canBeTold(socket) && !answeredEarly.has(socket))
  }
  // What differs between the two servers is none of the routes' business.
  const server =
    tls === undefined ? { http: times } : { https: { ...times, ...serverOptions(tls, limits.headersTimeoutMs) } }
  const app = fastify({ ...settings, ...server }).withTypeProvider<ZodTypeProvider>()
  app.server.on('secureConnection', (socket: TLSSocket) => secured.secured(socket))
  app.addHook('onSend', (request, _reply, payload: unknown, done) => {
    if (isBodyUnderWay(request.raw)) answeredEarly.add(request.raw.socket)
    done(null, payload)
  })
  app.setValidatorCompiler(validatorCompiler)
  // The schemas of answers are documentation: the node's own values are not checked again on their way out.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
  // Each route that takes a body says in which form.
  app.removeAllContentTypeParsers()
  return app
}

/** What holds on every route. */
function guard(app: App, { logger, clock, closing, cap, holdsNames, isSecure }: Guarding): void {
  const hold = checking((request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    if (isSecure) reply.header('strict-transport-security', STRICT_TRANSPORT)
    if (cap.isRefused(request.raw.socket)) {
      reply.header('connection', 'close')
      throw new RequestRefused('TOO_MANY_CONNECTIONS', 'this listener has as many connections as it can serve')
    }
    if (closing.aborted) throw new RequestRefused('NODE_NOT_RUNNING', 'the node is stopping')
    // RFC 9112, section 3.2.2: such a target names its host by itself, whatever `Host` says.
    if (!/^[/*]/.test(request.raw.url ?? '')) throw new RequestRefused('NOT_FOUND', 'this listener is no proxy')
    if (holdsNames && !isLoopbackHost(request.headers.host)) {
      const names = 'localhost, 127.0.0.1 and [::1]'
      throw new RequestRefused('HOST_NOT_ALLOWED', `this listener answers to the names ${names} only`)
    }
  })
  app.addHook('onRequest', hold)
  app.addHook('onSend', (_request, reply, payload: unknown, done) => {
    limitAnswer(reply.raw, payload, clock)
    if (closing.aborted) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { id: requestId, method } = request
    const path = request.routeOptions.url ?? 'unknown'
    const durationMs = Math.round(reply.elapsedTime)
    logger.debug({ requestId, method, path, status: reply.statusCode, durationMs }, 'answered')
    // A connection whose answer had begun before the listener closed would be kept for a next request.
    if (closing.aborted) app.server.closeIdleConnections()
    done()
  })
  app.setNotFoundHandler((request) => {
    throw new RequestRefused('NOT_FOUND', `there is no ${request.method} ${request.url.split('?', 1)[0] ?? ''}`)
  })
  app.setErrorHandler((error, request, reply) => {
    const told = describeFailure(error, request, logger)
    if (isBodyUnderWay(request.raw)) {
      // A sender without right is not read any further. What is left of another's body is read and thrown away, or its
      // sender might see a reset connection and no answer.
      const mayAsk = !STRANGERS.has(told.code)
      if (mayAsk) discardRest(request.raw)
      if (mayAsk) reply.removeHeader('connection')
      else reply.header('connection', 'close')
    }
    return sendProblem(reply, told)
  })
}

// A year, as is usual: whoever came by TLS once does not come in clear again (RFC 6797).
const STRICT_TRANSPORT = 'max-age=31536000'
/** Codes of those who have shown no right to ask, or come when there is no place. */
const STRANGERS: ReadonlySet<string> = new Set([
  'ADMIN_TOKEN_INVALID',
  'HOST_NOT_ALLOWED',
  'TOKEN_REQUIRED',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'ACCESS_DENIED',
  'TOO_MANY_CONNECTIONS',
  'CERTIFICATE_REQUIRED',
  'CERTIFICATE_NOT_PINNED'
])

function observe(app: App, observer: RequestObserver): void {
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) observer.routeAdded(one, url)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown'
    observer.answered({ method: request.method, route, status: reply.statusCode, seconds: reply.elapsedTime / 1_000 })
    done()
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
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket, canBeTold: boolean): void {
  if (error.code === 'ECONNRESET' || !socket.writable || !canBeTold) {
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

async function closeWithin(app: App, cap: ConnectionCap, graceMs: number, clock: Clock): Promise<void> {
  const cancel = clock.after(graceMs, () => cap.destroyAll())
  try {
    await app.close()
  } finally {
    cancel()
  }
}

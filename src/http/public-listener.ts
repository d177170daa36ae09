import type { FastifyRequest } from 'fastify'
import type { ReaderAccess } from '../access/reader-access.ts'
import type { CountingTrail } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { FederationServing } from '../deliveries/federation.ts'
import { registerMetrics } from './metrics-routes.ts'
import type { MetricsServing } from './metrics-routes.ts'
import { registerAccess } from './access.ts'
import { allowOrigins, originsOf } from './cross-origin.ts'
import { registerFederation } from './federation-routes.ts'
import { registerHandInRoutes } from './hand-in-routes.ts'
import { PUBLIC_LIMITS } from './limits.ts'
import type { ListenerLimits } from './limits.ts'
import { startListener } from './listener.ts'
import type { App, Listener } from './listener.ts'
import { documentRoutes } from './openapi.ts'
import type { PackServing } from '../pack-sync/server.ts'
import { registerPackServing } from './pack-sync-routes.ts'
import { registerPublicRoutes } from './public-routes.ts'
import type { PublicOperations } from './public-routes.ts'
import { registerTicketRoutes } from './ticket-routes.ts'
import type { SubscriptionHub } from '../subscriptions/hub.ts'
import { registerSubscribeRoute } from './subscribe-routes.ts'

export interface PublicListenerOptions {
  /** `HOST:PORT` on loopback (`http.listen`); port 0 lets the system choose. */
  readonly listen: string
  readonly operations: PublicOperations
  /** Without it packs are neither served nor taken. */
  readonly packs?: PackServing
  /** Without it the routes of partners are not there. */
  readonly federation?: FederationServing
  /** What tokens, tickets and certificates open; without it only readers on this machine see anything. */
  readonly access?: ReaderAccess
  /** The DID that the client certificate of a request is pinned to. */
  readonly certificateDidOf?: (request: FastifyRequest) => string | null
  /** Gets a count of the requests that were refused. */
  readonly audit?: CountingTrail
  /** Without it nobody can subscribe. */
  readonly subscriptions?: SubscriptionHub
  readonly logger: Logger
  readonly clock: Clock
  /** Origins whose pages may read the answers (`http.corsOrigins`); default none. */
  readonly corsOrigins?: readonly string[]
  /** Without it there is no `/metrics`. */
  readonly metrics?: MetricsServing
  /** Default `PUBLIC_LIMITS`. */
  readonly limits?: ListenerLimits
}

/**
 * Serves what apps read: to readers on this machine all of it, to others what their token or certificate opens. Throws
 * `PORT_IN_USE`, and `CONFIG_INVALID` for an address that is not loopback.
 */
export async function startPublicListener(options: PublicListenerOptions): Promise<Listener> {
  const { listen, metrics, logger, clock, limits = PUBLIC_LIMITS } = options
  return await startListener({
    listen,
    key: 'http.listen',
    limits,
    logger,
    clock,
    ...(metrics === undefined ? {} : { observer: metrics.requests }),
    judgesHosts: true,
    routes: (app) => registerEveryPublicRoute(app, options)
  })
}

/** All that the public listener serves; each route is in `/openapi.json`. */
export async function registerEveryPublicRoute(app: App, options: PublicListenerOptions): Promise<void> {
  const { operations, packs, federation, access, metrics, clock, corsOrigins = [], audit = NO_AUDIT } = options
  const { subscriptions: hub } = options
  allowOrigins(app, corsOrigins)
  registerAccess(app, {
    ...options,
    ...(access === undefined ? {} : { readers: access }),
    origins: originsOf(corsOrigins),
    audit
  })
  await documentRoutes(app, async () => (await operations.status()).version)
  registerPublicRoutes(app, operations, access?.visibility)
  if (access !== undefined) {
    registerTicketRoutes(app, access)
    registerHandInRoutes(app, operations, access)
  }
  if (packs !== undefined) registerPackServing(app, packs, clock)
  if (hub !== undefined) registerSubscribeRoute(app, { hub, operations, corsOrigins })
  if (metrics !== undefined) registerMetrics(app, metrics)
  if (federation !== undefined) registerFederation(app, federation, clock)
}

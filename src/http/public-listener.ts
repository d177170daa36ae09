import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { allowOrigins } from './cross-origin.ts'
import { PUBLIC_LIMITS } from './limits.ts'
import type { ListenerLimits } from './limits.ts'
import { startListener } from './listener.ts'
import type { App, Listener } from './listener.ts'
import { documentRoutes } from './openapi.ts'
import type { PackServing } from '../pack-sync/server.ts'
import { registerPackServing } from './pack-sync-routes.ts'
import { registerPublicRoutes } from './public-routes.ts'
import type { PublicOperations } from './public-routes.ts'
import type { SubscriptionHub } from '../subscriptions/hub.ts'
import { registerSubscribeRoute } from './subscribe-routes.ts'

export interface PublicListenerOptions {
  /** `HOST:PORT` on loopback (`http.listen`); port 0 lets the system choose. */
  readonly listen: string
  readonly operations: PublicOperations
  /** Without it packs are neither served nor taken. */
  readonly packs?: PackServing
  /** Without it nobody can subscribe. */
  readonly subscriptions?: SubscriptionHub
  readonly logger: Logger
  readonly clock: Clock
  /** Origins whose pages may read the answers (`http.corsOrigins`); default none. */
  readonly corsOrigins?: readonly string[]
  /** Default `PUBLIC_LIMITS`. */
  readonly limits?: ListenerLimits
}

/**
 * Serves what apps read, on loopback and without a token. Throws `PORT_IN_USE`, and `CONFIG_INVALID` for any other
 * address: reading from elsewhere needs access control, which is not there yet.
 */
export async function startPublicListener(options: PublicListenerOptions): Promise<Listener> {
  const { listen, logger, clock, limits = PUBLIC_LIMITS } = options
  return await startListener({
    listen,
    key: 'http.listen',
    limits,
    logger,
    clock,
    routes: (app) => registerEveryPublicRoute(app, options)
  })
}

/** All that the public listener serves; each route is in `/openapi.json`. */
export async function registerEveryPublicRoute(app: App, options: PublicListenerOptions): Promise<void> {
  const { operations, packs, clock, corsOrigins = [], subscriptions: hub } = options
  allowOrigins(app, corsOrigins)
  await documentRoutes(app, async () => (await operations.status()).version)
  registerPublicRoutes(app, operations)
  if (packs !== undefined) registerPackServing(app, packs, clock)
  if (hub !== undefined) registerSubscribeRoute(app, { hub, operations, corsOrigins })
}

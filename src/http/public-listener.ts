import type { ReaderAccess } from '../access/reader-access.ts'
import type { CountingTrail } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { registerMetrics } from './metrics-routes.ts'
import type { MetricsServing } from './metrics-routes.ts'
import { registerAccess } from './access.ts'
import { allowOrigins, originsOf } from './cross-origin.ts'
import { registerHandInRoutes } from './hand-in-routes.ts'
import type { FederationServing } from '../deliveries/federation.ts'
import { registerFederation } from './federation-routes.ts'
import { registerSharedAdmin } from './admin-listener.ts'
import type { AdminRoutes } from './admin-listener.ts'
import { certificateDidOf, checkCertificates } from './client-certificate.ts'
import type { CertificateRules } from './client-certificate.ts'
import { PUBLIC_LIMITS } from './limits.ts'
import type { ListenerLimits } from './limits.ts'
import { startListener } from './listener.ts'
import type { App, Listener } from './listener.ts'
import { documentRoutes } from './openapi.ts'
import type { PackServing } from '../pack-sync/server.ts'
import { registerPackServing } from './pack-sync-routes.ts'
import { registerPublicRoutes } from './public-routes.ts'
import type { PublicOperations } from './public-routes.ts'
import { PLAIN_SIGHT } from './require-visible.ts'
import { registerTicketRoutes } from './ticket-routes.ts'
import type { SubscriptionHub } from '../subscriptions/hub.ts'
import { registerSubscribeRoute } from './subscribe-routes.ts'
import type { Findings } from '../findings/findings.ts'
import { registerTenantRoutes } from './tenant-routes.ts'
import { registerReadiness } from './readiness-routes.ts'
import type { Readiness } from './readiness-routes.ts'
import type { TlsIdentity } from './tls.ts'

export interface PublicListenerOptions {
  /** `HOST:PORT`, on loopback unless there is TLS (`http.listen`); port 0 lets the system choose. */
  readonly listen: string
  readonly operations: PublicOperations
  /** Without it packs are neither served nor taken. */
  readonly packs?: PackServing
  /** What tokens, tickets and certificates open; without it only readers on this machine see anything. */
  readonly access?: ReaderAccess
  /** Gets a count of the requests that were refused. */
  readonly audit?: CountingTrail
  /** Without it nobody can subscribe. */
  readonly subscriptions?: SubscriptionHub
  /** Without it the routes of partners are not there. */
  readonly federation?: FederationServing
  /** Without it nobody reports for tenants, or reads their findings. */
  readonly findings?: Findings
  readonly logger: Logger
  readonly clock: Clock
  /** Origins whose pages may read the answers (`http.corsOrigins`); default none. */
  readonly corsOrigins?: readonly string[]
  /** Without it there is no `/metrics`. */
  readonly metrics?: MetricsServing
  /** Default `PUBLIC_LIMITS`. */
  readonly limits?: ListenerLimits
  /** Speaks TLS (`http.tls`), with what client certificates are for; plain HTTP without it. */
  readonly tls?: PublicTls | undefined
  /** Serves these, too: `admin.listen` is this listener's address. */
  readonly admin?: AdminRoutes | undefined
  /** Why the node is not ready; by default what ails it (`status().health`). */
  readonly readiness?: Readiness
  /**
   * Moves, and never back, whenever an answer from projections or the log may be another than before. Without it every
   * answer is read anew.
   */
  readonly revision?: () => number
}

export interface PublicTls extends CertificateRules {
  readonly identity: TlsIdentity
}

/**
 * Serves what apps read: to readers on this machine all of it, to others what their token or certificate opens. Throws
 * `PORT_IN_USE`, and `CONFIG_INVALID` for an address that other machines can reach where there is no TLS.
 */
export async function startPublicListener(options: PublicListenerOptions): Promise<Listener> {
  const { listen, metrics, tls, admin, logger, clock, limits = PUBLIC_LIMITS } = options
  return await startListener({
    listen,
    key: 'http.listen',
    // Uploads to admin routes may last as they like, so the limit of all others is held by `registerSharedAdmin`.
    limits: admin === undefined ? limits : { ...limits, requestTimeoutMs: 0 },
    logger,
    clock,
    ...(metrics === undefined ? {} : { observer: metrics.requests }),
    judgesHosts: true,
    tls: tls === undefined ? undefined : { identity: tls.identity, asksCertificates: true },
    routes: async (app, context) => {
      await registerEveryPublicRoute(app, options)
      if (admin !== undefined) registerSharedAdmin(app, admin, limits, context)
    }
  })
}

/** All that the public listener serves; each route is in `/openapi.json`. */
export async function registerEveryPublicRoute(app: App, options: PublicListenerOptions): Promise<void> {
  const { operations, packs, access, metrics, clock, corsOrigins = [], audit = NO_AUDIT } = options
  const { subscriptions: hub, federation, findings, tls, readiness } = options
  const sight = access?.visibility ?? PLAIN_SIGHT
  allowOrigins(app, corsOrigins)
  if (tls !== undefined) checkCertificates(app, tls, clock, audit)
  registerAccess(app, {
    ...options,
    ...(access === undefined ? {} : { readers: access }),
    certificateDidOf,
    origins: originsOf(corsOrigins),
    audit
  })
  await documentRoutes(app, async () => (await operations.status()).version)
  registerPublicRoutes(app, operations, sight, options.revision)
  if (access !== undefined) {
    registerTicketRoutes(app, access)
    registerHandInRoutes(app, operations, access)
  }
  registerReadiness(app, operations, readiness)
  if (packs !== undefined) registerPackServing(app, packs, clock)
  if (federation !== undefined) registerFederation(app, federation, clock)
  if (findings !== undefined) registerTenantRoutes(app, findings, clock)
  if (hub !== undefined) registerSubscribeRoute(app, { hub, operations, sight })
  if (metrics !== undefined) registerMetrics(app, metrics)
}

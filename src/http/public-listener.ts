import { NO_AUDIT } from '../platform/audit.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { registerSharedAdmin } from './admin-listener.ts'
import type { AdminRoutes } from './admin-listener.ts'
import { checkCertificates } from './client-certificate.ts'
import type { CertificateRules } from './client-certificate.ts'
import { allowOrigins } from './cross-origin.ts'
import { PUBLIC_LIMITS } from './limits.ts'
import type { ListenerLimits } from './limits.ts'
import { startListener } from './listener.ts'
import type { Listener } from './listener.ts'
import type { PackServing } from '../pack-sync/server.ts'
import { registerPackServing } from './pack-sync-routes.ts'
import { registerPublicRoutes } from './public-routes.ts'
import type { PublicOperations } from './public-routes.ts'
import { registerReadiness } from './readiness-routes.ts'
import type { Readiness } from './readiness-routes.ts'
import type { TlsIdentity } from './tls.ts'

export interface PublicListenerOptions {
  /** `HOST:PORT`, on loopback unless there is TLS (`http.listen`); port 0 lets the system choose. */
  readonly listen: string
  readonly operations: PublicOperations
  /** Without it packs are neither served nor taken. */
  readonly packs?: PackServing
  readonly logger: Logger
  readonly clock: Clock
  /** Origins whose pages may read the answers (`http.corsOrigins`); default none. */
  readonly corsOrigins?: readonly string[]
  /** Default `PUBLIC_LIMITS`. */
  readonly limits?: ListenerLimits
  /** Speaks TLS (`http.tls`), with what client certificates are for; plain HTTP without it. */
  readonly tls?: PublicTls | undefined
  /** Serves these, too: `admin.listen` is this listener's address. */
  readonly admin?: AdminRoutes | undefined
  /** Why the node is not ready; by default what ails it (`status().health`). */
  readonly readiness?: Readiness
  /** Counts those who are refused for their certificate. */
  readonly audit?: CountingTrail
}

export interface PublicTls extends CertificateRules {
  readonly identity: TlsIdentity
}

/**
 * Serves what apps read. Throws `PORT_IN_USE`, and `CONFIG_INVALID` for an address that other machines can reach where
 * there is no TLS.
 */
export async function startPublicListener(options: PublicListenerOptions): Promise<Listener> {
  const { listen, operations, packs, logger, clock, corsOrigins = [], limits = PUBLIC_LIMITS } = options
  const { tls, admin, readiness, audit = NO_AUDIT } = options
  return await startListener({
    listen,
    key: 'http.listen',
    // Uploads to admin routes may last as they like, so the limit of all others is held by `registerSharedAdmin`.
    limits: admin === undefined ? limits : { ...limits, requestTimeoutMs: 0 },
    logger,
    clock,
    tls: tls === undefined ? undefined : { identity: tls.identity, asksCertificates: true },
    routes: (app, context) => {
      if (tls !== undefined) checkCertificates(app, tls, clock, audit)
      allowOrigins(app, corsOrigins)
      registerPublicRoutes(app, operations)
      registerReadiness(app, operations, readiness)
      if (packs !== undefined) registerPackServing(app, packs, clock)
      if (admin !== undefined) registerSharedAdmin(app, admin, limits, context)
    }
  })
}

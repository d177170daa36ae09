import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Operations } from '../operations.ts'
import type { NodeRegister } from '../partners/partner-registry.ts'
import type { CountingTrail } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { registerAdminRoutes } from './admin-routes.ts'
import { registerAdminStreams } from './admin-streams.ts'
import { registerPackSyncRoutes } from './pack-sync-routes.ts'
import { requireToken } from './admin-token.ts'
import { auditCalls } from './audit-calls.ts'
import { registerAuditRoutes } from './audit-routes.ts'
import { limitBody } from './deadlines.ts'
import { ADMIN_LIMITS } from './limits.ts'
import type { ListenerLimits } from './limits.ts'
import { registerMetrics } from './metrics-routes.ts'
import type { MetricsServing } from './metrics-routes.ts'
import { startListener } from './listener.ts'
import { registerNodeRoutes } from './node-register-routes.ts'
import { registerTokenRoutes } from './token-routes.ts'
import type { App, Listener, RouteContext } from './listener.ts'
import type { TlsIdentity } from './tls.ts'

/** What the admin routes serve, and to whom. */
export interface AdminRoutes {
  readonly operations: Operations
  /** The bearer token to ask for. */
  readonly token: string
  /** Called once when a client asks the node to stop, after the answer is on its way. */
  readonly shutdown: () => void
  /** Without it the routes of registered nodes are not there. */
  readonly nodes?: NodeRegister
  /** Gets a record of each call that may change something. */
  readonly audit?: CountingTrail
}

export interface AdminListenerOptions extends AdminRoutes {
  /** `HOST:PORT`, on loopback unless there is TLS (`admin.listen`); port 0 lets the system choose. */
  readonly listen: string
  readonly logger: Logger
  readonly clock: Clock
  /** Without it there is no `/metrics`. */
  readonly metrics?: MetricsServing
  /** Speaks TLS and shows this; plain HTTP without it. */
  readonly tls?: TlsIdentity | undefined
  /** Default `ADMIN_LIMITS`. */
  readonly limits?: ListenerLimits
}

export interface AdminListener extends Listener {
  /** What clients must show, for `run/admin.json`. */
  readonly token: string
}

const TOKEN_BYTES = 32

/** A token of 32 random bytes. */
export function newAdminToken(random: Random): string {
  return toBase64url(random.bytes(TOKEN_BYTES))
}

/**
 * Serves all operations of the node below `/v1/admin` to those who show the token:
 *
 * | route | takes | answers |
 * |---|---|---|
 * | `GET status`, `projections/{name}`, `digest`, `events/{id}` | query parameters as on the public listener | JSON |
 * | `GET events` | filters, `follow=true` | lines of logged events |
 * | `POST events` | one event's wire bytes | the ingest door's outcome, with the status of its code |
 * | `POST batches?namespace&batchId` | receipts, one a line | 201, `{"result": …}` |
 * | `POST batches/announcements` | `{namespace, batchId, timestampAnchors}` | 201 |
 * | `GET batches/proofs?namespace&batchId` | | lines of proofs |
 * | `POST packs` | | 201 |
 * | `POST backup` | `{directory, withoutKeys}` | lines as below |
 * | `POST config/reload` | | what changed |
 * | `GET packs/plan?orgId&from` | | 200 |
 * | `POST packs/pull?orgId&from`, `packs/push?orgId&to` | | lines as below |
 * | `POST log/verify`, `log/rebuild` | | lines: `{"progress": …}`, at last `{"result": …}` |
 * | `GET log/export?namespace` | | events in frames |
 * | `GET log/checkpoint`, `log/inclusion`, `log/consistency`, `POST log/checkpoint/check` | | JSON |
 * | `POST log/import` | events in frames | lines as above |
 * | `GET audit` | filters, `follow=true` | lines of audit records |
 * | `POST audit/verify` | | lines as of `log/verify` |
 * | `POST tokens` | what `TokenRequest` has | 201, the token |
 * | `GET tokens`, `POST tokens/{id}/revoke` | | JSON |
 * | `POST nodes`, `GET nodes`, `DELETE nodes?did&kid` | `{did, kid, publicKey, tenant?}` | 201, 200 |
 * | `POST shutdown` | | 202 |
 *
 * Lines are `application/x-ndjson`; blank ones mean nothing, and one with `error` (a problem) is the last. A follower's
 * stream ends when the node stops. Throws `PORT_IN_USE`, and `CONFIG_INVALID` for an address that other machines can
 * reach where there is no TLS.
 */
export async function startAdminListener(options: AdminListenerOptions): Promise<AdminListener> {
  const { listen, logger, clock, limits = ADMIN_LIMITS, tls, metrics } = options
  const listener = await startListener({
    listen,
    key: 'admin.listen',
    limits,
    logger,
    clock,
    tls: tls === undefined ? undefined : { identity: tls, asksCertificates: false },
    ...(metrics === undefined ? {} : { observer: metrics.requests }),
    routes: (app, listening) => {
      registerAdmin(app, options, listening)
      if (metrics !== undefined) registerMetrics(app, metrics)
    }
  })
  return { ...listener, token: options.token }
}

/**
 * The same routes beside those of the public listener, where both have one address: the token is asked for below
 * `/v1/admin`, and the idle and body limits of the admin listener hold there alone.
 */
export function registerSharedAdmin(
  app: App,
  routes: AdminRoutes,
  limits: ListenerLimits,
  context: RouteContext
): void {
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    if (routeOptions.url?.startsWith('/v1/admin/') !== true) limitBody(raw, limits.requestTimeoutMs, context.clock)
  })
  app.register(async (plain) => {
    const scope = plain.withTypeProvider<ZodTypeProvider>()
    // The server sets its own again with the next request of the connection.
    scope.addHook('onRequest', async ({ raw }) => {
      raw.socket.setTimeout(ADMIN_LIMITS.idleTimeoutMs)
    })
    registerAdmin(scope, routes, context)
  })
}

function registerAdmin(app: App, routes: AdminRoutes, listening: RouteContext): void {
  const { operations, token, shutdown, nodes, audit = NO_AUDIT } = routes
  const context = auditCalls(app, audit, listening)
  requireToken(app, token)
  // What only the operator may see is kept nowhere on its way.
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  registerAdminRoutes(app, operations, shutdown)
  registerAdminStreams(app, operations, context)
  registerAuditRoutes(app, operations, context)
  registerPackSyncRoutes(app, operations, context)
  registerTokenRoutes(app, operations)
  if (nodes !== undefined) registerNodeRoutes(app, nodes)
}

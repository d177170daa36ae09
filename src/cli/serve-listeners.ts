import { newAdminToken, startAdminListener } from '../http/admin-listener.ts'
import { PUBLIC_LIMITS } from '../http/limits.ts'
import type { Listener } from '../http/listener.ts'
import { startPublicListener } from '../http/public-listener.ts'
import type { NodeMetrics } from '../metrics/node-metrics.ts'
import { connectionFigures } from '../metrics/connection-figures.ts'
import type { AnchormeshNode } from '../node.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { isAdminRemote, isOneListener } from './data-folder/listener-problems.ts'
import type { LoadedConfig } from './data-folder/load-config.ts'
import { gatewayParts } from './gateway-parts.ts'
import type { LiveTransport } from './live-transport.ts'

export interface ListenerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: NodeMetrics
  /** Tells of another certificate, which both listeners then show. */
  readonly transport: LiveTransport
  /** Called once when a client of the admin listener asks the node to stop. */
  readonly shutdown: () => void
}

/** What a node is reached by over HTTP. */
export interface Listeners {
  readonly http: Listener
  /** The same as `http` where both have one address. */
  readonly admin: Listener
  /** The bearer token of the admin routes. */
  readonly token: string
}

/**
 * Starts what the configuration says a node listens on for HTTP; `closes` gets what ends it. Throws `PORT_IN_USE` and
 * `CONFIG_INVALID`.
 */
export async function startListeners(
  config: LoadedConfig,
  node: AnchormeshNode,
  { clock, random, logger, metrics, transport, shutdown }: ListenerPorts,
  closes: (() => Promise<void>)[]
): Promise<Listeners> {
  const { federation, tls } = config
  const { gateway } = node
  const parts = gatewayParts(node, metrics)
  const token = newAdminToken(random)
  const routes = { operations: node, nodes: gateway.partners, token, shutdown, audit: parts.audit }
  const { listen, corsOrigins, connectionsMax, mtls } = federation.http
  const isOne = isOneListener(federation)
  const http = await startPublicListener({
    ...parts,
    logger,
    clock,
    listen,
    corsOrigins,
    limits: { ...PUBLIC_LIMITS, connectionsMax },
    tls: tls === null ? undefined : { identity: tls, mtls, didOfPin: gateway.didOfPin },
    admin: isOne ? routes : undefined
  })
  closes.push(() => http.close())
  transport.follow((identity) => http.renew(identity))
  let admin: Listener | null = null
  for (const figure of connectionFigures(() => ({ http, admin }))) metrics.keep(figure)
  if (isOne) return { http, admin: http, token }
  const ownAdmin = await startAdminListener({
    ...routes,
    metrics: parts.metrics,
    logger,
    clock,
    listen: federation.admin.listen,
    tls: isAdminRemote(federation) ? (tls ?? undefined) : undefined
  })
  admin = ownAdmin
  closes.push(() => ownAdmin.close())
  transport.follow((identity) => ownAdmin.renew(identity))
  return { http, admin, token }
}

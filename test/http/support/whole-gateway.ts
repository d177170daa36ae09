import { onTestFinished } from 'vitest'
import { gatewayParts } from '../../../src/cli/gateway-parts.ts'
import type { Listener } from '../../../src/http/listener.ts'
import type { PublicListenerOptions } from '../../../src/http/public-listener.ts'
import { NodeMetrics } from '../../../src/metrics/node-metrics.ts'
import type { AnchormeshNode } from '../../../src/node.ts'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { LANDS, SELF, policyWith } from '../../access/world.ts'
import type { MemoryNode, NodeOptions } from '../../node/nodes.ts'
import { openNode } from '../../node/nodes.ts'
import { AUTHORIZED, adminListener, publicListener } from './listeners.ts'
import type { PartnerNode } from './partners.ts'
import { postText } from './partners.ts'

/** A node behind a public listener that serves all that a running node does. */
export interface WholeGateway extends PartnerNode {
  readonly node: AnchormeshNode
  readonly listener: Listener
}

/** The lands of two tenants, in each of which the node seals for itself, too. */
export const OWN_LANDS = Object.fromEntries(
  Object.entries(LANDS).map(([name, { tenant, members }]) => [name, { tenant, members: [...members, SELF] }])
)

/** A started node of two tenants with all of its routes, closed with the test. */
export async function startWholeGateway(
  options: NodeOptions = {},
  listening: Partial<PublicListenerOptions> = {}
): Promise<WholeGateway> {
  const policy = options.policy ?? policyWith(OWN_LANDS)
  return await serveWholeGateway(await openNode(SELF, [], { ...options, policy }), listening)
}

/** Starts and serves a node that was opened before. */
export async function serveWholeGateway(
  memory: MemoryNode,
  listening: Partial<PublicListenerOptions> = {}
): Promise<WholeGateway> {
  const { node, self, ports } = memory
  onTestFinished(() => node.close())
  await node.start()
  const listener = await publicListener({ ...gatewayParts(node, new NodeMetrics()), ...listening })
  const { listener: admin } = await adminListener({
    operations: node,
    nodes: node.gateway.partners,
    audit: node.auditTrail
  })
  return {
    memory,
    node,
    self,
    listener,
    clock: ports.clock,
    url: listener.url,
    adminUrl: admin.url,
    register: async ({ did, kid, publicKey }, more = {}) =>
      await postText(
        `${admin.url}/v1/admin/nodes`,
        JSON.stringify({ did, kid, publicKey: toBase64url(publicKey), ...more }),
        AUTHORIZED
      )
  }
}

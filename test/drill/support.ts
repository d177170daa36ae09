import { onTestFinished } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { DrillPorts, DrillTarget } from '../../src/drill/drill-target.ts'
import { Secrets } from '../../src/drill/secrets.ts'
import { newAdminToken, startAdminListener } from '../../src/http/admin-listener.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { openNode } from '../node/nodes.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { member } from '../support/identities.ts'
import { settled } from '../support/settled.ts'

/** A real node that serves over real sockets; it ends with the test. */
export interface ServedNode extends MemoryNode {
  readonly base: string
  readonly admin: string
  readonly adminToken: string
  readonly did: string
}

/** Starts a node with both listeners. Its clock stands still at `startMs`. */
export async function serveTestNode(name: string, startMs: number = Date.now()): Promise<ServedNode> {
  const self = member(name)
  const clock = createVirtualClock({ startMs, settle: settled })
  const memory = await openNode(self, [self], { ports: { clock }, hub: createMemoryHub() })
  onTestFinished(() => memory.node.close())
  const { node } = memory
  const common = { listen: '127.0.0.1:0', operations: node, logger: silentLogger, clock: systemClock }
  const http = await startPublicListener({ ...common, federation: node.gateway.federation })
  onTestFinished(() => http.close())
  const admin = await startAdminListener({
    ...common,
    token: newAdminToken(systemRandom),
    shutdown: () => undefined,
    nodes: node.gateway.partners
  })
  onTestFinished(() => admin.close())
  return { ...memory, base: http.url, admin: admin.url, adminToken: admin.token, did: self.signer.did }
}

/** Timers of this machine, and the time of a node. */
export function clockOf({ ports }: MemoryNode): Clock {
  return { ...systemClock, now: () => ports.clock.now() }
}

export function targetOf(node: ServedNode, changes: Partial<DrillTarget> = {}): DrillTarget {
  return {
    name: 'staging',
    base: new URL(node.base),
    admin: new URL(node.admin),
    tls: {},
    remoteNodeId: 'partner-1',
    timeoutMs: 20_000,
    ...changes
  }
}

export function drillPorts(node: ServedNode, changes: Partial<DrillPorts> = {}): DrillPorts {
  return {
    clock: clockOf(node),
    random: systemRandom,
    signal: new AbortController().signal,
    secrets: new Secrets(),
    adminToken: node.adminToken,
    version: 'test',
    ...changes
  }
}

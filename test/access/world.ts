import { onTestFinished } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { TokenRequest } from '../../src/access/token-operations.ts'
import type { Listener } from '../../src/http/listener.ts'
import type { PublicListenerOptions } from '../../src/http/public-listener.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import type { TestMember } from '../support/identities.ts'
import { EVERYTHING, member } from '../support/identities.ts'
import { settled } from '../support/settled.ts'

export const SELF = member('self', 'org-self')
export const [ADA, BEN, CLEO, DAN] = [
  member('ada', 'org-ada'),
  member('ben', 'org-ben'),
  member('cleo', 'org-cleo'),
  member('dan', 'org-dan')
] as const
export const MEMBERS: readonly TestMember[] = [ADA, BEN, CLEO, DAN]

/** A namespace: whom it belongs to, and who is a member. */
export interface Land {
  readonly tenant: string
  readonly members: readonly TestMember[]
}

/** Two tenants with two namespaces each; Cleo has a part in both. */
export const LANDS: Readonly<Record<string, Land>> = {
  'a:one': { tenant: 'alpha', members: [ADA, BEN] },
  'a:two': { tenant: 'alpha', members: [BEN, CLEO] },
  'b:one': { tenant: 'beta', members: [CLEO, DAN] },
  'b:two': { tenant: 'beta', members: [DAN] }
}

/** The policy of the node in which these namespaces are carried and these peers known. */
export function policyWith(
  lands: Readonly<Record<string, Land>> = LANDS,
  peers: readonly TestMember[] = MEMBERS,
  keyTenants: Readonly<Record<string, string>> = {}
): EffectivePolicy {
  const namespaces = Object.entries(lands).map(([name, { tenant, members }]) => {
    const dids = members.map(({ signer }) => signer.did)
    return [name, { tenant, members: { announce: dids, serve: dids, request: dids } }] as const
  })
  const { did, kid, publicKey } = SELF.signer
  const node = { did, orgId: SELF.orgId }
  const federation = federationSchema.parse({ v: 1, node, namespaces: Object.fromEntries(namespaces) })
  const peersConfig = peersSchema.parse({
    v: 1,
    peers: peers.map(({ orgId, signer }) => {
      const tenant = keyTenants[orgId]
      const key = { kid: signer.kid, publicKey: toBase64url(signer.publicKey) }
      return {
        did: signer.did,
        orgId,
        roles: ['announce', 'serve', 'request'],
        keys: [tenant === undefined ? key : { ...key, tenant }]
      }
    }),
    crossOrg: { allow: [EVERYTHING] }
  })
  const result = effectivePolicy(federation, peersConfig, { did, kid, publicKey, orgId: SELF.orgId })
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.policy
}

export interface World {
  readonly node: AnchormeshNode
  readonly clock: VirtualClock
  readonly store: Store
}

/** A node in memory whose tokens go by a clock that only the test moves; closed with the test. */
export async function openWorld(
  options: { readonly policy?: EffectivePolicy; readonly store?: Store; readonly seed?: string } = {}
): Promise<World> {
  const clock = createVirtualClock({ settle: settled })
  const store = options.store ?? (await openMemoryStore())
  const node = await createNode(
    {
      policy: options.policy ?? policyWith(),
      signer: SELF.signer,
      version: 'test',
      sealing: { 'a:one': { everyMs: 3_600_000, maxReceipts: 1_000, rails: [] } }
    },
    {
      store,
      blobs: await openMemoryStore(),
      checkpoint: memoryCheckpoint(),
      clock,
      random: seededRandom(options.seed ?? 'access'),
      logger: silentLogger
    }
  )
  onTestFinished(() => node.close())
  return { node, clock, store }
}

/** A public listener over the node, closed with the test. */
export async function listen(node: AnchormeshNode, options: Partial<PublicListenerOptions> = {}): Promise<Listener> {
  const listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    packs: node.packServing,
    access: node.gateway.access,
    audit: node.auditTrail,
    logger: silentLogger,
    clock: systemClock,
    ...options
  })
  onTestFinished(() => listener.close())
  return listener
}

/** A token for reading these namespaces, or for more. */
export async function tokenFor(
  node: AnchormeshNode,
  namespaces: readonly string[],
  more: Partial<TokenRequest> = {}
): Promise<string> {
  return (await node.createToken({ namespaces, rights: ['read'], ...more })).token
}

export const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` })

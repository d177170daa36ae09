import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import { readPayingAccounts } from '../../src/cli/data-folder/account-keys.ts'
import { configuredRails } from '../../src/cli/data-folder/rails.ts'
import { readTsaCertificates } from '../../src/cli/data-folder/tsa-certificates.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import type { TimestampVerifier } from '../../src/timestamps/verifier.ts'
import type { TestMember } from './identities.ts'
import { EVERYTHING, NAMESPACE, member } from './identities.ts'
import type { RealRails } from './real-rails.ts'
import { FINALITY, railsIn, startRails } from './real-rails.ts'
import type { Bitcoind } from './bitcoind.ts'
import { settled } from './settled.ts'

/** Far beyond what anything takes on a busy machine; it only ends a hang, with a sentence that names what hung. */
const DEADLINE_MS = 100_000
// What waits for a timer waits for a few seconds at the least, and a recheck on Bitcoin for an hour.
const STEP_MS = 30_000
// What a real process answers takes some milliseconds.
const POLL_MS = 5

export interface FederationOptions {
  readonly bitcoind?: Bitcoind | null
  /** How many of all members have to attest a winner; by default nobody is asked. */
  readonly k?: number
  /** What stands between a member and its verifiers. */
  readonly verifier?: (orgId: string, verifier: TimestampVerifier) => TimestampVerifier
}

/** Nodes of several organisations on real stores and real rails; the first alone makes evidence on chains. */
export interface Federation {
  readonly rails: RealRails
  readonly clock: VirtualClock
  readonly hub: MemoryHub
  readonly nodes: readonly AnchormeshNode[]
  /** The one that seals. */
  readonly maker: AnchormeshNode
  /** Lets time pass and messages arrive until `ask` gives something other than false or null. */
  eventually<Answer>(what: string, ask: () => Promise<Answer | false | null>): Promise<Answer>
}

export const MEMBERS = ['maker', 'auditor', 'archive'].map((name) => member(name, name))

/**
 * Starts nodes as the command line does, from what a `federation.yaml` would say, but for the clock, which goes on only
 * in `eventually`, and the network. They end with the test.
 */
export async function startFederation(options: FederationOptions = {}): Promise<Federation> {
  let asked = 0
  // Nothing that asks real processes may wait for time to pass meanwhile: that would end in its time-out.
  const idle = async (): Promise<void> => {
    do await settled()
    while (asked > 0)
  }
  const folders = mkdtempSync(join(tmpdir(), 'anchormesh-test-'))
  onTestFinished(() => rmSync(folders, { recursive: true, force: true }))
  const clock = createVirtualClock({ startMs: Date.now(), settle: idle })
  const hub = createMemoryHub()
  const rails = await startRails(clock, options.bitcoind ?? null)
  const counted = <Args extends readonly unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async function count(...args: Args): Promise<Result> {
      asked += 1
      try {
        return await call(...args)
      } finally {
        asked -= 1
      }
    }
  const nodes: AnchormeshNode[] = []
  for (const [index, self] of MEMBERS.entries()) {
    const node = await openMember(self, index === 0)
    onTestFinished(() => node.close())
    nodes.push(node)
  }
  for (const node of nodes) await node.start()
  const [maker] = nodes
  if (maker === undefined) throw new Error('there are three')

  return {
    rails,
    clock,
    hub,
    nodes,
    maker,
    async eventually(what, ask) {
      const endMs = performance.now() + DEADLINE_MS
      for (;;) {
        await hub.drain()
        const answer = await ask()
        if (answer !== false && answer !== null) return answer
        if (performance.now() > endMs) throw new Error(`still waiting after ${DEADLINE_MS} ms: ${what}`)
        await clock.advance(STEP_MS)
        await delay(POLL_MS)
      }
    }
  }

  async function openMember(self: TestMember, payer: boolean): Promise<AnchormeshNode> {
    const folder = join(folders, self.orgId)
    mkdirSync(folder)
    const { did, kid, publicKey } = self.signer
    const dids = MEMBERS.map(({ signer }) => signer.did)
    const namespace = {
      tenant: 'test',
      members: { announce: dids, serve: dids, request: dids },
      finality: FINALITY,
      ...(options.k === undefined ? {} : { quorum: { k: options.k, of: dids } })
    }
    const federation = federationSchema.parse({
      v: 1,
      node: { did, orgId: self.orgId },
      namespaces: { [NAMESPACE]: namespace },
      rails: railsIn(folder, rails, { payer })
    })
    const { certificates, problems } = await readTsaCertificates(federation, dataPaths(folder).tsaRoots)
    const effective = effectivePolicy(federation, PEERS, { did, kid, publicKey, orgId: self.orgId }, certificates)
    const { accounts, problems: faults } = await readPayingAccounts(federation, folder)
    if (!effective.ok || problems.length + faults.length > 0)
      throw new Error(JSON.stringify([problems, faults, effective]))
    const { policy } = effective
    const random = seededRandom(self.orgId)
    const { verifiers, anchorers } = configuredRails(
      { folder, federation, policy, payingAccounts: accounts },
      { clock, random }
    )
    return await createNode(
      { policy, signer: self.signer, version: 'test' },
      {
        store: await openLevelStore(join(folder, 'store'), { create: true }),
        blobs: await openLevelStore(join(folder, 'blobs'), { create: true }),
        checkpoint: memoryCheckpoint(),
        clock,
        random,
        logger: silentLogger,
        network: hub.join({ did, peerId: kid, namespaces: ['_trust', NAMESPACE] }),
        verifiers: verifiers
          .map((verifier) => options.verifier?.(self.orgId, verifier) ?? verifier)
          .map((verifier) => ({
            name: verifier.name,
            handles: (chainId) => verifier.handles(chainId),
            verify: counted(verifier.verify.bind(verifier))
          })),
        anchorers: anchorers.map((anchorer) => ({
          rail: anchorer.rail,
          chainId: anchorer.chainId,
          prepare: counted(anchorer.prepare.bind(anchorer)),
          advance: counted(anchorer.advance.bind(anchorer))
        }))
      }
    )
  }
}

const PEERS = peersSchema.parse({
  v: 1,
  crossOrg: { allow: [EVERYTHING] },
  peers: MEMBERS.map(({ orgId, signer }) => ({
    did: signer.did,
    orgId,
    roles: ['announce', 'serve', 'request'],
    keys: [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey) }]
  }))
})

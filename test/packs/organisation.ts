import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import { memorySignerRegistry } from '../../src/trust/memory-signer-registry.ts'
import type { SignerRegistry } from '../../src/trust/signer-registry.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode } from '../node/nodes.ts'
import type { PolicyOptions, TestMember } from '../support/identities.ts'
import { member, policyOf } from '../support/identities.ts'

export const ORG = 'org-vault'

/** A machine of the organisation: its node, what it keeps of keys, and what was audited. */
export interface Machine extends MemoryNode {
  readonly registry: SignerRegistry
  readonly audited: AuditEntry[]
}

/** Machines of one organisation, each with a node and a registry of its own; nothing travels by itself. */
export async function openMachines(names: readonly string[], options: PolicyOptions = {}): Promise<Machine[]> {
  const members = names.map((name) => member(name, ORG))
  const machines: Machine[] = []
  for (const self of members) machines.push(await openMachine(self, members, options))
  return machines
}

export async function openMachine(
  self: TestMember,
  members: readonly TestMember[],
  options: PolicyOptions = {}
): Promise<Machine> {
  const registry = memorySignerRegistry(self.signer, seededRandom(`keys of ${self.signer.did}`))
  const audited: AuditEntry[] = []
  const audit = { record: (entry: AuditEntry) => void audited.push(entry), flushed: () => Promise.resolve() }
  const opened = await openNode(self, members, { policy: policyOf(self, members, options), signers: registry, audit })
  return { ...opened, registry, audited }
}

/** Brings what `from` holds to the others, as sync would. */
export async function share(from: MemoryNode, ...others: readonly MemoryNode[]): Promise<void> {
  for (const { node } of others) await node.importEvents(from.node.exportEvents())
}

/** Has the first machine publish a pack with everybody's key, for everybody. */
export async function firstPack(machines: readonly Machine[]): Promise<void> {
  const [first, ...others] = machines
  if (first === undefined) throw new Error('no machines')
  for (const { self } of others) await first.node.addKey(keyOf(self))
  await first.node.publishPack()
  await share(first, ...others)
}

/** Has the organisation ask for two signatures from now on. */
export async function raiseThreshold(first: Machine, second: Machine, ...others: readonly Machine[]): Promise<void> {
  const { draft } = await first.node.draftPack({ threshold: 2, with: [second.self.signer.kid] })
  const signed = await second.node.signPack(draft)
  await first.node.completePack(signed.draft)
  await share(first, second, ...others)
}

export function keyOf({ signer: { kid, publicKey } }: TestMember): {
  readonly kid: string
  readonly publicKey: string
} {
  return { kid, publicKey: toBase64url(publicKey) }
}

/** The keys of the organisation as a node has them in force. */
export async function statuses({ node }: MemoryNode): Promise<Readonly<Record<string, string>>> {
  const { signers } = await node.signers()
  return Object.fromEntries(signers.flatMap(({ kid, inForce }) => (inForce === null ? [] : [[kid, inForce.status]])))
}

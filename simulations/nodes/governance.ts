import type { AnchormeshNode } from '../../src/node.ts'
import type { ListedSigner } from '../../src/packs/pack-operations.ts'
import type { Governance } from '../faults/injection.ts'
import type { CastMember } from './cast.ts'
import type { SimulatedMachine } from './simulated-machine.ts'

/** What operators do together, by the operations that real ones have. */
export function governanceOf(nodes: readonly SimulatedMachine[], cast: readonly CastMember[]): Governance {
  return {
    async admit(newcomers) {
      const members = newcomers.flatMap(({ index }) => cast[index] ?? [])
      await Promise.all(nodes.map((node) => node.admit(members)))
    },
    async revoke({ index }) {
      const machine = nodes[index]
      if (machine === undefined) throw new RangeError(`there is no node ${index}`)
      await machine.insist(async (node) => await takeBack(node, machine.signer.kid))
    }
  }
}

/** Begins where it was left: what a pack has said already is not said again. */
async function takeBack(node: AnchormeshNode, kid: string): Promise<void> {
  const report = await node.signers()
  const successor = report.signers.find((signer) => signer.held && signer.kid !== kid)
  // Until the packs have another key, none can say that this one is gone.
  if (successor === undefined) await node.addKey({})
  if (successor?.inForce?.status !== 'ACTIVE') await node.publishPack()
  const old = report.signers.find((signer) => signer.kid === kid)
  if (statusOf(old) !== 'REVOKED') await node.revokeKey({ kid, reason: 'as the scenario says', lastGood: 'all' })
  if (old?.inForce?.status !== 'REVOKED') await node.publishPack()
}

const statusOf = (signer: ListedSigner | undefined): string | undefined =>
  signer?.intended?.status ?? signer?.inForce?.status

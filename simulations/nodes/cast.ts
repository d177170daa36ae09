import { toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { hostAddress, multiaddrOf } from '../network/addresses.ts'

/** Who a node of a simulation is. */
export interface CastMember {
  readonly index: number
  /** `n0`, `n1`, … */
  readonly name: string
  /** `org-0`, … */
  readonly orgId: string
  /** With the key that it had from the start. */
  readonly signer: Signer
  readonly peerKeySeed: Uint8Array
  readonly peerId: string
  /** Of its host in the simulated network. */
  readonly address: string
  /** Where others dial it. */
  readonly multiaddr: string
}

/** The nodes of a run: all their keys follow from its seed. Organisations get their nodes in turn. */
export async function castOf(
  { nodes, organisations = nodes }: { readonly nodes: number; readonly organisations?: number | undefined },
  seed: string
): Promise<readonly CastMember[]> {
  return await Promise.all(
    Array.from({ length: nodes }, async (_, index) => {
      const name = `n${index}`
      const peerKeySeed = keySeed(seed, `peer key of ${name}`)
      const address = hostAddress(index)
      return {
        index,
        name,
        orgId: `org-${index % organisations}`,
        signer: localSigner(keySeed(seed, `signer of ${name}`)),
        peerKeySeed,
        peerId: await peerIdOfSeed(peerKeySeed),
        address,
        multiaddr: multiaddrOf(address)
      }
    })
  )
}

/** Two seeds of runs, however they are written, never lead to one key. */
function keySeed(seed: string, name: string): Uint8Array {
  return sha256(utf8(`${toHex(utf8(seed))} ${name}`))
}

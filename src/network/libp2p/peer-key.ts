import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'

/** The libp2p key of a 32-byte Ed25519 seed. */
export function privateKeyOfSeed(seed: Uint8Array): Promise<Ed25519PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', seed)
}

/** The PeerId, in base58, of a 32-byte Ed25519 seed: what `peers.yaml` of the others names. */
export async function peerIdOfSeed(seed: Uint8Array): Promise<string> {
  return peerIdFromPrivateKey(await privateKeyOfSeed(seed)).toString()
}
